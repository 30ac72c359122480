import type { RawHeaders } from '../../src/caching/headers.js'
import type { StoredResponse } from '../../src/caching/record.js'
import type { CachingPolicy, FreshnessRule } from '../../src/caching/repository.js'

/** Wed, 21 Oct 2026 07:28:00 GMT */
export const t0 = Date.UTC(2026, 9, 21, 7, 28, 0)

export const httpDate = (ms: number): string => new Date(ms).toUTCString()

export const artifact: CachingPolicy = {
  profile: 'artifact',
  freshness: [],
  maxAge: 86_400,
  targetedFields: [],
  clientCacheControl: 'ignore',
  staleWhileRevalidate: 0,
  maxStale: Number.POSITIVE_INFINITY,
  keepOnUpstreamMissing: true,
  negative: { ttl: 60, forbiddenTtl: 10 },
}

export const rfc9111: CachingPolicy = { ...artifact, profile: 'rfc9111', clientCacheControl: 'honour' }

export const rule = (prefix: string, maxAge: number, { force = false }: { force?: boolean } = {}): FreshnessRule => ({
  match: `${prefix}**`,
  matches: (path) => path.startsWith(prefix),
  maxAge,
  force,
})

export function stored(headers: RawHeaders, overrides: Partial<StoredResponse> = {}): StoredResponse {
  return {
    status: 200,
    headers,
    requestTime: t0,
    responseTime: t0,
    selecting: {},
    body: { digest: `sha256:${'0'.repeat(64)}`, size: 3 },
    ...overrides,
  }
}
