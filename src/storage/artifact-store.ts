import type { Algorithm } from '../caching/integrity.js'
import type { Digest, StoredRecord, StoredResponse } from '../caching/record.js'
import type { Selection } from '../caching/selection.js'
import type { OpenBody } from './blob-store.js'
import type { Drop } from './damage.js'
import type { Intake } from './intake.js'
import type { Purged, PurgeOptions } from './purging.js'
import type { StoreTotals } from './record-store.js'
import type { StagedBody } from './staging.js'
import type { VerifyOptions, VerifyProgress } from './verify.js'

/** Records, blobs, the shared cache and what of them is in memory, as one: what the proxy stores in and serves from. */
export interface ArtifactStore {
  /** The record or its tombstone; at once where it is in memory. */
  lookup(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  /** The same, whatever is in memory where others write too. */
  lookUpAnew(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  /** What a fill has to know when it begins: the version of the last purge that means the key; `record` is what was looked up. */
  epochOf(key: string, record: StoredRecord | undefined): number
  stage(key: string, length: number | undefined, promised: readonly Algorithm[]): StagedBody
  /** Makes a sealed body durable, then the record that names it (D2). What was uploaded is replaced by no fill. */
  publish(publication: Publication): Promise<PublishResult>
  /** Replaces a variant's head after a validation, if it is still there and was not purged meanwhile. */
  freshen(key: string, previous: StoredResponse, next: StoredResponse): Promise<void>
  /** Forgets a variant whose body is damaged; one that was uploaded is marked instead, and kept (H3). */
  readonly drop: Drop
  /** The body of a variant, or `undefined` where it is damaged and so dropped (D4). Small ones are in the record, not here. */
  open(key: string, stored: StoredResponse): Promise<OpenBody | undefined>
  /** Reads all bodies again and drops, or marks, what is damaged (D4). Rejects where it is ended, or the store itself fails. */
  verify(options?: VerifyOptions): Promise<VerifyProgress>
  /** Records (not tombstones, nor what was derived of them) whose key starts with `prefix`, in the order of their keys, segment by segment. */
  list(prefix: string, after?: string): AsyncIterable<StoredRecord>
  /** Of one repository, or of the whole store. */
  totals(repository?: string): StoreTotals
  /** Those that have records, configured or not. */
  repositories(): readonly string[]
  /** Notes that a client was served with it; `time` in ms since the epoch. Costs next to nothing (K6). */
  use(key: string, time: number): void
  /** ms since the epoch; `undefined` for what is not stored. */
  lastUse(key: string): number | undefined
  isPinned(key: string): boolean
  pins(): readonly Selection[]
  /** Keeps what is meant from eviction, what is stored later included. Throws `PATH_INVALID` for a glob that isn't one. */
  pin(selection: Selection): Promise<void>
  /** False where there is no such pin. */
  unpin(selection: Selection): Promise<boolean>
  /** Removes what is meant, or marks it for validation; resolves when that is durable. Throws as `pin` does (K5). */
  purge(selection: Selection, options: PurgeOptions): Promise<Purged>
  /** Hears of each purge, with what it means, once nothing that begins from then on falls under it. */
  onPurge(listener: (means: (key: string) => boolean) => void): void
  /** Begins to take in what was stored elsewhere. */
  takeIn(): Intake
  /** Removes what is of no use any more: what a crash between blob and record left behind, too (D7). `signal` ends it. */
  gc(signal?: AbortSignal): Promise<Collected>
  /** Brings the metrics of what is stored up to date. */
  measure(): void
  close(): Promise<void>
}

type PublishResult =
  | 'stored'
  /** `onlyIf`, or an upload that is there, forbids it. */
  | 'kept'
  /** The key was purged after the fill began (K5). */
  | 'purged'
  /** The caps leave no room, and nothing may be evicted for it (K7). */
  | 'no-room'

interface Collected {
  /** Blobs without a record. */
  readonly blobs: number
  /** Purges long past. */
  readonly purges: number
  /** Artifacts nobody used for as long as their repository keeps them. */
  readonly unused: number
}

interface Publication {
  readonly key: string
  readonly remote: string
  readonly epoch: number
  readonly head: Omit<StoredResponse, 'body'>
  readonly digest: Digest
  readonly body: StagedBody
  /** Asked about what is there in the moment of writing, again where that changes. */
  readonly onlyIf?: (current: StoredRecord | undefined) => boolean
}
