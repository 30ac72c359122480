import type { Digest, StoredRecord } from '../caching/record.js'

/**
 * PORT. What replicas share in front of the durable store (D1). Never the truth: every call answers within its deadline,
 * and one that fails or is late is an absence (`undefined`) or does nothing.
 */
export interface SharedCache {
  record(key: string): Promise<StoredRecord | undefined>
  body(digest: Digest): Promise<Uint8Array | undefined>
  /** Shares a record and, where given, its bodies; resolves when that is done, or is not to be done. */
  share(record: StoredRecord, bodies: ReadonlyMap<Digest, Uint8Array>): Promise<void>
  forget(key: string): void
  /**
   * Whether what `name` stands for is `owner`'s alone for the next `milliseconds`, taken now or held already; `undefined`
   * where nobody can tell.
   */
  claim(name: string, owner: string, milliseconds: number): Promise<boolean | undefined>
  /** Gives back what is `owner`'s; what is another's stays. */
  yield(name: string, owner: string): Promise<void>
  readonly healthy: boolean
  close(): Promise<void>
}

/** Bodies up to this many bytes are shared. */
export const sharedBodyLimit = 256 * 1024
