import { repositoryOf } from '../caching/cache-key.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { LastUses } from './last-uses.js'
import { oldestFirst } from './oldest-first.js'
import type { RecordStore, Use } from './record-store.js'
import { unhurried } from './unhurried.js'

/** A repository by its name, or the whole store. */
export type Scope = string | undefined

export interface EvictionOptions {
  readonly records: RecordStore
  readonly lastUses: LastUses
  /** Bytes a scope may hold; `Infinity` where nothing limits it. */
  readonly capOf: (scope: Scope) => number
  /** Bytes of bodies that are coming in. */
  readonly reserved: (scope: Scope) => number
  /** Seconds. */
  readonly unusedFor: (repository: string) => number
  readonly isPinned: (key: string) => boolean
  /** Removes a record; returns the bytes of its bodies. */
  readonly evict: (candidate: Candidate) => Promise<number | undefined>
  readonly metrics: Metrics
  readonly log: Logger
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
}

/** What is to go; unless it was used after `lastUse` (ms), where that is given. */
export type Candidate = Pick<Use, 'key'> & Partial<Use>

export interface Eviction {
  /** Whether a body of that many bytes could be kept, were all else evicted that may be. */
  hasRoom(repository: string, bytes: number): boolean
  /** Evicts until every scope is under its cap, least recently used first, or nothing is left that may go. */
  makeRoom(): Promise<void>
  /** Evicts what was not used for as long as its repository wants it to be; `now` in ms. Returns how many. */
  dropUnused(now: number): Promise<number>
  /** What could not go before may go now: a pin was taken back, a cap raised. */
  reconsider(): void
}

/** The part of its cap a scope over it is brought down to: evictions come in bulk, not one with each fill. */
const lowWater = 0.95

/** Records evicted in one go: one commit for all, and nobody waits for long meanwhile. */
const evictedAtOnce = 64

export function createEviction(options: EvictionOptions): Eviction {
  const { records, lastUses, capOf, reserved, isPinned, metrics, log, signal } = options
  /** Bytes under pins, by scope, as of when last no room could be made. */
  const pinned = new Map<Scope, number>()
  let underWay: Promise<void> | undefined

  const taken = (scope: Scope) => records.totals(scope).bytes + reserved(scope)
  const isOver = (scope: Scope) => taken(scope) > capOf(scope)

  const evictAll = async (uses: readonly Candidate[], reason: 'size' | 'unused'): Promise<number> => {
    const sizes = await Promise.all(uses.map(options.evict))
    let evicted = 0
    for (const [i, bytes] of sizes.entries()) {
      if (bytes === undefined) continue
      evicted += 1
      const repository = repositoryOf((uses[i] as Candidate).key)
      metrics.evictions.inc({ repository, reason })
      metrics.evictedBytes.inc({ repository }, bytes)
    }
    return evicted
  }

  const sizeOf = async ({ key }: Use): Promise<number> =>
    (await records.get(key))?.variants.reduce((sum, { body }) => sum + body.size, 0) ?? 0

  const oldestIn = (scope: Scope) =>
    unhurried(oldestFirst(records, scope === undefined ? records.repositories() : [scope]), signal)

  const pinnedIn = async (scope: Scope): Promise<number> => {
    let bytes = 0
    for await (const use of oldestIn(scope)) if (isPinned(use.key)) bytes += await sizeOf(use)
    return bytes
  }

  /** Brings the scope down to `goal`, if it can be, least recently used first; returns how many records that took. */
  const evictDownTo = async (goal: number, scope: Scope, candidateOf: (use: Use) => Candidate): Promise<number> => {
    let evicted = 0
    let batch: Candidate[] = []
    let planned = 0
    for await (const use of oldestIn(scope)) {
      if (isPinned(use.key)) continue
      batch.push(candidateOf(use))
      planned += await sizeOf(use)
      if (batch.length < evictedAtOnce && taken(scope) - planned > goal) continue
      evicted += await evictAll(batch, 'size')
      batch = []
      planned = 0
      if (taken(scope) <= goal) return evicted
    }
    return evicted + (await evictAll(batch, 'size'))
  }

  /** Brings the scope down to its low-water mark; returns how many records that took. */
  const shrink = async (scope: Scope, cap: number): Promise<number> => {
    const evicted = await evictDownTo(cap * lowWater, scope, (use) => use)
    if (!isOver(scope)) return evicted
    // Where all of it is in use all the time, some has to go nevertheless.
    await lastUses.flush()
    const more = await evictDownTo(cap, scope, ({ key }) => ({ key }))
    if (isOver(scope)) pinned.set(scope, await pinnedIn(scope))
    return evicted + more
  }

  const pass = async () => {
    // The whole store last: what its repositories give up counts for it.
    const scopes: Scope[] = [...records.repositories(), undefined]
    if (!scopes.some(isOver)) return
    await lastUses.flush()
    for (const scope of scopes) {
      if (!isOver(scope)) continue
      const cap = capOf(scope)
      const evicted = await shrink(scope, cap)
      log.info(
        { repository: scope, evicted, ...records.totals(scope), cap },
        'over its cap: evicted what was used least recently',
      )
    }
  }

  return {
    hasRoom(repository, bytes) {
      const fits = (scope: Scope) => {
        const fixed = records.uploadedBytes(scope) + (pinned.get(scope) ?? 0)
        return Math.min(fixed, records.totals(scope).bytes) + reserved(scope) + bytes <= capOf(scope)
      }
      return fits(repository) && fits(undefined)
    },

    async makeRoom() {
      // One that is under way may have passed by what is over now.
      await underWay
      underWay ??= pass().finally(() => {
        underWay = undefined
      })
      await underWay
    },

    async dropUnused(now) {
      await lastUses.flush()
      let evicted = 0
      for (const repository of records.repositories()) {
        const before = now - options.unusedFor(repository) * 1000
        let batch: Use[] = []
        for await (const use of unhurried(oldestFirst(records, [repository]), signal)) {
          if (use.lastUse >= before) break
          if (!isPinned(use.key)) batch.push(use)
          if (batch.length < evictedAtOnce) continue
          evicted += await evictAll(batch, 'unused')
          batch = []
        }
        evicted += await evictAll(batch, 'unused')
      }
      return evicted
    },

    reconsider: () => pinned.clear(),
  }
}
