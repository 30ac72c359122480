import type { RawHeaders } from './headers.js'

/** A repository and its policy, as the core sees it. Built once from the configuration; frozen. */
export interface Repository {
  readonly name: string
  readonly aliases: readonly string[]
  readonly format: 'raw'
  readonly type: RepositoryType
  readonly profile: Profile
  /** Remote storage of a proxy: mirrors of the same content, asked in this order. Others have none. */
  readonly remotes: readonly Remote[]
  /** Whom a group asks, in this order; each may be a group with routing rules of its own. Others have none. */
  readonly members: readonly Repository[]
  /** Whether an upload may replace what a hosted repository has. */
  readonly redeploy: boolean
  /** Out of service by hand: the remotes are not asked, stored copies are served (U7). */
  readonly blocked: boolean
  /** Routing rules (C9): a path must fit one of `allow`, where there is any, and none of `block`. */
  readonly routing: { readonly allow: readonly Glob[]; readonly block: readonly Glob[] }
  readonly query: QueryPolicy
  readonly integrity: IntegrityPolicy
  /** The first rule that fits the path says what of a body is rewritten. */
  readonly rewrite: readonly RewriteRule[]
  readonly retention: RetentionPolicy
  readonly caching: CachingPolicy
  /** Client headers passed on (lower case), or `'all'` end-to-end ones but those of U1. */
  readonly forwardRequestHeaders: 'all' | readonly string[]
  readonly upstream: UpstreamPolicy
}

/** `proxy`: what a remote has. `hosted`: what was uploaded. `group`: what the first of its members has. */
export type RepositoryType = 'proxy' | 'hosted' | 'group'

/** `artifact`: our promises for immutable files. `rfc9111`: a plain shared cache. */
export type Profile = 'artifact' | 'rfc9111'

export type QueryPolicy = 'forward' | 'ignore' | { readonly drop: readonly string[] }

/** Fits paths without their leading slash and query. */
export interface Glob {
  /** As written. */
  readonly match: string
  readonly matches: (path: string) => boolean
}

export interface Remote {
  /** Absolute http(s) URL without a trailing slash, credentials, query or fragment. */
  readonly url: string
  readonly access: RemoteAccess
}

/** How a remote is reached and what it asks for (U6). Holds secrets: never logged, never in a message. */
export interface RemoteAccess {
  readonly auth: RemoteAuth | undefined
  /** Fields sent with each request to the remote itself, and to no other origin (U5). */
  readonly headers: RawHeaders
  /** Authorities trusted for it beside all others, PEM. */
  readonly ca: string | undefined
  /** PEM. */
  readonly clientCertificate: { readonly cert: string; readonly key: string } | undefined
  /** URL of its egress proxy; `direct` for none; `undefined` for the process's own choice. */
  readonly proxy: string | undefined
  /** Connections open to it at a time, at most. */
  readonly maxConnections: number
}

/** What a public remote asks for: nothing. */
export const plainAccess: RemoteAccess = {
  auth: undefined,
  headers: [],
  ca: undefined,
  clientCertificate: undefined,
  proxy: undefined,
  maxConnections: Number.POSITIVE_INFINITY,
}

export type RemoteAuth =
  | { readonly scheme: 'basic'; readonly username: string; readonly password: string }
  | { readonly scheme: 'bearer'; readonly token: string }
  | {
      readonly scheme: 'sigv4'
      readonly accessKeyId: string
      readonly secretAccessKey: string
      readonly sessionToken: string | undefined
      readonly region: string
      readonly service: string
    }

/** What a body must be beyond what its own head promises (U4). */
export interface IntegrityPolicy {
  /** Refuse an HTML or XML page where the path names an archive. */
  readonly typeGuard: boolean
  /** The first rule that fits the path says where its digest is written down. */
  readonly checksums: readonly ChecksumRule[]
}

export interface ChecksumRule extends Glob {
  readonly expected:
    | { readonly kind: 'literal' /** 64 lower-case hex digits. */; readonly sha256: string }
    /**
     * A file of the same repository: a lone digest, `<digest>  <name>` lines, or an `inventory.json`. Its path, with
     * `{path}`, `{dir}` and `{name}` standing for parts of the artifact's.
     */
    | { readonly kind: 'listed'; readonly in: string }
  /** Whether an artifact whose digest cannot be found is refused; else it passes unproven. */
  readonly required: boolean
}

/** Fits paths whose bodies are served with the URLs of other repositories' remotes replaced by our own. */
export interface RewriteRule extends Glob {
  /** Fit the paths, in an archive, of the members that are looked into. */
  readonly in: readonly Glob[]
  /** Whether the directory that a tar begins with becomes `.`. */
  readonly unwrap?: boolean
}

/** How much of a repository is kept (K6). */
export interface RetentionPolicy {
  /** Bytes; `Infinity` where only the store's own cap counts. */
  readonly maxSize: number
  /** Seconds without use after which an artifact goes; `Infinity` for never. */
  readonly unusedFor: number
}

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

export interface FreshnessRule extends Glob {
  readonly maxAge: number
  /** Store even what the remote marks `no-store` or `private`. */
  readonly force: boolean
}

export interface UpstreamPolicy {
  /** Milliseconds. */
  readonly timeout: { readonly connect: number; readonly headers: number; readonly stall: number }
  /** `budget` in milliseconds; `resumes` per body. */
  readonly retry: { readonly attempts: number; readonly budget: number; readonly resumes: number }
  /** Opens after so many failed requests in a row, for `openFor` ms, doubling to `maxOpenFor` ms (U7). */
  readonly breaker: { readonly failures: number; readonly openFor: number; readonly maxOpenFor: number }
  readonly maxRedirects: number
  /** Hosts (`host` or `host:port`) or CIDR ranges a redirect may lead to although they are not public. */
  readonly redirects: { readonly allow: readonly string[] }
}

/** What stands for the remote of an uploaded artifact. */
export const uploaded = 'upload'

/** Whether what came from `url` is this repository's still: other remotes may hold other bytes (D5). */
export const isRemoteOf = ({ type, remotes }: Repository, url: string): boolean =>
  type === 'hosted' ? url === uploaded : remotes.some((remote) => remote.url === url)
