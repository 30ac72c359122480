import type { Digest, StoredRecord } from '../caching/record.js'
import type { Selection } from '../caching/selection.js'

/** PORT. Records by cache key. Absence is a value; only a fault of the store itself throws. */
export interface RecordStore {
  /** The record or its tombstone. May answer at once (an embedded store) or later. */
  get(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  /**
   * Compare-and-set (D6): writes if the key's version still is `ifVersion` (0: nothing stored), durably. The version written
   * is `record.version`, or one higher than all before where that is higher. A record without variants is a tombstone, kept
   * for its epoch; with epoch 0 it says nothing, and nothing is stored.
   */
  put(record: StoredRecord, ifVersion: number): Promise<PutResult>
  /** Whether any record refers to the blob, or may, as far as is known. */
  references(digest: Digest): boolean
  /**
   * Records (not tombstones) whose key starts with `prefix`, in the order of their storage keys (D5): segment by segment;
   * only those behind the key `after`, whether or not that is stored.
   */
  list(prefix: string, after?: string): AsyncIterable<StoredRecord>
  /** The epochs of records and tombstones whose key starts with `prefix`, in the order of `list`. */
  epochs(prefix: string): AsyncIterable<number>
  /** Storage keys of records that are damaged, or of another version's format: they count as absent (D5). */
  undecodable(): AsyncIterable<string>
  /** Of one repository, or of the whole store. */
  totals(repository?: string): StoreTotals
  /** The bytes of what was uploaded, which nothing but its removal takes away; of one repository, or of the whole store. */
  uploadedBytes(repository?: string): number
  /** Those that have records. */
  repositories(): readonly string[]
  /** Notes when records were used (ms since the epoch, by key); what is not stored, or was used later, stays as it is. */
  use(uses: ReadonlyMap<string, number>): Promise<void>
  /** When the record was last used, or else stored; `undefined` where there is none. */
  lastUse(key: string): number | undefined
  /** Up to `limit` records of a repository by their last use, oldest first; those behind `after`. None that was uploaded. */
  leastUsed(repository: string, limit: number, after?: Use): readonly Use[]
  /** Forgets tombstones of epochs before `epoch`; returns their keys, up to `limit`. */
  prune(epoch: number, limit: number): Promise<readonly string[]>
  /** What stands until it is taken back, in no order. */
  orders(): readonly StandingOrder[]
  /** Durably; one about the same selection is replaced. */
  saveOrder(order: StandingOrder): Promise<void>
  dropOrder(order: StandingOrder): Promise<void>
  /** Hears of the orders that others, where the store has several owners, saved, or took back (`stands` is false). */
  onOrder(listener: (order: StandingOrder, stands: boolean) => void): void
  /** Looks for such orders at once; rejects where they can't be seen. */
  look(): Promise<void>
  close(): Promise<void>
}

export type PutResult =
  /** `unreferenced`: blobs that no record refers to any more. */
  | { readonly done: true; readonly version: number; readonly unreferenced: readonly Digest[] }
  /** Someone else wrote in between. */
  | { readonly done: false }

export interface StoreTotals {
  readonly records: number
  /** Bytes of bodies; one that records share is counted once. */
  readonly bytes: number
}

export interface Use {
  readonly key: string
  /** ms since the epoch. */
  readonly lastUse: number
}

/** What an operator said of many artifacts at once, those to come included (K5, K6). */
export type StandingOrder =
  | { readonly kind: 'pin'; readonly selection: Selection }
  | {
      readonly kind: 'purge'
      readonly selection: Selection
      /** Whatever was stored or begun before it counts as purged. */
      readonly epoch: number
      readonly soft: boolean
      /** Whether the records it found have all been dealt with. */
      readonly done: boolean
    }
