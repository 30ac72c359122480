import type { RootDatabase } from 'lmdb'
import { repositoryOf, storageKey } from '../../caching/cache-key.js'
import type { Digest, StoredRecord } from '../../caching/record.js'
import { uploaded } from '../../caching/repository.js'
import type { StoreTotals, Use } from '../record-store.js'
import { add, below, clear, sum, toldOnce } from './lmdb-totals.js'

/*
 * What is worked out from the records, and changes in their transaction (D7):
 *   references   digest -> the storage keys of the records that refer to the blob (several values a key)
 *   shares       [digest, repository] -> how many of the repository's records refer to the blob
 *   totals       'records' | 'bytes' -> number; 'records/<repository>' | 'bytes/<repository>' -> number;
 *                'uploaded/' | 'uploaded/<repository>' -> bytes of uploads, whose shares are of '/' and '/<repository>'
 *   uses         storage key -> when it was last used, ms; at first when it was stored
 *   order        [repository, last use, hash of the key] -> cache key, but for uploads: they are never evicted
 *   tombstones   [epoch, hash of the key] -> cache key
 */
export interface LmdbIndex {
  /** Within a transaction: moves all of it from the previous record of a key to the next; returns the blobs nobody refers to now. */
  account(id: string, previous: StoredRecord | undefined, next: StoredRecord): Digest[]
  references(digest: Digest): boolean
  totals(repository?: string): StoreTotals
  uploadedBytes(repository?: string): number
  repositories(): string[]
  /** Within a transaction. */
  use(key: string, time: number): void
  lastUse(key: string): number | undefined
  leastUsed(repository: string, limit: number, after?: Use): Use[]
  /** The tombstones of epochs before `before`, the oldest first. */
  tombstones(before: number, limit: number): { readonly key: string; readonly epoch: number }[]
  /** Makes anew what a store of an earlier version doesn't have. */
  complete(records: Iterable<{ readonly id: string; readonly record: StoredRecord | undefined }>): void
}

export function openLmdbIndex(root: RootDatabase): LmdbIndex {
  const references = root.openDB<string, string>({ name: 'references', encoding: 'ordered-binary', dupSort: true })
  const shares = root.openDB<number, [Digest, string]>({ name: 'shares' })
  const totals = root.openDB<number, string>({ name: 'totals' })
  const uses = root.openDB<number, string>({ name: 'uses' })
  const order = root.openDB<string, (string | number)[]>({ name: 'order', encoding: 'string' })
  const tombstones = root.openDB<string, (string | number)[]>({ name: 'tombstones', encoding: 'string' })

  /** Counts the records of a repository that refer to a blob; true where the first came or the last went. */
  const share = (repository: string, digest: Digest, change: 1 | -1): boolean => {
    const before = shares.get([digest, repository]) ?? 0
    const after = before + change
    toldOnce(after > 0 ? shares.put([digest, repository], after) : shares.remove([digest, repository]))
    return before === 0 || after === 0
  }

  const accountBodies = (id: string, before: Bodies, after: Bodies, repository: string): Digest[] => {
    const unreferenced: Digest[] = []
    let bytes = 0
    let own = 0
    for (const [digest, { size, inline }] of after) {
      if (before.has(digest)) continue
      if (inline || !references.doesExist(digest)) bytes += size
      if (inline || share(repository, digest, 1)) own += size
      if (!inline) toldOnce(references.put(digest, id))
    }
    for (const [digest, { size, inline }] of before) {
      if (after.has(digest)) continue
      if (!inline) toldOnce(references.remove(digest, id))
      if (inline || !references.doesExist(digest)) bytes -= size
      if (inline || share(repository, digest, -1)) own -= size
      if (!inline && !references.doesExist(digest)) unreferenced.push(digest)
    }
    add(totals, 'bytes', bytes)
    add(totals, `bytes/${repository}`, own)
    return unreferenced
  }

  /** Of all uploads, and of their repository: each body once. */
  const accountUploads = (before: Bodies, after: Bodies, repository: string): void => {
    for (const scope of ['', repository]) {
      const amount = (bodies: Bodies, others: Bodies, change: 1 | -1) => {
        let bytes = 0
        for (const [digest, { size, inline }] of bodies) {
          if (!others.has(digest) && (inline || share(`/${scope}`, digest, change))) bytes += size
        }
        return bytes
      }
      add(totals, `uploaded/${scope}`, amount(after, before, 1) - amount(before, after, -1))
    }
  }

  const place = (id: string, key: string, time: number, isEvictable: boolean) => {
    toldOnce(uses.put(id, time))
    if (isEvictable) toldOnce(order.put([repositoryOf(key), time, hashOf(id)], key))
  }

  const displace = (id: string, key: string) => {
    const time = uses.get(id)
    if (time === undefined) return
    toldOnce(uses.remove(id))
    toldOnce(order.remove([repositoryOf(key), time, hashOf(id)]))
  }

  const account = (id: string, previous: StoredRecord | undefined, next: StoredRecord): Digest[] => {
    const { key } = next
    const repository = repositoryOf(key)
    const [before, after] = [bodies(previous), bodies(next)]
    const unreferenced = accountBodies(id, before, after, repository)
    const change = Number(after.size > 0) - Number(before.size > 0)
    add(totals, 'records', change)
    add(totals, `records/${repository}`, change)
    const wasUploaded = before.size > 0 && isUpload(previous)
    const isUploaded = after.size > 0 && isUpload(next)
    if (wasUploaded || isUploaded) accountUploads(wasUploaded ? before : none, isUploaded ? after : none, repository)
    const isMoved = before.size > 0 && after.size > 0 && wasUploaded !== isUploaded
    const used = isMoved ? uses.get(id) : undefined
    if (change < 0 || isMoved) displace(id, key)
    if (change > 0 || isMoved) place(id, key, used ?? storedAt(next), !isUploaded)
    if (previous && before.size === 0) toldOnce(tombstones.remove([previous.epoch, hashOf(id)]))
    if (after.size === 0 && next.epoch > 0) toldOnce(tombstones.put([next.epoch, hashOf(id)], key))
    return unreferenced
  }

  return {
    account,
    references: (digest) => references.doesExist(digest),
    totals: (repository) => {
      const of = repository === undefined ? '' : `/${repository}`
      return { records: totals.get(`records${of}`) ?? 0, bytes: totals.get(`bytes${of}`) ?? 0 }
    },
    uploadedBytes: (repository = '') => totals.get(`uploaded/${repository}`) ?? 0,
    repositories: () => [...totals.getKeys(below('records'))].map((name) => name.slice('records/'.length)),
    use(key, time) {
      const id = storageKey(key)
      if (time <= (uses.get(id) ?? Number.POSITIVE_INFINITY)) return
      const isEvictable = order.doesExist([repositoryOf(key), uses.get(id) as number, hashOf(id)])
      displace(id, key)
      place(id, key, time, isEvictable)
    },
    lastUse: (key) => uses.get(storageKey(key)),
    leastUsed(repository, limit, after) {
      const behind = after && ([repository, after.lastUse, hashOf(storageKey(after.key))] as const)
      const start = behind ? { start: [...behind], exclusiveStart: true } : { start: [repository] }
      const rows = order.getRange({ ...start, end: [repository, Number.POSITIVE_INFINITY], limit })
      return [...rows].map(({ key: [, lastUse], value }) => ({ key: value, lastUse: lastUse as number }))
    },
    tombstones: (before, limit) =>
      [...tombstones.getRange({ end: [before], limit })].map(({ key: [epoch], value }) => ({
        key: value,
        epoch: epoch as number,
      })),
    complete(records) {
      if (sum(totals, 'records') === (totals.get('records') ?? 0)) return
      root.transactionSync(() => {
        for (const kind of ['bytes', 'records', 'uploaded']) clear(totals, kind)
        for (const derived of [shares, uses, order, tombstones]) derived.clearSync()
        for (const { id, record } of records) {
          if (!record) continue
          const repository = repositoryOf(record.key)
          if (record.variants.length === 0) {
            tombstones.putSync([record.epoch, hashOf(id)], record.key)
            continue
          }
          let own = 0
          for (const [digest, { size, inline }] of bodies(record)) {
            if (inline || share(repository, digest, 1)) own += size
          }
          add(totals, `bytes/${repository}`, own)
          add(totals, `records/${repository}`, 1)
          if (isUpload(record)) accountUploads(none, bodies(record), repository)
          place(id, record.key, storedAt(record), !isUpload(record))
        }
      })
    },
  }
}

type Bodies = ReadonlyMap<Digest, StoredRecord['variants'][number]['body']>

const bodies = (record: StoredRecord | undefined): Bodies =>
  new Map(record?.variants.map(({ body }) => [body.digest, body]))

const none: Bodies = new Map()

const isUpload = (record: StoredRecord | undefined) => record?.remote === uploaded

const storedAt = ({ variants }: StoredRecord) => Math.max(...variants.map(({ responseTime }) => responseTime))

const hashOf = (id: string) => id.slice(-64)
