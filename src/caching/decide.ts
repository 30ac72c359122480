import { type Directives, parseCacheControl } from './cache-control.js'
import { currentAge, type Freshness, timeToLive } from './freshness.js'
import { field, fieldLines, type RawHeaders } from './headers.js'
import type { CachingPolicy } from './repository.js'

export type Decision =
  /** `ttl`: seconds of freshness left, below 0 when stale. `revalidate`: answer now, validate behind. */
  | { readonly action: 'reuse'; readonly ttl: number; readonly revalidate: boolean }
  | { readonly action: 'validate'; readonly why: 'stale' | 'request' }
  | { readonly action: 'fetch'; readonly why: 'uri-miss' | 'vary-miss' }

/** What a request asks of a cache. */
export interface RequestFacts {
  /** `undefined`: it says nothing, or nothing that counts here. */
  readonly directives: Directives | undefined
  readonly pragmaNoCache: boolean
}

const nothingAsked: RequestFacts = { directives: undefined, pragmaNoCache: false }

/** C12: where the client's wishes are ignored, `only-if-cached` is still obeyed; it asks for less, not more. */
export function requestFacts(headers: RawHeaders, policy: CachingPolicy): RequestFacts {
  const lines = fieldLines(headers, 'cache-control')
  const honour = policy.clientCacheControl === 'honour'
  if (lines.length > 0) {
    const directives = parseCacheControl(lines)
    if (honour) return { directives, pragmaNoCache: false }
    return directives.onlyIfCached ? { directives: { onlyIfCached: true }, pragmaNoCache: false } : nothingAsked
  }
  // RFC 9111 §5.4: Pragma speaks only where Cache-Control is silent.
  const pragma = honour ? field(headers, 'pragma') : undefined
  if (pragma === undefined || !/(?:^|,)\s*no-cache\s*(?:,|$)/i.test(pragma)) return nothingAsked
  return { directives: undefined, pragmaNoCache: true }
}

/** How what is stored may answer a request (RFC 9111 §4). `now` in ms. */
export function decide(
  stored: { readonly freshness: Freshness } | undefined,
  hasOtherVariants: boolean,
  request: RequestFacts,
  now: number,
): Decision {
  if (!stored) return { action: 'fetch', why: hasOtherVariants ? 'vary-miss' : 'uri-miss' }
  const { freshness } = stored
  if (asksForValidation(request, freshness, now)) return { action: 'validate', why: 'request' }
  if (freshness.noCache || freshness.invalidated) return { action: 'validate', why: 'stale' }
  const ttl = timeToLive(freshness, now)
  if (ttl > 0) return { action: 'reuse', ttl, revalidate: false }
  if (freshness.mustRevalidate) return { action: 'validate', why: 'stale' }
  if (-ttl < freshness.staleWhileRevalidate) return { action: 'reuse', ttl, revalidate: true }
  if (-ttl <= (request.directives?.maxStale ?? -1)) return { action: 'reuse', ttl, revalidate: false }
  return { action: 'validate', why: 'stale' }
}

function asksForValidation({ directives, pragmaNoCache }: RequestFacts, freshness: Freshness, now: number): boolean {
  if (pragmaNoCache) return true
  if (!directives) return false
  const { noCache, maxAge, minFresh } = directives
  if (noCache) return true
  // `max-age=0` is how clients ask for validation; nothing is young enough for it.
  if (maxAge !== undefined && (maxAge === 0 || currentAge(freshness, now) > maxAge)) return true
  return minFresh !== undefined && timeToLive(freshness, now) < minFresh
}

/**
 * Whether a response that another request brought answers this one too. To whoever asked (at `askedAt`, ms) before it came
 * it is as good as one of his own; for whoever asked later it is one that is stored.
 */
export function answersToo(f: Freshness, request: RequestFacts, askedAt: number): boolean {
  return askedAt <= f.responseTime || decide({ freshness: f }, false, request, askedAt).action === 'reuse'
}

/** Whether it may answer although the remote can't be asked, or answers with trouble (K3). `now` in ms. */
export function mayServeStale(f: Freshness, policy: CachingPolicy, now: number): boolean {
  const staleness = -timeToLive(f, now)
  if (policy.profile === 'artifact') return staleness <= policy.maxStale
  if (f.noCache) return false
  // RFC 5861 §4, within RFC 9111 §4.2.4.
  return staleness < 0 || (!f.mustRevalidate && staleness < f.staleIfError)
}
