import { decodeOnce, pathOf } from './cache-key.js'
import type { Glob, Repository } from './repository.js'

/**
 * Whether the routing rules let a request target through (C9). They mean the file, however the client spells its path:
 * escapes are decoded, and for `block` repeated slashes merged, as many remotes do.
 */
export function isRouted({ allow, block }: Repository['routing'], target: string): boolean {
  if (allow.length === 0 && block.length === 0) return true
  const path = pathOf(target)
  const fits = (globs: readonly Glob[], spelling: string) => globs.some(({ matches }) => matches(spelling))
  const decoded = Buffer.from(decodeOnce(path), 'latin1').toString()
  const merged = decoded.replace(/\/{2,}/g, '/').replace(/^\//, '')
  if ([path, decoded, merged].some((spelling) => fits(block, spelling))) return false
  return allow.length === 0 || fits(allow, decoded)
}
