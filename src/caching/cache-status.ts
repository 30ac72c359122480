/** How a request was answered, for the client, the log and the metrics. */
export interface CacheOutcome {
  /** `upload`: not asked for an artifact, but sent one, or had it removed. */
  readonly outcome: 'hit' | 'stale' | 'revalidated' | 'miss' | 'bypass' | 'negative' | 'error' | 'upload'
  /** Seconds of freshness left; below 0 when stale. */
  readonly ttl?: number | undefined
  /** Why the request went to the remote; without it, and where the outcome doesn't imply it, nothing went forward. */
  readonly fwd?: 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'bypass' | undefined
  /** The remote's status. */
  readonly fwdStatus?: number | undefined
  readonly stored?: boolean | undefined
  readonly collapsed?: boolean | undefined
  readonly detail?: string | undefined
}

/** Why the request went forward, where the outcome tells. */
const impliedFwd: Partial<Record<CacheOutcome['outcome'], CacheOutcome['fwd']>> = {
  revalidated: 'stale',
  miss: 'uri-miss',
  bypass: 'bypass',
}

/** The value of `Cache-Status` (RFC 9211). `hit` and `fwd` exclude each other (§2.1). */
export function cacheStatus(o: CacheOutcome): string {
  let value = 'larder'
  const fwd = o.fwd ?? impliedFwd[o.outcome]
  const status = o.fwdStatus ?? (o.outcome === 'revalidated' ? 304 : undefined)
  if (fwd !== undefined) value += status === undefined ? `; fwd=${fwd}` : `; fwd=${fwd}; fwd-status=${status}`
  else if (o.outcome !== 'error' && o.outcome !== 'upload') value += '; hit'
  // For ever has no number.
  if (o.ttl !== undefined && Number.isFinite(o.ttl)) value += `; ttl=${integer(o.ttl)}`
  if (o.stored) value += '; stored'
  if (o.collapsed) value += '; collapsed'
  if (o.detail !== undefined) value += `; detail=${tokenOrString(o.detail)}`
  return value
}

/** The bounds of a structured Integer (RFC 9651 §3.3.1). */
const largest = 999_999_999_999_999

const integer = (seconds: number) => Math.max(-largest, Math.min(Math.floor(seconds), largest))

/** RFC 9651 §3.3.3, §3.3.4; what neither can carry is replaced. */
function tokenOrString(text: string): string {
  if (/^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(text)) return text
  return `"${text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
