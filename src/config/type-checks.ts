import type { RepositoryType } from '../caching/repository.js'
import { type Data, type Issue, isMap } from './issue.js'
import { remoteWanted } from './remote-settings.js'
import { wrong } from './wording.js'

/** What there is to say of a repository without a remote: the rest is about remotes. */
const own: Readonly<Record<Exclude<RepositoryType, 'proxy'>, readonly string[]>> = {
  hosted: ['type', 'format', 'aliases', 'redeploy', 'allow', 'block', 'rewrite', 'typeGuard', 'checksums', 'maxSize'],
  group: ['type', 'format', 'aliases', 'members', 'allow', 'block'],
}

const ofOthers: readonly string[] = ['members', 'redeploy']

const isSetting = (type: RepositoryType, name: string) =>
  type === 'proxy' ? !ofOthers.includes(name) : own[type].includes(name)

/** Of these settings those that the type knows; all where it is none. */
export const settingsFor = (type: unknown, settings: Data): Data =>
  isType(type) ? Object.fromEntries(Object.entries(settings).filter(([name]) => isSetting(type, name))) : settings

const isType = (type: unknown): type is RepositoryType => type === 'proxy' || type === 'hosted' || type === 'group'

/** Whether the settings of the repository at `path` are those of its type; on data as read. */
export function typeIssues(path: readonly PropertyKey[], settings: Data): Issue[] {
  const { type = 'proxy' } = settings
  if (!isType(type)) return []
  const foreign = Object.keys(settings)
    .filter((name) => !isSetting(type, name))
    .map((name) => ({ path: [...path, name], message: `is no setting of type ${type}, expected none`, atKey: true }))
  const [needed, wanted] = { ...required }[type] ?? []
  if (needed === undefined || needed in settings) return foreign
  return [...foreign, { path: [...path, needed], message: wrong(undefined, wanted ?? ''), atKey: true }]
}

const required: Readonly<Partial<Record<RepositoryType, readonly [string, string]>>> = {
  proxy: ['remote', remoteWanted],
  group: ['members', 'the names of the repositories it asks'],
}

/** Members that are none, stand there twice, or lead back to the group itself. */
export function memberIssues(repositories: Data): Issue[] {
  return Object.keys(repositories).flatMap((name) => {
    const members = membersOf(repositories, name)
    return members.flatMap((member, index): Issue[] => {
      const fault = memberFault(repositories, name, member, members.indexOf(member) < index)
      return fault === undefined
        ? []
        : [{ path: ['repositories', name, 'members', index], message: fault, atKey: false }]
    })
  })
}

function memberFault(repositories: Data, group: string, member: unknown, repeated: boolean): string | undefined {
  if (typeof member !== 'string') return undefined
  if (!Object.hasOwn(repositories, member)) return 'is not a repository of this file, expected the name of one'
  if (repeated) return 'stands here already, expected each member once'
  return leadsTo(repositories, member, group, new Set()) ? 'leads back to this group, expected another' : undefined
}

function leadsTo(repositories: Data, from: string, to: string, seen: Set<string>): boolean {
  if (from === to) return true
  if (seen.has(from)) return false
  seen.add(from)
  return membersOf(repositories, from).some((next) => typeof next === 'string' && leadsTo(repositories, next, to, seen))
}

function membersOf(repositories: Data, name: string): readonly unknown[] {
  const settings = repositories[name]
  return isMap(settings) && Array.isArray(settings.members) ? settings.members : []
}
