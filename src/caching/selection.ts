import { createHash } from 'node:crypto'
import { LarderError } from '../errors.js'
import { cacheKey, originalKey, pathOf } from './cache-key.js'
import { compileGlob } from './glob.js'

/** Which artifacts of a repository an operator means. Plain data: it is stored as it is. */
export interface Selection {
  /** The canonical name. */
  readonly repository: string
  /** `path`: one artifact by its path and query; `prefix`: what they begin with; `glob`: over the path alone. */
  readonly by: 'path' | 'prefix' | 'glob' | 'all'
  /** Without leading slash, percent-encoded as clients write it; empty for `all`. */
  readonly pattern: string
}

/** Whether a cache key is meant; what is derived goes with its original. Throws `PATH_INVALID` for a glob that isn't one. */
export function selects({ repository, by, pattern }: Selection): (key: string) => boolean {
  const start = selectionPrefix({ repository, by, pattern })
  if (by === 'path') return (key) => originalKey(key) === start
  if (by !== 'glob') return (key) => key.startsWith(start)
  const glob = compileGlob(pattern)
  if (!glob) throw new LarderError('PATH_INVALID', `${JSON.stringify(pattern)} is not a glob`)
  return (key) => key.startsWith(start) && glob.matches(pathOf(originalKey(key).slice(repository.length)))
}

/** What the keys that are meant begin with, for listing them. */
export const selectionPrefix = ({ repository, by, pattern }: Selection): string =>
  cacheKey(repository, `/${by === 'glob' || by === 'all' ? '' : pattern}`)

/** Two that are alike mean the same. */
export const selectionId = ({ repository, by, pattern }: Selection): string => `${repository}/${by}/${pattern}`

const ways: ReadonlySet<unknown> = new Set(['path', 'prefix', 'glob', 'all'])

export function isSelection(value: unknown): value is Selection {
  if (typeof value !== 'object' || value === null) return false
  const { repository, by, pattern } = value as Partial<Record<keyof Selection, unknown>>
  return typeof repository === 'string' && ways.has(by) && typeof pattern === 'string'
}

/** Stands for the selection where its pattern would be too long, in hex. */
export const selectionHash = (selection: Selection): string =>
  createHash('sha256').update(selectionId(selection)).digest('hex')
