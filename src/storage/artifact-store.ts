import { LRUCache } from 'lru-cache'
import type { Algorithm } from '../caching/integrity.js'
import type { Digest, StoredBody, StoredRecord, StoredResponse } from '../caching/record.js'
import { withVariant } from '../caching/vary.js'
import type { BlobStore, OpenBody } from './blob-store.js'
import type { RecordStore, StoreTotals } from './record-store.js'
import type { SharedCache } from './shared-cache.js'
import { createSharing } from './sharing.js'
import type { StagedBody, Staging } from './staging.js'

/** Records, blobs, the shared cache and what of them is in memory, as one: what the proxy stores in and serves from. */
export interface ArtifactStore {
  /** The record or its tombstone; at once where it is in memory. */
  lookup(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  stage(length: number | undefined, promised: readonly Algorithm[]): StagedBody
  /** Makes a sealed body durable, then the record that names it (D2). False if the key was removed after `epoch` (K5). */
  publish(publication: Publication): Promise<boolean>
  /** Replaces a variant's head after a validation, if it is still there. */
  freshen(key: string, previous: StoredResponse, next: StoredResponse): Promise<void>
  /** Forgets a variant whose body is gone or damaged. */
  drop(key: string, damaged: StoredResponse): Promise<void>
  /** `undefined` where the body is gone or damaged in size (D4). Small bodies are in the record, not here. */
  open(body: StoredBody): Promise<OpenBody | undefined>
  totals(): StoreTotals
  /** Removes the blobs no record refers to: what a crash between blob and record left behind (D7). */
  sweep(): Promise<number>
  close(): Promise<void>
}

interface Publication {
  readonly key: string
  readonly remote: string
  readonly epoch: number
  readonly head: Omit<StoredResponse, 'body'>
  readonly digest: Digest
  readonly body: StagedBody
}

export interface ArtifactStoreOptions {
  readonly records: RecordStore
  readonly blobs: BlobStore
  readonly staging: Staging
  readonly shared: SharedCache | undefined
  /** Bytes of records (with their inline bodies) to keep in memory. */
  readonly hotBytes: number
}

/** How long a record in memory is trusted where others write too (D1), ms. */
const trustedFor = 2000

interface Hot {
  readonly record: StoredRecord
  readonly trustedUntil: number
}

export function createArtifactStore({
  records,
  blobs,
  staging,
  shared,
  hotBytes,
}: ArtifactStoreOptions): ArtifactStore {
  const hot = new LRUCache<string, Hot>({ maxSize: hotBytes, sizeCalculation: ({ record }) => weigh(record) })

  /** Look-ups that take time, one a key. */
  const lookups = new Map<string, Promise<StoredRecord | undefined>>()

  /** Returns the newest known: a slow look-up may come back after a write and bring what was before it. */
  const remember = (found: StoredRecord): StoredRecord => {
    const known = hot.peek(found.key)?.record
    const record = known && known.version > found.version ? known : found
    hot.set(record.key, { record, trustedUntil: shared ? Date.now() + trustedFor : Number.POSITIVE_INFINITY })
    return record
  }

  const reclaim = async (digests: Iterable<Digest>) => {
    let removed = 0
    for (const digest of digests) if (await blobs.delete(digest, () => records.references(digest))) removed += 1
    return removed
  }

  /** Applies `change` to what is stored by then, again if someone else writes in between; `undefined` from it: leave it. */
  const update = async (key: string, change: (current: StoredRecord | undefined) => StoredRecord | undefined) => {
    for (;;) {
      const current = await records.get(key)
      const next = change(current)
      if (!next) return undefined
      const result = await records.put(next, current?.version ?? 0)
      if (!result.done) continue
      const record = remember({ ...next, version: result.version })
      await reclaim(result.unreferenced)
      return record
    }
  }

  const sharing = shared && createSharing({ shared, blobs, staging, update, reclaim })

  const newest = async (key: string, stored: ReturnType<RecordStore['get']>): Promise<StoredRecord | undefined> => {
    const ours = await stored
    const record = sharing ? await sharing.newest(key, ours) : ours
    return record ? remember(record) : hot.peek(key)?.record
  }

  return {
    lookup(key) {
      const known = hot.get(key)
      if (known && (!sharing || Date.now() < known.trustedUntil)) return known.record
      const underWay = lookups.get(key)
      if (underWay) return underWay
      const stored = records.get(key)
      if (!sharing && !(stored instanceof Promise)) return stored && remember(stored)
      const lookup = newest(key, stored).finally(() => lookups.delete(key))
      lookups.set(key, lookup)
      return lookup
    },

    stage: (length, promised) => staging.create(length, promised),

    async publish({ key, remote, epoch, head, digest, body }) {
      const { inline, received: size } = body
      if (!inline) await blobs.put(digest, body.file)
      try {
        const response: StoredResponse = { ...head, body: { digest, size, ...(inline && { inline }) } }
        const record = await update(key, (current) => {
          if ((current?.epoch ?? 0) !== epoch) return undefined
          const siblings = current?.remote === remote ? current.variants : []
          return { key, remote, epoch, version: Date.now(), variants: withVariant(siblings, response) }
        })
        if (record) sharing?.share(record)
        return record !== undefined
      } finally {
        if (!inline) {
          blobs.release(digest)
          await reclaim([digest])
        }
      }
    },

    async freshen(key, previous, next) {
      const record = await update(key, (current) => {
        if (!current?.variants.some((variant) => isSame(variant, previous))) return undefined
        const variants = current.variants.map((variant) => (isSame(variant, previous) ? next : variant))
        return { ...current, version: Date.now(), variants }
      })
      if (record) sharing?.share(record)
    },

    async drop(key, damaged) {
      await update(key, (current) => {
        const variants = current?.variants.filter((variant) => !isSame(variant, damaged))
        if (!current || variants?.length === current.variants.length) return undefined
        return { ...current, version: Date.now(), variants: variants ?? [] }
      })
    },

    open: (body) => blobs.open(body.digest, body.size),
    totals: () => records.totals(),

    async sweep() {
      let removed = 0
      for await (const digest of blobs.list()) {
        if (!records.references(digest)) removed += await reclaim([digest])
      }
      return removed
    },

    async close() {
      staging.close()
      await shared?.close()
      await records.close()
    },
  }
}

const isSame = (a: StoredResponse, b: StoredResponse) =>
  a === b || (a.body.digest === b.body.digest && JSON.stringify(a.selecting) === JSON.stringify(b.selecting))

/** Roughly what a record takes in memory, bytes. */
function weigh({ key, variants }: StoredRecord): number {
  let weight = 1024 + key.length
  for (const { headers, body } of variants) {
    weight += 1024 + (body.inline?.length ?? 0)
    for (const text of headers) weight += text.length
  }
  return weight
}
