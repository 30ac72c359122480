import type { Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'

/* What an operator may do with repositories of which type. Each returns the repository; throws `REQUEST_INVALID`, saying what to do instead. */

export const isStoring = ({ type }: Repository): boolean => type !== 'group'

/** It has artifacts of its own. */
export function storing(repository: Repository): Repository {
  if (isStoring(repository)) return repository
  throw unfit(
    `${repository.name} is a group and has nothing of its own: name one of its members, ${membersOf(repository)}`,
  )
}

/** What it has may be removed: it can be had again. */
export function purgeable(repository: Repository): Repository {
  const { name, type } = storing(repository)
  if (type !== 'hosted') return repository
  throw unfit(`what was uploaded to ${name} can't be fetched again: remove it by DELETE /repository/${name}/<path>`)
}

/** It has remotes. */
export function asking(repository: Repository): Repository {
  const { name, type } = repository
  if (type === 'proxy') return repository
  if (type === 'hosted') throw unfit(`${name} is a hosted repository: it asks no remote`)
  throw unfit(`${name} is a group and asks no remote itself: name one of its members, ${membersOf(repository)}`)
}

const membersOf = (group: Repository) => [...new Set(leavesOf(group))].join(', ')

const leavesOf = ({ members }: Repository): readonly string[] =>
  members.flatMap((member) => (isStoring(member) ? [member.name] : leavesOf(member)))

const unfit = (message: string) => new LarderError('REQUEST_INVALID', message)
