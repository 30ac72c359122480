import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb'
import { storageKey, storagePrefixOf } from '../../caching/cache-key.js'
import type { StoredRecord } from '../../caching/record.js'
import { decodeRecord, encodeRecord } from '../../caching/record-encoding.js'
import { selectionHash } from '../../caching/selection.js'
import { LarderError } from '../../errors.js'
import type { PutResult, RecordStore, StandingOrder } from '../record-store.js'
import type { WriteGate } from '../write-gate.js'
import { openLmdbIndex } from './lmdb-index.js'
import { toldOnce } from './lmdb-totals.js'

/*
 * One lmdb environment:
 *   records      storageKey(cache key) -> encoded record; one without variants is a tombstone
 *   orders       '<kind>/<sha256 of the selection>' -> standing order, msgpack
 *   and what lmdb-index.ts works out from the records: a record changes with all of that in one transaction (D7).
 */

/** Uses noted in one transaction, which holds up everything else meanwhile. */
const usesAtOnce = 256

/** Rows read before everything else has its turn. */
const rowsAtOnce = 128

/** Records read at a time, each with up to a few inline bodies. */
const pageSize = 32

/**
 * A commit is on the disk when it resolves (`overlappingSync: false`), for what lmdb would flush behind it is never told when
 * that fails. And it fails nobody's promise but ours (`eventTurnBatching: false`), or the process would end of it.
 */
const options = { maxDbs: 8, cache: false, overlappingSync: false, eventTurnBatching: false } as const

/** Throws `DATA_DIRECTORY_UNUSABLE`: what an environment of an earlier version lacks finds no room on a full disk. */
function opened(directory: string) {
  try {
    const root: RootDatabase = open({ path: directory, ...options })
    const records = root.openDB<Buffer, string>({ name: 'records', encoding: 'binary' })
    const orders = root.openDB<StandingOrder, string>({ name: 'orders' })
    const index = openLmdbIndex(root)
    index.complete(inPages(records, {}))
    return { root, records, orders, index }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new LarderError('DATA_DIRECTORY_UNUSABLE', `cannot open the records in ${directory}: ${why}`, {
      cause: error,
    })
  }
}

/** Tells `disk` of every fault. */
export function openLmdbRecordStore(directory: string, disk?: Pick<WriteGate, 'failed'>): RecordStore {
  const { root, records, orders, index } = opened(directory)

  const read = (id: string): StoredRecord | undefined => {
    const bytes = records.get(id)
    return bytes && decodeRecord(bytes)
  }

  /** Resolves when what `change` did is on the disk. */
  const durably = async <T>(change: () => T): Promise<T> => {
    try {
      return await root.transaction(change)
    } catch (error) {
      const cause = (await reasonOf(error)) ?? error
      disk?.failed(cause)
      throw new LarderError('STORE_FAULT', 'cannot write a record', { cause })
    }
  }

  const get = (key: string): StoredRecord | undefined => {
    try {
      const record = read(storageKey(key))
      return record?.key === key ? record : undefined
    } catch (error) {
      disk?.failed(error)
      throw new LarderError('STORE_FAULT', 'cannot read a record', { cause: error })
    }
  }

  const put = (record: StoredRecord, ifVersion: number): Promise<PutResult> => {
    const id = storageKey(record.key)
    return durably(() => {
      const previous = read(id)
      if ((previous?.version ?? 0) !== ifVersion) return { done: false }
      const version = Math.max(ifVersion + 1, record.version)
      const says = record.variants.length > 0 || record.epoch > 0
      toldOnce(says ? records.put(id, Buffer.from(encodeRecord({ ...record, version }))) : records.remove(id))
      return { done: true, version, unreferenced: index.account(id, previous, record) }
    })
  }

  /** Tombstones among them. */
  async function* under(prefix: string, after?: string): AsyncGenerator<StoredRecord> {
    const start = storagePrefixOf(prefix)
    const from = after === undefined ? { start } : { start: storageKey(after), exclusiveStart: true }
    for await (const { record } of inTurns(inPages(records, { ...from, end: `${start}\uffff` }))) {
      if (record?.key.startsWith(prefix)) yield record
    }
  }

  const prune = (epoch: number, limit: number): Promise<readonly string[]> =>
    durably(() => {
      const pruned = index.tombstones(epoch, limit)
      for (const tombstone of pruned) {
        const id = storageKey(tombstone.key)
        toldOnce(records.remove(id))
        index.account(id, { ...nothing, ...tombstone }, { ...nothing, key: tombstone.key })
      }
      return pruned.map(({ key }) => key)
    })

  return {
    get,
    put,
    references: index.references,
    async *list(prefix, after) {
      for await (const record of under(prefix, after)) if (record.variants.length > 0) yield record
    },
    async *epochs(prefix) {
      for await (const { epoch } of under(prefix)) yield epoch
    },
    async *undecodable() {
      for await (const { id, record } of inTurns(inPages(records, {}))) if (!record) yield id
    },
    totals: index.totals,
    uploadedBytes: index.uploadedBytes,
    repositories: index.repositories,
    async use(uses) {
      const all = [...uses]
      for (let at = 0; at < all.length; at += usesAtOnce) {
        await durably(() => {
          for (const [key, time] of all.slice(at, at + usesAtOnce)) index.use(key, time)
        })
      }
    },
    lastUse: index.lastUse,
    leastUsed: index.leastUsed,
    prune,
    orders: () => [...orders.getRange()].map(({ value }) => value),
    // Nobody else writes here.
    onOrder() {},
    async look() {},
    saveOrder: (order) => durably(() => toldOnce(orders.put(orderId(order), order))),
    dropOrder: (order) => durably(() => toldOnce(orders.remove(orderId(order)))),
    close: () => root.close(),
  }
}

/** A cursor left open would pass over what follows a record that is removed under it. */
function* inPages(records: Database<Buffer, string>, range: RangeOptions) {
  let from = range
  for (;;) {
    const rows = records.getRange({ ...from, limit: pageSize })
    const page = [...rows.map(({ key: id, value }) => ({ id, record: decodeRecord(value) }))]
    yield* page
    const last = page.at(-1)
    if (!last || page.length < pageSize) return
    from = { ...range, start: last.id, exclusiveStart: true }
  }
}

/** A long run of rows keeps nobody waiting, of those that are passed over either. */
async function* inTurns<T>(rows: Iterable<T>): AsyncGenerator<T> {
  let passed = 0
  for (const row of rows) {
    yield row
    passed += 1
    if (passed % rowsAtOnce === 0) await nextTurn()
  }
}

const orderId = ({ kind, selection }: StandingOrder) => `${kind}/${selectionHash(selection)}`

/** Of a key that has neither record nor tombstone. */
const nothing: Omit<StoredRecord, 'key'> = { version: 0, epoch: 0, remote: '', variants: [] }

/** Why a commit failed. lmdb keeps that in a promise beside the error, which as a rule is settled by now, and may never be. */
async function reasonOf(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<never> }).commitError?.catch((cause: unknown) => cause)
  return Promise.race([reason, nextTurn()])
}
