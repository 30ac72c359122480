import type { Digest, StoredRecord } from '../caching/record.js'
import type { Logger } from '../log.js'
import type { BlobStore } from './blob-store.js'
import type { HotRecords } from './hot-records.js'
import type { RecordStore } from './record-store.js'
import { unhurried } from './unhurried.js'

/**
 * Stores what `change` makes of the record by then, again if someone else writes in between; `undefined` from it leaves that.
 * Resolves with what was stored, once the blobs it doesn't refer to any more are gone.
 */
export type Update = (
  key: string,
  change: (current: StoredRecord | undefined) => StoredRecord | undefined,
) => Promise<StoredRecord | undefined>

/** Records and the blobs they refer to, changed together. */
export interface Changes {
  readonly update: Update
  /** Removes those of the blobs that no record refers to and nobody holds; returns how many. */
  reclaim(digests: Iterable<Digest>): Promise<number>
  /** The same for all there are: what a crash between blob and record left behind (D7). */
  sweep(signal: AbortSignal): Promise<number>
}

export interface ChangesOptions {
  readonly records: RecordStore
  readonly blobs: BlobStore
  readonly hot: HotRecords
  readonly log: Logger
}

export function createChanges({ records, blobs, hot, log }: ChangesOptions): Changes {
  const reclaim = async (digests: Iterable<Digest>) => {
    let removed = 0
    for (const digest of digests) {
      try {
        if (await blobs.delete(digest, () => records.references(digest))) removed += 1
      } catch (error) {
        // The records are as they should be, and the blob is in nobody's way.
        log.warn({ err: error, digest }, 'cannot remove a blob; the next clean-up tries again')
      }
    }
    return removed
  }
  return {
    reclaim,
    async update(key, change) {
      for (;;) {
        const current = await records.get(key)
        const next = change(current)
        if (!next) return undefined
        // What was evicted is remembered, and not stored: by a clock that was set back, what comes after it would look older.
        const version = Math.max(next.version, (hot.known(key)?.version ?? 0) + 1)
        const result = await records.put({ ...next, version }, current?.version ?? 0)
        if (!result.done) continue
        const record = hot.remember({ ...next, version: result.version })
        await reclaim(result.unreferenced)
        return record
      }
    },
    async sweep(signal) {
      let removed = 0
      for await (const digest of unhurried(blobs.list(), signal)) {
        if (!records.references(digest)) removed += await reclaim([digest])
      }
      return removed
    },
  }
}
