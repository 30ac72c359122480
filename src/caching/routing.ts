import { decodeOnce, pathOf } from './cache-key.js'
import type { Glob, Repository } from './repository.js'

export interface RoutingVerdict {
  readonly routed: boolean
  /** The glob that decided, as written; `undefined` where none fits. */
  readonly by?: string
}

/**
 * Whether the routing rules let a request target through (C9). They mean the file, however the client spells its path:
 * escapes are decoded, and for `block` repeated slashes merged, as many remotes do.
 */
export function routing({ allow, block }: Repository['routing'], target: string): RoutingVerdict {
  if (allow.length === 0 && block.length === 0) return free
  const path = pathOf(target)
  const fitting = (globs: readonly Glob[], spellings: readonly string[]) =>
    globs.find(({ matches }) => spellings.some((spelling) => matches(spelling)))?.match
  const decoded = Buffer.from(decodeOnce(path), 'latin1').toString()
  const merged = decoded.replace(/\/{2,}/g, '/').replace(/^\//, '')
  const blocked = fitting(block, [path, decoded, merged])
  if (blocked !== undefined) return { routed: false, by: blocked }
  const allowed = fitting(allow, [decoded])
  return { routed: allow.length === 0 || allowed !== undefined, ...(allowed !== undefined && { by: allowed }) }
}

export const isRouted = (rules: Repository['routing'], target: string): boolean => routing(rules, target).routed

const free: RoutingVerdict = { routed: true }
