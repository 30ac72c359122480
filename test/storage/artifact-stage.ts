import { mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { StoredRecord, StoredResponse } from '../../src/caching/record.js'
import type { RetentionPolicy } from '../../src/caching/repository.js'
import { isLarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'
import { createMetrics, type Metrics } from '../../src/metrics.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import type { BlobStore } from '../../src/storage/blob-store.js'
import { noBulletin } from '../../src/storage/bulletin.js'
import type { Damaged } from '../../src/storage/damage.js'
import { openDiskBlobStore } from '../../src/storage/disk/disk-blob-store.js'
import { openLmdbRecordStore } from '../../src/storage/disk/lmdb-record-store.js'
import { openArtifactStore } from '../../src/storage/open-artifact-store.js'
import type { RecordStore } from '../../src/storage/record-store.js'
import type { SharedCache } from '../../src/storage/shared-cache.js'
import { openStaging } from '../../src/storage/staging.js'
import { collect, digestOf, isEmpty, openUnder, response, settled, workDirectory } from './fixtures.js'

export interface ArtifactStage {
  readonly store: ArtifactStore
  readonly records: RecordStore
  readonly blobs: BlobStore
  /** Keys asked of the record store so far. */
  readonly asked: readonly string[]
  readonly directory: string
  /** What the store told of so far. */
  readonly damaged: readonly Damaged[]
  readonly metrics: Metrics
  /** Closes the store and opens it again on the same data. */
  reopen(): Promise<ArtifactStore>
}

export interface StageOptions {
  readonly shared?: SharedCache
  readonly hotBytes?: number
  readonly blobs?: (blobs: BlobStore) => BlobStore
  readonly records?: (records: RecordStore) => RecordStore
  readonly maxSize?: number
  /** By repository. */
  readonly retention?: Readonly<Record<string, Partial<RetentionPolicy>>>
}

const keepAll: RetentionPolicy = { maxSize: Number.POSITIVE_INFINITY, unusedFor: Number.POSITIVE_INFINITY }

/**
 * A store on the disk drivers for as long as the test runs. Fails the test if something stays behind: a descriptor, a
 * staged file, a blob without a record or a record without its blob.
 */
export async function setArtifactStage(options: StageOptions = {}): Promise<ArtifactStage> {
  const { path, remove } = await workDirectory()
  const asked: string[] = []
  const damaged: Damaged[] = []
  const metrics = createMetrics()
  const open = async () => {
    const records = openLmdbRecordStore(join(path, 'records'))
    const blobs = await openDiskBlobStore(join(path, 'blobs'))
    const watched: RecordStore = {
      ...records,
      get(key) {
        asked.push(key)
        return records.get(key)
      },
    }
    const store = openArtifactStore({
      records: options.records?.(watched) ?? watched,
      blobs: options.blobs?.(blobs) ?? blobs,
      staging: await openStaging(join(path, 'staging')),
      shared: options.shared,
      bulletin: noBulletin,
      hotBytes: options.hotBytes ?? 16 * 1024 * 1024,
      maxSize: options.maxSize ?? Number.POSITIVE_INFINITY,
      retentionOf: (repository) => ({ ...keepAll, ...options.retention?.[repository] }),
      metrics,
      log: createLog('silent'),
      onDamaged: (body) => void damaged.push(body),
    })
    return { records, blobs, store }
  }
  let opened = await open()
  onTestFinished(async () => {
    try {
      const odd = await oddities(opened.records, opened.blobs)
      await opened.store.close()
      mkdirSync(join(path, 'staging'), { recursive: true })
      const left = async () => [...openUnder(path), ...(await readdir(join(path, 'staging')))]
      expect([...odd, ...(await settled(left, isEmpty))]).toEqual([])
    } finally {
      await remove()
    }
  })
  return {
    ...{ asked, damaged, metrics, directory: path },
    get store() {
      return opened.store
    },
    get records() {
      return opened.records
    },
    get blobs() {
      return opened.blobs
    },
    async reopen() {
      await opened.store.close()
      opened = await open()
      return opened.store
    },
  }
}

async function oddities(records: RecordStore, blobs: BlobStore): Promise<string[]> {
  const stored = await collect(blobs.list())
  const bodies = (await collect(records.list(''))).flatMap(({ variants }) => variants.map(({ body }) => body))
  const wanted = new Set(bodies.filter(({ inline }) => !inline).map(({ digest }) => digest))
  const held: string[] = []
  for (const digest of stored) if (!(await blobs.delete(digest, () => false))) held.push(`${digest} is held`)
  return [
    ...stored.filter((digest) => !wanted.has(digest)).map((digest) => `${digest} has no record`),
    ...[...wanted].filter((digest) => !stored.includes(digest)).map((digest) => `${digest} has no blob`),
    ...held,
  ]
}

export interface Published {
  /** The remote does not tell it. */
  readonly unknownLength?: boolean
  readonly remote?: string
  readonly epoch?: number
  readonly head?: Partial<Omit<StoredResponse, 'body'>>
}

export const remote = 'https://remote.example'

/** A whole fill: staged, sealed, published, released. Resolves with whether it is stored. */
export async function publish(store: ArtifactStore, key: string, bytes: Uint8Array, options: Published = {}) {
  const staged = store.stage(key, options.unknownLength ? undefined : bytes.length, [])
  const { body: _, ...head } = response({ digest: digestOf(bytes), size: bytes.length }, options.head)
  try {
    await staged.append(bytes)
    await staged.seal()
    const publication = { key, remote: options.remote ?? remote, epoch: options.epoch ?? 0, head, body: staged }
    return (await store.publish({ ...publication, digest: digestOf(bytes) })) === 'stored'
  } catch (error) {
    if (isLarderError(error) && error.code === 'NO_ROOM') return false
    throw error
  } finally {
    await staged.release()
  }
}

/** The bytes of a record's variant; `undefined` where they aren't to be had. */
export async function bytesOf(store: ArtifactStore, record: StoredRecord | undefined, variant = 0) {
  const stored = record?.variants[variant]
  if (!record || !stored) return undefined
  const { body } = stored
  if (body.inline) return body.inline
  const open = await store.open(record.key, stored)
  if (!open) return undefined
  try {
    const bytes = new Uint8Array(body.size)
    for (let at = 0; at < bytes.length; ) {
      const count = await open.read(bytes.subarray(at), at)
      if (count === 0) return undefined
      at += count
    }
    return bytes
  } finally {
    open.close()
  }
}
