/** A repository and its policy, as the core sees it. Built once from the configuration; frozen. */
export interface Repository {
  readonly name: string
  readonly aliases: readonly string[]
  readonly format: 'raw'
  readonly type: 'proxy'
  readonly profile: Profile
  /** Remote storage: absolute http(s) URLs without a trailing slash. */
  readonly remotes: readonly [string, ...string[]]
  readonly query: QueryPolicy
  readonly caching: CachingPolicy
  /** Client headers passed on (lower case), or `'all'` end-to-end ones but those of U1. */
  readonly forwardRequestHeaders: 'all' | readonly string[]
  readonly upstream: UpstreamPolicy
}

/** `artifact`: our promises for immutable files. `rfc9111`: a plain shared cache. */
export type Profile = 'artifact' | 'rfc9111'

export type QueryPolicy = 'forward' | 'ignore' | { readonly drop: readonly string[] }

/** All durations in seconds; `Infinity` is "forever". */
export interface CachingPolicy {
  readonly profile: Profile
  /** In order; the first whose glob fits the path (without its leading slash) decides. */
  readonly freshness: readonly FreshnessRule[]
  /** Lifetime of what neither a rule nor the remote gives one; `artifact` only. */
  readonly maxAge: number
  /** RFC 9213 fields (lower case) that take precedence over `Cache-Control`, in order. */
  readonly targetedFields: readonly string[]
  readonly clientCacheControl: 'ignore' | 'honour'
  readonly staleWhileRevalidate: number
  /** How long past its lifetime a copy may be served when the remote is in trouble; `artifact` only. */
  readonly maxStale: number
  /** Whether 401, 403, 404, 410 and 429 of the remote leave a stored copy in service; `artifact` only. */
  readonly keepOnUpstreamMissing: boolean
  readonly negative: { readonly ttl: number; readonly forbiddenTtl: number }
}

export interface FreshnessRule {
  /** The glob as written. */
  readonly match: string
  readonly matches: (path: string) => boolean
  readonly maxAge: number
  /** Store even what the remote marks `no-store` or `private`. */
  readonly force: boolean
}

export interface UpstreamPolicy {
  /** Milliseconds. */
  readonly timeout: { readonly connect: number; readonly headers: number; readonly stall: number }
  /** `budget` in milliseconds; `resumes` per body. */
  readonly retry: { readonly attempts: number; readonly budget: number; readonly resumes: number }
  readonly maxRedirects: number
  /** Hosts (`host` or `host:port`) or CIDR ranges a redirect may lead to although they are not public. */
  readonly redirects: { readonly allow: readonly string[] }
}
