/** What an operator is shown. Sizes in bytes, moments in ISO 8601, durations in seconds; `null` is "none" or "unknown". */

export interface RepositoryState {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: 'proxy' | 'hosted' | 'group'
  readonly profile: 'artifact' | 'rfc9111'
  /** Of a proxy. */
  readonly remotes: readonly RemoteState[]
  /** Of a group: the names of the repositories it asks, in this order. */
  readonly members: readonly string[]
  readonly blocked: boolean
  readonly records: number
  readonly bytes: number
  /** `null` where only the store's own cap counts. */
  readonly maxSize: number | null
}

export interface RemoteState {
  readonly url: string
  readonly breaker: 'closed' | 'half-open' | 'open'
  /** When an open breaker lets the next request try. */
  readonly retryAt: string | null
}

export interface ArtifactSummary {
  readonly repository: string
  /** As in its URL behind the repository's name, without the leading slash. */
  readonly path: string
  /** Of all variants. */
  readonly bytes: number
  readonly variants: number
  readonly storedAt: string
  readonly lastAccess: string | null
  readonly pinned: boolean
}

export interface ArtifactPage {
  readonly artifacts: readonly ArtifactSummary[]
  /** To be given as `after` for the next page; `null` on the last. */
  readonly next: string | null
}

export interface ArtifactState extends ArtifactSummary {
  /** The remote it came from, and whether that is one of the repository's still. */
  readonly remote: string
  readonly current: boolean
  readonly details: readonly VariantState[]
}

export interface VariantState {
  readonly status: number
  readonly size: number
  readonly sha256: string
  readonly contentType: string | null
  readonly etag: string | null
  readonly lastModified: string | null
  /** When the remote last sent or confirmed it. */
  readonly validatedAt: string
  readonly age: number
  /** Seconds it stays fresh; negative for how long it has been stale, `null` for ever. */
  readonly ttl: number | null
  /** Whether it would be served without asking the remote. */
  readonly fresh: boolean
  /** The request fields that select it among the variants. */
  readonly selecting: Readonly<Record<string, string | null>>
}

export interface Removed {
  readonly records: number
  readonly bytes: number
}

export interface RepositoryStatistics {
  readonly repository: string
  readonly requests: number
  /** Requests by how they were answered: `hit`, `stale`, `revalidated`, `miss`, `bypass`, `negative`, `error`. */
  readonly outcomes: Readonly<Record<string, number>>
  /** The part of the requests for which nothing was fetched, 0 to 1; `null` without requests. */
  readonly hitRate: number | null
  readonly bytesSent: number
  readonly bytesFetched: number
}

export interface Statistics {
  /** How many replicas counted: this one, and those that told it in time. */
  readonly replicas: number
  /** When the first of them began counting: at its start. */
  readonly since: string
  readonly repositories: readonly RepositoryStatistics[]
}

export interface Task {
  readonly id: string
  readonly kind: string
  readonly state: 'running' | 'done' | 'failed' | 'cancelled'
  readonly startedAt: string
  readonly endedAt: string | null
  /** Counters of the work so far, by name; after the end, its result. */
  readonly progress: Readonly<Record<string, number>>
  /** What it found, at most the first 1,000. */
  readonly findings: readonly Finding[]
  /** Why it failed. */
  readonly error: string | null
}

/** Something wrong with one artifact. */
export interface Finding {
  readonly repository: string
  readonly path: string
  readonly sha256: string | null
  readonly reason: string
}

export interface ImportReport {
  readonly imported: number
  /** Here already, as new or newer. */
  readonly present: number
  readonly skipped: number
  /** Of bodies that were stored. */
  readonly bytes: number
  /** What was skipped, and why; at most the first 1,000. */
  readonly findings: readonly { readonly artifact: string; readonly reason: string }[]
}
