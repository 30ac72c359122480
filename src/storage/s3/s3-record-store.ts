import { storagePrefixOf } from '../../caching/cache-key.js'
import type { Digest, StoredRecord } from '../../caching/record.js'
import { encodeRecord } from '../../caching/record-encoding.js'
import { isLarderError } from '../../errors.js'
import type { PutResult, RecordStore } from '../record-store.js'
import type { Bucket, Tag } from './bucket.js'
import { createFollowing } from './following.js'
import { inLanes } from './lanes.js'
import type { Layout } from './layout.js'
import { createMirror, saysSomething, seenOf } from './mirror.js'
import type { SharedOrders } from './shared-orders.js'
import type { SharedUses } from './shared-uses.js'
import type { Tags } from './tags.js'

export interface S3RecordStoreOptions {
  readonly bucket: Bucket
  readonly layout: Layout
  /** A store of our own, which nothing else writes to: what the port wants at once is read off it. */
  readonly index: RecordStore
  readonly tags: Tags
  readonly orders: SharedOrders
  readonly uses: SharedUses
  /** Milliseconds between two passes over the whole bucket; the first begins at once. */
  readonly followEvery: number
}

export interface S3RecordStore extends RecordStore {
  /** Passes over the whole bucket; rejects where that fails. */
  catchUp(): Promise<void>
  /** Tells the other replicas of what was used, and hears of that and of their orders; rejects where that fails. */
  look(): Promise<void>
}

/** ms that a tombstone without an epoch stays; by then nobody writes on the strength of what was there before. */
const emptyFor = 7 * 24 * 3600 * 1000

/** Objects removed at a time. */
const lanes = 8

/**
 * Records as objects, which are the truth: `get` and `put` ask the bucket, and `list` lists it. Totals, references and the order
 * of use are the index's, which follows: at once where this replica reads or writes, else with the next pass. It can be
 * lost at any time. While the bucket does not answer, `get` has what the index has.
 */
export function openS3RecordStore(options: S3RecordStoreOptions): S3RecordStore {
  const { bucket, layout, index, tags, orders, uses } = options
  const mirror = createMirror({ ...{ bucket, layout, index, tags }, emptyFor })
  /** Objects that another version may have written, of which nothing can be told. */
  let foreign = 0
  const following = createFollowing(async function* () {
    let found = 0
    for await (const page of mirror.walk(layout.records)) {
      found += page.filter(({ key }) => key === undefined).length
      yield page
    }
    foreign = found
  }, options.followEvery)

  const get = async (key: string): Promise<StoredRecord | undefined> => {
    const name = layout.record(key)
    try {
      return await mirror.inTurn(name, () => mirror.read(name, key))
    } catch (error) {
      // What is not in the index is not known to be absent.
      const known = isLarderError(error) ? await index.get(key) : undefined
      if (known) return known
      throw error
    }
  }

  const put = async (record: StoredRecord, ifVersion: number): Promise<PutResult> => {
    // What is about to be stored may have been purged by now: whoever stores it looks again.
    if (record.variants.length > 0 && (await orders.isNews())) return { done: false }
    const name = layout.record(record.key)
    return mirror.inTurn(name, async () => {
      const next = { ...record, version: Math.max(ifVersion + 1, record.version) }
      let current = await index.get(record.key)
      // What is known may be out of date, and then so is its tag: the second try knows. Where nothing can be noted of it, no
      // try ever would.
      for (const isLast of [false, true]) {
        if ((current?.version ?? 0) === ifVersion) {
          const written = await write(name, next, ifVersion)
          if (written) return written
        }
        if (!isLast) current = await mirror.refresh(name, record.key)
      }
      return { done: false }
    })
  }

  /** `undefined` where the object is not what it was when it was last seen, or the index does not have that. */
  const write = async (name: string, record: StoredRecord, ifVersion: number): Promise<PutResult | undefined> => {
    const seen = tags.get(name)
    if (seen && !(await mirror.isIntact(seen))) return undefined
    // Others may remember what was there before the tombstone.
    const version = Math.max(record.version, (seen?.empty ?? 0) + 1)
    const next = { ...record, version }
    // Of nothing at all nothing need be said.
    if (!seen && ifVersion === 0 && !saysSomething(next)) return { done: true, version, unreferenced: [] }
    const tag = await swap(name, encodeRecord(next), seen?.tag)
    if (tag === undefined) return undefined
    return { done: true, version, unreferenced: await learn(name, next, ifVersion, tag) }
  }

  /** The tag it was written under; `undefined` where someone else wrote. */
  const swap = async (name: string, bytes: Uint8Array, before: Tag | undefined): Promise<Tag | undefined> => {
    const tag = await bucket.put(name, bytes, { tag: before })
    if (tag !== undefined) return tag
    // A try whose answer was lost may have been ours.
    const there = await bucket.get(name)
    return typeof there === 'object' && there.bytes.equals(bytes) ? there.tag : undefined
  }

  /**
   * The index learns of what the bucket has; resolves with the blobs nobody refers to now. One that can't be written changes
   * nothing of that: without a tag, the next look makes it follow.
   */
  const learn = async (name: string, record: StoredRecord, ifVersion: number, tag: Tag): Promise<readonly Digest[]> => {
    try {
      const result = await index.put(record, ifVersion)
      await (result.done ? tags.put(name, seenOf(record, tag)) : tags.remove(name))
      return result.done ? result.unreferenced : []
    } catch {
      await tags.remove(name).catch(() => {})
      return []
    }
  }

  /** Tombstones among them. */
  async function* under(prefix: string, after?: string): AsyncGenerator<StoredRecord> {
    const from = after === undefined ? undefined : layout.record(after)
    for await (const page of mirror.walk(layout.recordsUnder(storagePrefixOf(prefix)), from)) {
      for (const { key } of page) {
        const record = key?.startsWith(prefix) ? await index.get(key) : undefined
        if (record) yield record
      }
    }
  }

  return {
    get,
    put,
    // As long as others may have said something that was not heard or not understood here, everything is needed (D7).
    references: (digest) => foreign > 0 || !following.isUpToDate() || index.references(digest),
    async *list(prefix, after) {
      for await (const record of under(prefix, after)) if (record.variants.length > 0) yield record
    },
    async *epochs(prefix) {
      for await (const { epoch } of under(prefix)) yield epoch
    },
    async *undecodable() {
      await following.pass()
      for (const { name, seen } of tags.range(layout.records, undefined)) {
        if (seen.key === undefined) yield layout.storageKeyOf(name)
      }
    },
    totals: index.totals,
    uploadedBytes: index.uploadedBytes,
    repositories: index.repositories,
    async use(used) {
      uses.note(used)
      await index.use(used)
    },
    lastUse: index.lastUse,
    leastUsed: index.leastUsed,
    async prune(epoch, limit) {
      const keys = await index.prune(epoch, limit)
      await inLanes(keys, lanes, (key) => {
        const name = layout.record(key)
        return mirror.inTurn(name, () => mirror.remove(name))
      })
      return keys
    },
    orders: index.orders,
    onOrder: orders.onOrder,
    saveOrder: orders.save,
    dropOrder: orders.drop,
    catchUp: following.pass,
    async look() {
      await orders.look()
      await uses.look()
    },
    async close() {
      await Promise.all([following.close(), orders.close(), uses.close()])
      await Promise.all([index.close(), tags.close()])
    },
  }
}
