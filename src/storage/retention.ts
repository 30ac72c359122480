import { repositoryOf } from '../caching/cache-key.js'
import { type RetentionPolicy, uploaded } from '../caching/repository.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { Update } from './changes.js'
import { type Candidate, createEviction, type Scope } from './eviction.js'
import { createLastUses, type LastUses } from './last-uses.js'
import { openPins, type Pins } from './pins.js'
import type { RecordStore } from './record-store.js'
import type { UnderWay } from './under-way.js'

export interface RetentionOptions {
  readonly records: RecordStore
  readonly update: Update
  /** Bytes of the whole store; `Infinity` for no limit. */
  readonly maxSize: number
  /** `undefined` for a repository that is not configured any more: only the whole store's cap counts for it. */
  readonly policyOf: (repository: string) => RetentionPolicy | undefined
  readonly metrics: Metrics
  readonly log: Logger
  readonly underWay: UnderWay
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
}

/** How much is kept, and what goes first (K6). */
export interface Retention {
  readonly lastUses: LastUses
  readonly pins: Pins
  /** Room for a body that comes in, none of it yet. */
  reserve(key: string): Reservation
  /** Evicts what is over a cap, and what was not used for too long; returns how many of the latter. */
  tidy(): Promise<number>
  close(): Promise<void>
}

export interface Reservation {
  /** Whether so many bytes could be kept, were all else evicted that may be. */
  fits(bytes: number): boolean
  /** As `fits`; if so they are reserved, and room is made for them. */
  admits(bytes: number): boolean
  /** Makes room for a whole body; false where there is none. */
  secure(bytes: number): Promise<boolean>
  release(): void
}

/** ms */
const tidyEvery = 60_000

export function createRetention(options: RetentionOptions): Retention {
  const { records, update, maxSize, policyOf, metrics, log, underWay, signal } = options
  const lastUses = createLastUses(records, log)
  const pins = openPins(records)
  const reserved = new Set<{ readonly repository: string; bytes: number }>()
  const capOf = (scope: Scope) =>
    scope === undefined ? maxSize : (policyOf(scope)?.maxSize ?? Number.POSITIVE_INFINITY)

  const evict = async ({ key, lastUse }: Candidate): Promise<number | undefined> => {
    let bytes: number | undefined
    const evicted = await update(key, (current) => {
      bytes = current?.variants.reduce((sum, { body }) => sum + body.size, 0)
      if (!current || current.variants.length === 0 || pins.has(key)) return undefined
      // In its place since it was chosen.
      if (current.remote === uploaded) return undefined
      if (lastUse !== undefined && lastUses.of(key) !== lastUse) return undefined
      return { ...current, version: Math.max(current.version + 1, Date.now()), variants: [] }
    })
    return evicted && bytes
  }

  const eviction = createEviction({
    ...{ records, lastUses, capOf, evict, metrics, log, signal },
    isPinned: pins.has,
    unusedFor: (repository) => policyOf(repository)?.unusedFor ?? Number.POSITIVE_INFINITY,
    reserved(scope) {
      let bytes = 0
      for (const { repository, bytes: more } of reserved) if (scope === undefined || scope === repository) bytes += more
      return bytes
    },
  })

  const told = (error: unknown) => {
    if (!signal.aborted) log.error({ err: error }, 'cannot evict')
  }

  const tidy = async () => {
    eviction.reconsider()
    const dropped = await eviction.dropUnused(Date.now())
    await eviction.makeRoom()
    return dropped
  }
  const timer = setInterval(() => void underWay.track(tidy()).catch(told), tidyEvery).unref()

  return {
    lastUses,
    pins: {
      ...pins,
      async remove(selection) {
        const removed = await pins.remove(selection)
        eviction.reconsider()
        return removed
      },
    },

    reserve(key) {
      const repository = repositoryOf(key)
      const place = { repository, bytes: 0 }
      reserved.add(place)
      const fits = (bytes: number) => eviction.hasRoom(repository, bytes - place.bytes)
      return {
        fits,
        admits(bytes) {
          if (!fits(bytes)) return false
          place.bytes = bytes
          underWay.track(eviction.makeRoom()).catch(told)
          return true
        },
        async secure(bytes) {
          if (!fits(bytes)) return false
          place.bytes = bytes
          await eviction.makeRoom()
          return [repository, undefined].every((scope) => records.totals(scope).bytes + bytes <= capOf(scope))
        },
        release: () => void reserved.delete(place),
      }
    },

    tidy,

    async close() {
      clearInterval(timer)
      await lastUses.close()
    },
  }
}
