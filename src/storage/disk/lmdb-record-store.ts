import { type Database, open, type RootDatabase } from 'lmdb'
import { storageKey, storagePrefix } from '../../caching/cache-key.js'
import type { Digest, StoredRecord } from '../../caching/record.js'
import { decodeRecord, encodeRecord } from '../../caching/record-encoding.js'
import { LarderError } from '../../errors.js'
import type { PutResult, RecordStore, StoreTotals } from '../record-store.js'

/*
 * One lmdb environment with three databases:
 *   records      storageKey(cache key) -> encoded record; one without variants is a tombstone
 *   references   digest -> the storage keys of the records that refer to the blob (several values a key)
 *   totals       'records' | 'bytes' -> number
 * A record, its references and the totals change in one transaction (D7).
 */

export function openLmdbRecordStore(directory: string): RecordStore {
  const root: RootDatabase = open({ path: directory, maxDbs: 3, cache: false })
  const records = root.openDB<Buffer, string>({ name: 'records', encoding: 'binary' })
  const references = root.openDB<string, string>({ name: 'references', encoding: 'ordered-binary', dupSort: true })
  const totals = root.openDB<number, string>({ name: 'totals' })

  const read = (id: string): StoredRecord | undefined => {
    const bytes = records.get(id)
    return bytes && decodeRecord(bytes)
  }

  const put = async (record: StoredRecord, ifVersion: number): Promise<PutResult> => {
    const id = storageKey(record.key)
    const transaction = root.transaction((): PutResult => {
      const previous = read(id)
      if ((previous?.version ?? 0) !== ifVersion) return { done: false }
      const version = Math.max(ifVersion + 1, record.version)
      toldOnce(records.put(id, Buffer.from(encodeRecord({ ...record, version }))))
      const unreferenced = account(id, previous, record)
      return { done: true, version, unreferenced }
    })
    return committed(
      transaction.then(async (result) => {
        await root.flushed
        return result
      }),
    )
  }

  /** Moves references and totals from the previous record of a key to the next; returns the blobs nobody refers to now. */
  const account = (id: string, previous: StoredRecord | undefined, next: StoredRecord): Digest[] => {
    const before = bodies(previous)
    const after = bodies(next)
    const unreferenced: Digest[] = []
    let bytes = 0
    for (const [digest, body] of after) {
      if (before.has(digest)) continue
      if (body.inline || !references.doesExist(digest)) bytes += body.size
      if (!body.inline) toldOnce(references.put(digest, id))
    }
    for (const [digest, body] of before) {
      if (after.has(digest)) continue
      if (!body.inline) toldOnce(references.remove(digest, id))
      if (body.inline || !references.doesExist(digest)) bytes -= body.size
      if (!body.inline && !references.doesExist(digest)) unreferenced.push(digest)
    }
    add(totals, 'bytes', bytes)
    add(totals, 'records', Number(after.size > 0) - Number(before.size > 0))
    return unreferenced
  }

  return {
    get(key) {
      const record = read(storageKey(key))
      return record?.key === key ? record : undefined
    },
    put,
    references: (digest) => references.doesExist(digest),
    async *list(prefix) {
      const start = storagePrefixOf(prefix)
      for (const { value } of records.getRange({ start, end: `${start}\uffff`, snapshot: false })) {
        const record = decodeRecord(value)
        if (record && record.variants.length > 0 && record.key.startsWith(prefix)) yield record
      }
    },
    totals: (): StoreTotals => ({ records: totals.get('records') ?? 0, bytes: totals.get('bytes') ?? 0 }),
    close: () => root.close(),
  }
}

/** What the storage keys of the records whose cache key starts with `prefix` start with. */
function storagePrefixOf(prefix: string): string {
  const slash = prefix.indexOf('/')
  // Without a slash it may end within a repository's name.
  return slash === -1 ? `v1/${prefix}` : storagePrefix(prefix.slice(0, slash), prefix.slice(slash + 1))
}

const bodies = (record: StoredRecord | undefined) => new Map(record?.variants.map(({ body }) => [body.digest, body]))

function add(totals: Database<number, string>, name: string, amount: number): void {
  if (amount !== 0) toldOnce(totals.put(name, (totals.get(name) ?? 0) + amount))
}

/** A write within a transaction: its failure is told by the transaction, and must not be told again by nobody's promise. */
function toldOnce(write: Promise<unknown>): void {
  write.catch(() => {})
}

/** Resolves as `work` does; a failed commit (a full disk) is a `STORE_FAULT`. lmdb keeps the reason in a promise of its own. */
async function committed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const reason = (error as { commitError?: Promise<never> }).commitError?.catch((cause: unknown) => cause)
    throw new LarderError('STORE_FAULT', 'cannot write a record', { cause: (await reason) ?? error })
  }
}
