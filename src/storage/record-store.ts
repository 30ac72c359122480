import type { Digest, StoredRecord } from '../caching/record.js'

/** PORT. Records by cache key. Absence is a value; only a fault of the store itself throws. */
export interface RecordStore {
  /** The record or its tombstone. May answer at once (an embedded store) or later. */
  get(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  /**
   * Compare-and-set (D6): writes if the key's version still is `ifVersion` (0: nothing stored), durably. The version written
   * is `record.version`, or `ifVersion + 1` where that is higher. A record without variants is a tombstone.
   */
  put(record: StoredRecord, ifVersion: number): Promise<PutResult>
  /** Whether any record refers to the blob. */
  references(digest: Digest): boolean
  /** Records (not tombstones) whose key starts with `prefix`, in the order of their storage keys (D5): segment by segment. */
  list(prefix: string): AsyncIterable<StoredRecord>
  totals(): StoreTotals
  close(): Promise<void>
}

export type PutResult =
  /** `unreferenced`: blobs that no record refers to any more. */
  | { readonly done: true; readonly version: number; readonly unreferenced: readonly Digest[] }
  /** Someone else wrote in between. */
  | { readonly done: false }

export interface StoreTotals {
  readonly records: number
  /** Bytes of bodies, a shared one counted once. */
  readonly bytes: number
}
