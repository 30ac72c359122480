import type { Foresight } from '../proxy/foresight.js'
import type { RemoteState, RepositoryState, VariantState } from './views.js'

export type { RepositoryState } from './views.js'

/** Why an artifact is served as it is. Sizes in bytes, durations in seconds, moments in ISO 8601. */
export interface Explanation {
  readonly repository: string
  readonly type: RepositoryState['type']
  /** What of the given words led to it. */
  readonly foundBy: 'name' | 'alias' | 'remote'
  /** Path and query as they are keyed and sent to the remote, without the leading slash. */
  readonly path: string
  readonly key: string
  readonly query: { readonly policy: string; readonly asked: string | null; readonly keyed: string | null }
  /** `rule`: the glob that decided. */
  readonly routing: { readonly routed: boolean; readonly rule: string | null }
  readonly freshness: FreshnessExplanation
  /** `list`: the path of the file that has the digest. */
  readonly checksum: {
    readonly match: string
    readonly required: boolean
    readonly sha256: string | null
    readonly list: string | null
  } | null
  /** Its URLs are rewritten for clients; `members`: globs over those of an archive that are looked into. */
  readonly rewrite: { readonly match: string; readonly members: readonly string[] } | null
  readonly remotes: readonly RemoteState[]
  /** Where it would be asked for, in this order. */
  readonly remoteUrls: readonly string[]
  readonly blocked: boolean
  /** One for each variant, newest first. */
  readonly stored: readonly VariantExplanation[]
  readonly pinned: boolean
  readonly lastAccess: string | null
  /** What is remembered of its remote's last word, for so many seconds more. */
  readonly remembered: {
    readonly kind: 'negative' | 'uncacheable' | 'trouble'
    readonly status: number | null
    readonly seconds: number
  } | null
  /** What a GET would come to now; `cacheStatus` lacks what the remote's answer adds. */
  readonly next: Outcome
  /** Of a group: what a GET of each member would come to, in the order they are asked. */
  readonly members: readonly (Outcome & { readonly repository: string })[]
}

interface Outcome {
  readonly action: Foresight['action']
  readonly cacheStatus: string
  readonly error: string | null
  readonly sentence: string
}

/** `maxAge`: `null` for ever, or where the remote alone says it (`by: remote`). */
export interface FreshnessExplanation {
  readonly by: 'rule' | 'remote' | 'remote-or-default'
  readonly match: string | null
  readonly maxAge: number | null
  readonly force: boolean
}

export interface VariantExplanation extends VariantState {
  /** The remote it came from. */
  readonly storedFrom: string
  /** In the past for what is stale; `null` for ever. */
  readonly freshUntil: string | null
  readonly why: string
}
