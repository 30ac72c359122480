import type { Digest, StoredRecord } from '../caching/record.js'

/**
 * PORT. What replicas share in front of the durable store (D1). Never the truth: every call answers within its deadline,
 * and one that fails or is late is an absence (`undefined`) or does nothing. Milliseconds are whole, and at least 1.
 */
export interface SharedCache {
  record(key: string): Promise<StoredRecord | undefined>
  body(digest: Digest): Promise<Uint8Array | undefined>
  /** Shares a record and, where given, its bodies; resolves when that is done, or is not to be done. */
  share(record: StoredRecord, bodies: ReadonlyMap<Digest, Uint8Array>): Promise<void>
  forget(key: string): void
  /**
   * Makes what `name` stands for `holder`'s alone for the next `milliseconds`, taken now or held already, or tells whose
   * it is; `undefined` where nobody can tell. A call that came too late may have taken it all the same.
   */
  lease(name: string, holder: string, milliseconds: number): Promise<Lease | undefined>
  /** Gives back what is `holder`'s; what is another's stays. */
  yield(name: string, holder: string): Promise<void>
  /** Leaves a short text for all replicas, for so long; it replaces the one before. Resolves when that was tried. */
  note(key: string, text: string, milliseconds: number): Promise<void>
  noted(key: string): Promise<string | undefined>
  /**
   * Tells all other replicas that listen; resolves when that was tried. A message of more than `messageLimit` bytes is
   * logged instead: it is a fault of ours.
   */
  tell(message: string): Promise<void>
  /** Hears what the others tell from now on, in the order of each; never what was told here. */
  onTold(listener: (event: ToldEvent) => void): void
  readonly healthy: boolean
  close(): Promise<void>
}

/** `holder` is what the other gave as its name. */
export type Lease = { readonly mine: true } | { readonly mine: false; readonly holder: string }

/**
 * A gap: what was told before may not have been heard. There is one when a listener first hears anything at all, and
 * one whenever the connection was lost and is back.
 */
export type ToldEvent = { readonly kind: 'message'; readonly text: string } | { readonly kind: 'gap' }

/** Bodies up to this many bytes are shared. */
export const sharedBodyLimit = 256 * 1024

/** Messages may have this many bytes in UTF-8. */
export const messageLimit = 16 * 1024
