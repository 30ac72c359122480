import type { CacheOutcome } from '../caching/cache-status.js'
import type { StoredResponse } from '../caching/record.js'
import type { Resolution } from './resolution.js'

/** What is wanted of the remote, and what there is to fall back on. */
export interface Wanted {
  readonly why: 'uri-miss' | 'vary-miss' | 'stale' | 'request' | 'bypass'
  /** What is stored and may not answer by itself. */
  readonly stored: StoredResponse | undefined
  /** To be validated, where the remote may say that it is still good. */
  readonly validate: StoredResponse | undefined
  /** May be served if the remote is in trouble (K3). */
  readonly spare: StoredResponse | undefined
  /** The request fields (lower case) that are known to choose among this key's variants. */
  readonly varied: readonly string[]
}

export type Obtained =
  | Resolution
  /** A stored response to serve: validated just now, stored by another fill, or the spare copy. */
  | { readonly kind: 'stored'; readonly stored: StoredResponse; readonly cache: CacheOutcome }
  /** Something newer is stored, which can't answer as it is: to be looked up and decided about. */
  | { readonly kind: 'renewed' }

/** Why the request went forward, for `Cache-Status`. */
export const forwarded = ({ why }: Wanted) => ({ fwd: why })

export const revalidated = (wanted: Wanted, fwdStatus: number, collapsed: boolean): CacheOutcome => ({
  outcome: 'revalidated',
  ...forwarded(wanted),
  fwdStatus,
  collapsed,
})
