import { cacheKey, derivedKey, isDerived } from '../caching/cache-key.js'
import type { StoredRecord } from '../caching/record.js'
import { type Selection, selectionPrefix, selects } from '../caching/selection.js'
import type { Metrics } from '../metrics.js'
import type { Update } from './changes.js'
import { openPurges, type Purge } from './purges.js'
import type { RecordStore } from './record-store.js'
import { inBatches, unhurried } from './unhurried.js'

export interface PurgeOptions {
  /** Of a single path: asked about what is there in the moment of its removal. */
  readonly onlyIf?: (current: StoredRecord | undefined) => boolean
  /** What is stored stays, and is validated before its next use. */
  readonly soft: boolean
}

/** What was found and dealt with. */
export interface Purged {
  /** Artifacts. */
  readonly records: number
  /** Bytes of their bodies, and of what was made of them. */
  readonly bytes: number
}

export interface PurgingOptions {
  readonly records: RecordStore
  readonly update: Update
  /** Past what is remembered: what others have told of the key, too. */
  readonly lookUpAnew: (key: string) => StoredRecord | undefined | Promise<StoredRecord | undefined>
  /** Shows a record to replicas; resolves when that was tried. */
  readonly share: (record: StoredRecord) => Promise<void>
  readonly metrics: Metrics
  /** Ends whatever is under way; what is left of a purge is carried out after the next start. */
  readonly signal: AbortSignal
}

export interface Purging {
  /** Resolves when it is durable and carried out. Throws `PATH_INVALID` for a glob that isn't one. */
  purge(selection: Selection, options: PurgeOptions): Promise<Purged>
  /** Hears of each purge, with what it means, once nothing that begins from then on falls under it. */
  onPurge(listener: (means: (key: string) => boolean) => void): void
  /** Another replica purged it in a store that is ours, too: whoever listens hears of it. */
  heard(selection: Selection): void
  /** The version of the last purge that means the key, 0 if none does: its record's, or one of many keys. */
  epochOf(key: string, record: StoredRecord | undefined): number
  /** One later than that of any purge so far: what is of it, or before, is fenced by purges from now on. */
  nextEpoch(): number
  /** Carries out what a crash cut short. */
  resume(): Promise<void>
  /** Forgets purges of epochs before `epoch`, tombstones included; returns how many. `forget` hears of each key. */
  prune(epoch: number, forget: (key: string) => void): Promise<number>
}

/** Records purged in one go: one commit for all, and nobody waits for long meanwhile. */
const purgedAtOnce = 64

/** Tombstones pruned in one go. */
const prunedAtOnce = 128

export function createPurging({ records, update, lookUpAnew, share, metrics, signal }: PurgingOptions): Purging {
  const listeners: ((means: (key: string) => boolean) => void)[] = []
  const tell = (means: (key: string) => boolean) => {
    for (const listener of listeners) listener(means)
  }
  const purges = openPurges(records, tell)

  /** Returns what was there, or `undefined` where nothing was, or nothing from before the purge. */
  const purgeOne = async (
    key: string,
    epoch: number,
    { soft, onlyIf = always }: PurgeOptions,
  ): Promise<StoredRecord | undefined> => {
    let before: StoredRecord | undefined
    const after = await update(key, (current) => {
      before = current
      if (!onlyIf(current) || (current && current.epoch >= epoch)) return undefined
      return purged(key, current, epoch, soft)
    })
    if (!after) return undefined
    purges.reached(after.epoch)
    await share(after)
    return before
  }

  const count = (found: readonly (StoredRecord | undefined)[]): Purged => {
    const stored = found.filter((record) => record !== undefined && record.variants.length > 0)
    const bodies = stored.flatMap((record) => record?.variants.map(({ body }) => body.size) ?? [])
    const artifacts = stored.filter((record) => record && !isDerived(record.key))
    return { records: artifacts.length, bytes: bodies.reduce((sum, size) => sum + size, 0) }
  }

  /** The keys that are meant, of all that is stored. */
  async function* keysOf(selection: Selection, means: (key: string) => boolean) {
    for await (const { key } of unhurried(records.list(selectionPrefix(selection)), signal)) if (means(key)) yield key
  }

  /** The keys of what was made of an artifact and stored. */
  const derivedOf = async (key: string): Promise<string[]> => {
    const keys: string[] = []
    for await (const record of records.list(derivedKey(key, ''))) keys.push(record.key)
    return keys
  }

  const carryOut = async ({ selection, epoch, soft }: Purge): Promise<Purged> => {
    const means = selects(selection)
    let total: Purged = { records: 0, bytes: 0 }
    for await (const batch of inBatches(keysOf(selection, means), purgedAtOnce, signal)) {
      const { records: more, bytes } = count(await Promise.all(batch.map((key) => purgeOne(key, epoch, { soft }))))
      metrics.purged.inc({ repository: selection.repository }, more)
      total = { records: total.records + more, bytes: total.bytes + bytes }
    }
    return total
  }

  const purgePath = async (selection: Selection, options: PurgeOptions): Promise<Purged> => {
    const key = cacheKey(selection.repository, `/${selection.pattern}`)
    purges.reached((await lookUpAnew(key))?.epoch ?? 0)
    const epoch = purges.nextEpoch()
    const purgeEach = (each: string) => purgeOne(each, epoch, each === key ? options : { soft: options.soft })
    const done = count(await Promise.all([key, ...(await derivedOf(key))].map(purgeEach)))
    metrics.purged.inc({ repository: selection.repository }, done.records)
    tell(selects(selection))
    return done
  }

  return {
    async purge(selection, options) {
      // Another one's clock may be ahead: what it purged, and has stored since, is of later epochs than ours would be.
      await records.look()
      if (selection.by === 'path') return purgePath(selection, options)
      for await (const epoch of unhurried(records.epochs(selectionPrefix(selection)), signal)) purges.reached(epoch)
      const purge = await purges.begin(selection, options.soft)
      tell(selects(selection))
      const done = await carryOut(purge)
      await purges.finish(purge)
      return done
    },
    heard: (selection) => tell(selects(selection)),
    onPurge: (listener) => void listeners.push(listener),
    epochOf: (key, record) => Math.max(record?.epoch ?? 0, purges.epochOf(key)),
    nextEpoch: purges.nextEpoch,
    async resume() {
      for (const purge of purges.unfinished()) {
        await carryOut(purge)
        await purges.finish(purge)
      }
    },
    async prune(epoch, forget) {
      let pruned = await purges.prune(epoch)
      for (;;) {
        const keys = await records.prune(epoch, prunedAtOnce)
        for (const key of keys) forget(key)
        pruned += keys.length
        if (keys.length < prunedAtOnce) return pruned
      }
    },
  }
}

const always = () => true

/** A key without a record gets its tombstone too: a fill of it may be under way. */
function purged(key: string, current: StoredRecord | undefined, epoch: number, soft: boolean): StoredRecord {
  const version = Math.max((current?.version ?? 0) + 1, epoch)
  const marked = soft ? current?.variants.map((variant) => ({ ...variant, invalidated: true as const })) : undefined
  return { key, remote: current?.remote ?? '', version, epoch: version, variants: marked ?? [] }
}
