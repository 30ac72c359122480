import { isDerived } from '../caching/cache-key.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import type { RetentionPolicy } from '../caching/repository.js'
import { uploadedIn } from '../caching/upload.js'
import { sameVariant, withVariant } from '../caching/vary.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from './artifact-store.js'
import type { BlobStore } from './blob-store.js'
import type { Bulletin } from './bulletin.js'
import { createChanges } from './changes.js'
import { type Damaged, openSound } from './damage.js'
import { createDrops } from './drops.js'
import { hearOthers } from './hearing.js'
import { createHotRecords } from './hot-records.js'
import { openIntake } from './intake.js'
import { measure } from './measure.js'
import { createPurging } from './purging.js'
import type { RecordStore } from './record-store.js'
import { createRetention, type Reservation } from './retention.js'
import type { SharedCache } from './shared-cache.js'
import { createSharing } from './sharing.js'
import type { StagedBody, Staging } from './staging.js'
import { createUnderWay } from './under-way.js'
import { type Verifiable, verify } from './verify.js'

export interface ArtifactStoreOptions {
  readonly records: RecordStore
  readonly blobs: BlobStore
  /** Where all of them are read from to be verified, if not there. */
  readonly verified?: Verifiable
  readonly staging: Staging
  readonly shared: SharedCache | undefined
  readonly bulletin: Bulletin
  /** Whether others write to the records, too. */
  readonly isShared?: boolean
  /** Bytes of records (with their inline bodies) to keep in memory. */
  readonly hotBytes: number
  /** Bytes of bodies the whole store may hold; `Infinity` for no limit. */
  readonly maxSize: number
  /** `undefined` for a repository that is not configured. */
  readonly retentionOf: (repository: string) => RetentionPolicy | undefined
  readonly metrics: Metrics
  readonly log: Logger
  /** Hears of every damaged body, once. */
  readonly onDamaged: (damaged: Damaged) => void
}

/** How long a record in memory is trusted where others write too (D1), ms. */
const trustedFor = 2000

/**
 * How long a purge counts, ms: by far longer than a fill that began before it takes, or than a replica's record from before
 * it lives where records are shared.
 */
const purgeLife = 7 * 24 * 3600 * 1000

export function openArtifactStore(options: ArtifactStoreOptions): ArtifactStore {
  const { records, blobs, verified = blobs, staging, shared, bulletin, metrics, log, onDamaged } = options
  const hot = createHotRecords(options.hotBytes, shared || options.isShared ? trustedFor : Number.POSITIVE_INFINITY)
  const { update, reclaim, sweep } = createChanges({ records, blobs, hot, log })
  const ending = new AbortController()
  const { signal } = ending
  const underWay = createUnderWay()

  /** Look-ups that take time, one a key. */
  const lookups = new Map<string, Promise<StoredRecord | undefined>>()

  // A blob that others may refer to stays for a while, damaged as it is, and would make their record whole again (D7).
  const forget = (key: string) => {
    if (options.isShared) shared?.forget(key)
  }
  const { drop, mend } = createDrops({ update, forget, onDamaged })

  const purging = createPurging({
    ...{ records, update, metrics, signal },
    lookUpAnew: (key) => lookUpAnew(key),
    share: async (record) => sharing?.tell(record),
  })
  const retention = createRetention({
    ...{ records, update, metrics, log, underWay, signal },
    maxSize: options.maxSize,
    policyOf: options.retentionOf,
  })
  const epochOf = (key: string) => purging.epochOf(key, undefined)
  const sharing = shared && createSharing({ shared, blobs, staging, update, epochOf, reclaim })
  const reservations = new WeakMap<StagedBody, Reservation>()

  const newest = async (key: string, stored: ReturnType<RecordStore['get']>): Promise<StoredRecord | undefined> => {
    const before = hot.known(key)
    const ours = await stored
    const record = sharing ? await sharing.newest(key, ours) : ours
    if (record) return hot.remember(record)
    // What was written here meanwhile is newer than what was found; what was in memory before, another one has removed.
    if (options.isShared && before?.variants.length && hot.known(key) === before) hot.forget(key)
    return hot.known(key)
  }

  const collect = async (ended: AbortSignal) => {
    const purges = await purging.prune(Date.now() - purgeLife, hot.forget)
    ended.throwIfAborted()
    const unused = await retention.tidy()
    return { purges, unused, blobs: await sweep(ended) }
  }

  underWay.track(purging.resume()).catch((error) => {
    if (!signal.aborted) log.error({ err: error }, 'cannot carry out a purge that a crash cut short')
  })

  hearOthers({
    ...{ bulletin, records, hot, purging, underWay, log, signal },
    isShared: options.isShared === true,
    pins: retention.pins,
  })

  const lookup = (key: string): StoredRecord | undefined | Promise<StoredRecord | undefined> => {
    const known = hot.trusted(key)
    if (known) return known
    const pending = lookups.get(key)
    if (pending) return pending
    const stored = records.get(key)
    if (!sharing && !(stored instanceof Promise)) return stored && hot.remember(stored)
    const lookup = newest(key, stored).finally(() => lookups.delete(key))
    lookups.set(key, lookup)
    return lookup
  }

  const lookUpAnew = (key: string) => {
    hot.mistrust(key)
    return lookup(key)
  }

  return {
    lookup,
    lookUpAnew,
    epochOf: purging.epochOf,

    stage(key, length, promised) {
      const place = retention.reserve(key)
      // One of unknown length may turn out to be endless: nothing is evicted for it before it is whole.
      const room = (bytes: number | undefined) => (length === undefined ? place.fits(bytes ?? 0) : place.admits(length))
      const body = staging.create(length, { promised, room, released: place.release })
      reservations.set(body, place)
      return body
    },

    async publish({ key, remote, epoch, head, digest, body, onlyIf = isNoUpload }) {
      const { inline, received: size } = body
      const place = reservations.get(body)
      if (!(await place?.secure(size))) return 'no-room'
      if (!inline) await blobs.put(digest, body.file)
      try {
        const response: StoredResponse = { ...head, body: { digest, size, ...(inline && { inline }) } }
        let unstored: 'purged' | 'kept' = 'purged'
        const record = await update(key, (current) => {
          const isPurged = purging.epochOf(key, current) !== epoch
          unstored = isPurged ? 'purged' : 'kept'
          if (isPurged || !onlyIf(current)) return undefined
          const siblings = current?.remote === remote ? current.variants : []
          return { key, remote, epoch, version: Date.now(), variants: withVariant(siblings, response) }
        })
        // Counted with what is stored from now on.
        place?.release()
        if (record) sharing?.share(record)
        return record ? 'stored' : unstored
      } finally {
        if (!inline) {
          blobs.release(digest)
          await reclaim([digest])
        }
      }
    },

    async freshen(key, previous, next) {
      const record = await update(key, (current) => {
        // One that was purged softly since was not asked about then.
        const isIt = (variant: StoredResponse) =>
          sameVariant(variant, previous) && variant.invalidated === previous.invalidated
        if (!current?.variants.some(isIt)) return undefined
        const variants = current.variants.map((variant) => (isIt(variant) ? next : variant))
        return { ...current, version: Date.now(), variants }
      })
      if (record) sharing?.share(record)
    },

    takeIn: () =>
      openIntake({
        ...{ blobs, staging, lookup, purging, retention, reclaim },
        update: (key, change) => underWay.track(update(key, change)),
        share: (record) => sharing?.share(record),
      }),

    drop,
    open: (key, stored) => openSound(blobs, drop, key, stored),
    verify: (options) => verify({ records, blobs: verified, drop, mend, tell: onDamaged }, options),
    list: (prefix, after) => originals(records.list(prefix, after)),
    totals: records.totals,
    repositories: records.repositories,
    use: retention.lastUses.note,
    lastUse: retention.lastUses.of,
    isPinned: retention.pins.has,
    pins: retention.pins.list,
    async pin(selection) {
      await retention.pins.add(selection)
      await bulletin.announce({ kind: 'pin', selection })
    },
    async unpin(selection) {
      const removed = await retention.pins.remove(selection)
      await bulletin.announce({ kind: 'unpin', selection })
      return removed
    },
    async purge(selection, how) {
      const purged = await underWay.track(purging.purge(selection, how))
      await bulletin.announce({ kind: 'purge', selection, soft: how.soft })
      return purged
    },
    onPurge: purging.onPurge,
    gc: (ended) => underWay.track(collect(ended ? AbortSignal.any([signal, ended]) : signal)),
    measure: () => measure(options),

    async close() {
      staging.close()
      ending.abort(new LarderError('SHUTTING_DOWN', 'the store is closing'))
      await underWay.idle()
      await retention.close()
      await shared?.close()
      await records.close()
    },
  }
}

const isNoUpload = (current: StoredRecord | undefined) => uploadedIn(current) === undefined

async function* originals(found: AsyncIterable<StoredRecord>): AsyncGenerator<StoredRecord> {
  for await (const record of found) if (!isDerived(record.key)) yield record
}
