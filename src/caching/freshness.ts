import { type Directives, type Governing, governing, longestDelta, parseDeltaSeconds } from './cache-control.js'
import { field, fieldLines, listMembers, type RawHeaders } from './headers.js'
import { parseHttpDate } from './http-date.js'
import type { ResponseHead } from './record.js'
import type { CachingPolicy, FreshnessRule } from './repository.js'

/** All there is to know about how long a stored response is fresh; the clock is applied to it later. */
export interface Freshness {
  /** Seconds of age up to which it is fresh; may be `Infinity`. */
  readonly lifetime: number
  /** Its age in seconds when it arrived (corrected_initial_age, RFC 9111 §4.2.3). */
  readonly initialAge: number
  /** ms since the epoch. */
  readonly responseTime: number
  /** Never to be reused without validation. */
  readonly noCache: boolean
  /** Purged softly: nor even where a lifetime is left (K5). */
  readonly invalidated: boolean
  /** Never to be reused stale on the remote's word (RFC 9111 §4.2.4). */
  readonly mustRevalidate: boolean
  /** Seconds past the lifetime. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** The lifetime is a guess from `Last-Modified`. */
  readonly heuristic: boolean
}

/** `path`: without leading slash and query, for the rules of the repository (K1). */
export function freshness(stored: ResponseHead, path: string, policy: CachingPolicy): Freshness {
  const governs = governing(stored.headers, policy.targetedFields)
  const { directives } = governs
  const initialAge = initialAgeOf(stored)
  const rule = ruleFor(path, policy)
  return {
    ...lifetimeOf(stored, governs, initialAge, rule, policy),
    initialAge,
    responseTime: stored.responseTime,
    noCache: directives.noCache === true && rule === undefined,
    invalidated: stored.invalidated === true,
    mustRevalidate: forbidsStale(directives),
    staleWhileRevalidate: directives.staleWhileRevalidate ?? policy.staleWhileRevalidate,
    staleIfError: directives.staleIfError ?? 0,
  }
}

/** Seconds. A clock set back doesn't make anything younger than it came. */
export function currentAge(f: Freshness, now: number): number {
  return f.initialAge + Math.max(0, (now - f.responseTime) / 1000)
}

/** Seconds; 0 or less when stale, `Infinity` for ever. */
export function timeToLive(f: Freshness, now: number): number {
  return f.lifetime - currentAge(f, now)
}

/** The operator's rule for a path; a plain shared cache has none (K1). */
export function ruleFor(path: string, policy: CachingPolicy): FreshnessRule | undefined {
  return policy.profile === 'artifact' ? policy.freshness.find((rule) => rule.matches(path)) : undefined
}

function lifetimeOf(
  stored: ResponseHead,
  governs: Governing,
  initialAge: number,
  rule: FreshnessRule | undefined,
  policy: CachingPolicy,
): { lifetime: number; heuristic: boolean } {
  // The operator's lifetimes count from when we got it: behind a CDN it may be older than that on arrival.
  if (rule) return { lifetime: rule.maxAge + initialAge, heuristic: false }
  if (governs.directives.noCache) return { lifetime: 0, heuristic: false }
  const date = dateOf(stored.headers, stored.responseTime) ?? stored.responseTime
  const explicit = explicitLifetime(governs, date)
  if (explicit !== undefined) return { lifetime: explicit, heuristic: false }
  if (!allowsHeuristic(stored.status, governs.directives)) return { lifetime: 0, heuristic: false }
  if (policy.profile === 'artifact') return { lifetime: policy.maxAge + initialAge, heuristic: false }
  return { lifetime: heuristicLifetime(stored.headers, date), heuristic: true }
}

/** What the remote says, in seconds (RFC 9111 §4.2.1, shared cache); `undefined` when it says nothing. `date` in ms. */
export function explicitLifetime({ directives, expires }: Governing, date: number): number | undefined {
  const { sMaxAge, maxAge } = directives
  if (sMaxAge !== undefined) return sMaxAge
  if (maxAge !== undefined) return maxAge
  if (expires === undefined) return undefined
  // §5.3: an invalid date, "0" above all, is in the past.
  return Math.max(0, ((parseHttpDate(expires, date) ?? date) - date) / 1000)
}

/** RFC 9110 §15.1 */
const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])

/** RFC 9111 §4.2.2 */
export function allowsHeuristic(status: number, directives: Directives): boolean {
  return heuristicStatuses.has(status) || directives.public === true
}

/** A tenth of the time it has been unchanged. */
function heuristicLifetime(headers: RawHeaders, date: number): number {
  const lastModified = field(headers, 'last-modified')
  const since = lastModified === undefined ? undefined : parseHttpDate(lastModified, date)
  return since === undefined ? 0 : Math.max(0, (date - since) / 10_000)
}

/** RFC 9111 §4.2.4, §5.2.2.10: `s-maxage` carries the meaning of `proxy-revalidate`. */
function forbidsStale({ mustRevalidate, proxyRevalidate, sMaxAge }: Directives): boolean {
  return mustRevalidate === true || proxyRevalidate === true || sMaxAge !== undefined
}

/** ms since the epoch; `now` decides the century of a two-digit year. */
export function dateOf(headers: RawHeaders, now: number): number | undefined {
  const date = field(headers, 'date')
  return date === undefined ? undefined : parseHttpDate(date, now)
}

function initialAgeOf({ headers, requestTime, responseTime }: ResponseHead): number {
  const date = dateOf(headers, responseTime)
  // Whole seconds: a Date is cut to them, so the rest of one isn't age.
  const apparent = date === undefined ? 0 : Math.max(0, Math.floor((responseTime - date) / 1000))
  const delay = Math.max(0, responseTime - requestTime) / 1000
  return Math.max(apparent, Math.min(ageValue(headers) + delay, longestDelta))
}

/** §5.1: the first member that is valid; nothing valid is no age. */
function ageValue(headers: RawHeaders): number {
  for (const member of listMembers(fieldLines(headers, 'age'))) {
    const seconds = parseDeltaSeconds(member)
    if (seconds !== undefined) return seconds
  }
  return 0
}
