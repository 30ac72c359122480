import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import { type Digest, type StoredBody, type StoredRecord, type StoredResponse } from '../caching/record.js'
import { withVariant } from '../caching/vary.js'
import type { BlobStore, OpenBody } from './blob-store.js'
import type { RecordStore, StoreTotals } from './record-store.js'
import { type SharedCache, sharedBodyLimit } from './shared-cache.js'
import type { StagedBody, Staging } from './staging.js'

/** Records, blobs, the shared cache and what of them is in memory, as one: what the proxy stores in and serves from. */
export interface ArtifactStore {
  /** The record or its tombstone; at once where it is in memory. */
  lookup(key: string): StoredRecord | undefined | Promise<StoredRecord | undefined>
  stage(length: number | undefined): StagedBody
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

export interface Publication {
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

export function createArtifactStore({ records, blobs, staging, shared, hotBytes }: ArtifactStoreOptions): ArtifactStore {
  const hot = new LRUCache<string, Hot>({ maxSize: hotBytes, sizeCalculation: ({ record }) => weigh(record) })

  const remember = (record: StoredRecord): StoredRecord => {
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

  const share = async (record: StoredRecord) => {
    if (!shared) return
    const bodies = new Map<Digest, Uint8Array>()
    for (const { body } of record.variants) {
      const bytes = body.inline || body.size > sharedBodyLimit ? undefined : await readWhole(blobs, body)
      if (bytes) bodies.set(body.digest, bytes)
    }
    shared.share(record, bodies)
  }

  /** Has the bytes of another replica's variant here, or says that they are not to be had. */
  const adoptBody = async ({ body }: StoredResponse, cache: SharedCache, held: Digest[]): Promise<boolean> => {
    if (body.inline) return true
    const here = await blobs.open(body.digest, body.size)
    here?.close()
    if (here) return true
    const bytes = body.size > sharedBodyLimit ? undefined : await cache.body(body.digest)
    if (!bytes || sha256(bytes) !== body.digest) return false
    const { file } = staging.create(bytes.length)
    await writeFile(file, bytes)
    await blobs.put(body.digest, file)
    held.push(body.digest)
    return true
  }

  /** A newer record of another replica becomes ours, as far as its bodies are at hand (D1). */
  const adopt = async (theirs: StoredRecord, cache: SharedCache): Promise<StoredRecord | undefined> => {
    const variants: StoredResponse[] = []
    const held: Digest[] = []
    try {
      for (const variant of theirs.variants) if (await adoptBody(variant, cache, held)) variants.push(variant)
      if (variants.length === 0) return undefined
      return await update(theirs.key, (ours) => (isNewer(theirs, ours) ? { ...theirs, variants } : undefined))
    } finally {
      for (const digest of held) blobs.release(digest)
    }
  }

  const lookupShared = async (key: string, ours: StoredRecord | undefined, cache: SharedCache) => {
    const theirs = await cache.record(key)
    if (theirs && isNewer(theirs, ours)) return (await adopt(theirs, cache)) ?? ours
    if (ours && !theirs) void share(ours)
    return ours
  }

  return {
    lookup(key) {
      const known = hot.get(key)
      if (known && (!shared || Date.now() < known.trustedUntil)) return known.record
      const stored = records.get(key)
      if (!shared && !(stored instanceof Promise)) return stored && remember(stored)
      return (async () => {
        const ours = await stored
        const record = shared ? await lookupShared(key, ours, shared) : ours
        return record && remember(record)
      })()
    },

    stage: (length) => staging.create(length),

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
        if (record) void share(record)
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
      if (record) void share(record)
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
      await shared?.close()
      await records.close()
    },
  }
}

const isNewer = (theirs: StoredRecord, ours: StoredRecord | undefined) =>
  !ours || (theirs.version > ours.version && theirs.epoch >= ours.epoch)

const isSame = (a: StoredResponse, b: StoredResponse) =>
  a === b || (a.body.digest === b.body.digest && JSON.stringify(a.selecting) === JSON.stringify(b.selecting))

const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Roughly what a record takes in memory, bytes. */
function weigh({ key, variants }: StoredRecord): number {
  let weight = 1024 + key.length
  for (const { headers, body } of variants) {
    weight += 1024 + (body.inline?.length ?? 0)
    for (const text of headers) weight += text.length
  }
  return weight
}

async function readWhole(blobs: BlobStore, { digest, size }: StoredBody): Promise<Uint8Array | undefined> {
  const blob = await blobs.open(digest, size)
  if (!blob) return undefined
  try {
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      const count = await blob.read(bytes.subarray(at), at)
      if (count === 0) return undefined
      at += count
    }
    return bytes
  } finally {
    blob.close()
  }
}
