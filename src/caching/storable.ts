import { type Directives, governing, parseCacheControl } from './cache-control.js'
import { allowsHeuristic, dateOf, explicitLifetime, ruleFor } from './freshness.js'
import { endToEnd, field, fieldLines, filterFields, type RawHeaders, usualSpelling } from './headers.js'
import type { CachingPolicy } from './repository.js'
import { varyNames } from './vary.js'

export type Storability = { readonly store: true } | { readonly store: false; readonly why: WhyNotStored }

/** What stands for one client and no other: the answer may be his alone. */
export const credentialFields = ['authorization', 'cookie'] as const

type WhyNotStored =
  | ('no-store' | 'private' | 'status' | 'vary' | 'range' | 'no-validator-or-lifetime')
  | (typeof credentialFields)[number]

interface ReceivedResponse {
  readonly status: number
  readonly headers: RawHeaders
}

/**
 * Whether a response to GET may be stored. `request.headers`: what went to the remote on the client's behalf; credentials
 * of the repository itself are no concern of RFC 9111 §3.5. `path`: without leading slash and query.
 */
export function storable(
  request: { readonly headers: RawHeaders },
  response: ReceivedResponse,
  path: string,
  policy: CachingPolicy,
): Storability {
  const { directives } = governing(response.headers, policy.targetedFields)
  const why =
    statusFault(response.status, directives, policy) ??
    requestFault(request.headers, policy) ??
    (ruleFor(path, policy)?.force ? undefined : responseFault(request.headers, response, directives)) ??
    (policy.profile === 'rfc9111' && !isOfUse(response, policy) ? 'no-validator-or-lifetime' : undefined)
  return why === undefined ? { store: true } : { store: false, why }
}

/** Statuses whose meaning for a cache we act on, for `must-understand` (RFC 9111 §5.2.2.3). */
const understood: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501])

function statusFault(status: number, { mustUnderstand }: Directives, policy: CachingPolicy): WhyNotStored | undefined {
  if (status === 206) return 'range'
  if (policy.profile === 'artifact') return status === 200 || status === 203 ? undefined : 'status'
  if (status < 200 || status === 304 || (mustUnderstand && !understood.has(status))) return 'status'
  return undefined
}

/** RFC 9111 §5.2.1.5, where the client's word counts (C12). */
function requestFault(headers: RawHeaders, policy: CachingPolicy): WhyNotStored | undefined {
  if (policy.clientCacheControl === 'ignore') return undefined
  return parseCacheControl(fieldLines(headers, 'cache-control')).noStore ? 'no-store' : undefined
}

/** What the remote, or the nature of its answer, forbids (RFC 9111 §3); a rule may force it. */
function responseFault(
  requestHeaders: RawHeaders,
  response: ReceivedResponse,
  directives: Directives,
): WhyNotStored | undefined {
  // `must-understand` lifts `no-store` for those who do understand.
  const lifted = directives.mustUnderstand && understood.has(response.status)
  if (directives.noStore && !lifted) return 'no-store'
  if (directives.private) return 'private'
  if (varyNames(response.headers) === '*') return 'vary'
  return isShareable(directives)
    ? undefined
    : credentialFields.find((name) => field(requestHeaders, name) !== undefined)
}

/** RFC 9111 §3.5, which knows Authorization alone; a cookie a client was let send says as much of who he is. */
const isShareable = (directives: Directives) =>
  directives.public === true || directives.mustRevalidate === true || directives.sMaxAge !== undefined

/**
 * §3: only what says how long it is good for, or whose status lets a cache guess; and of that, what could ever be
 * reused: fresh for a while, allowed stale for a while, or open to validation.
 */
function isOfUse({ status, headers }: ReceivedResponse, policy: CachingPolicy): boolean {
  const governs = governing(headers, policy.targetedFields)
  const { directives } = governs
  // Without a Date any date in Expires may be ahead.
  const lifetime = explicitLifetime(governs, dateOf(headers, 0) ?? 0)
  if (lifetime === undefined && !allowsHeuristic(status, directives)) return false
  if (field(headers, 'etag') !== undefined || field(headers, 'last-modified') !== undefined) return true
  if (directives.noCache) return false
  return [lifetime, directives.staleWhileRevalidate, directives.staleIfError].some((seconds) => (seconds ?? 0) > 0)
}

/** What belongs to one exchange or to the connection it came over (C2), or is said anew with each answer (C3). */
const notStored: ReadonlySet<string> = new Set([
  'set-cookie',
  'set-cookie2',
  'alt-svc',
  'strict-transport-security',
  'clear-site-data',
  'content-length',
  'accept-ranges',
])

/** The fields of a response as they are kept and served. `Age` stays: the arithmetic needs it. */
export function storedHeaders(headers: RawHeaders): RawHeaders {
  return filterFields(usualSpelling(endToEnd(headers)), (name) => !notStored.has(name))
}
