import type { Digest, StoredRecord } from '../caching/record.js'

/**
 * PORT. What replicas share in front of the durable store (D1). Never the truth: every call answers within its deadline,
 * and one that fails or is late is an absence (`undefined`) or does nothing.
 */
export interface SharedCache {
  record(key: string): Promise<StoredRecord | undefined>
  body(digest: Digest): Promise<Uint8Array | undefined>
  /** Shares a record and, where given, its bodies; returns before it is done. */
  share(record: StoredRecord, bodies: ReadonlyMap<Digest, Uint8Array>): void
  forget(key: string): void
  readonly healthy: boolean
  close(): Promise<void>
}

/** Bodies up to this many bytes are shared. */
export const sharedBodyLimit = 256 * 1024
