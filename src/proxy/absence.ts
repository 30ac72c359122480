import type { RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import { classifyRefusal } from './refusal.js'
import { acceptsAnything, carriesCredentials } from './request-headers.js'

/** Seconds for which a status of the remote says to all that there is no such thing (K4); 0 where it doesn't. */
export function absentFor({ caching }: Repository, forwarded: RawHeaders, status: number): number {
  if (classifyRefusal(status, []).kind !== 'absent') return 0
  // Who takes only some media types may be refused what others get.
  if (carriesCredentials(forwarded) || !acceptsAnything(forwarded)) return 0
  return status === 403 ? caching.negative.forbiddenTtl : caching.negative.ttl
}
