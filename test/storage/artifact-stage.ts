import { mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { StoredRecord, StoredResponse } from '../../src/caching/record.js'
import { type ArtifactStore, createArtifactStore } from '../../src/storage/artifact-store.js'
import type { BlobStore } from '../../src/storage/blob-store.js'
import { openDiskBlobStore } from '../../src/storage/disk/disk-blob-store.js'
import { openLmdbRecordStore } from '../../src/storage/disk/lmdb-record-store.js'
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
}

export interface StageOptions {
  readonly shared?: SharedCache
  readonly hotBytes?: number
  readonly blobs?: (blobs: BlobStore) => BlobStore
  readonly records?: (records: RecordStore) => RecordStore
}

/**
 * A store on the disk drivers for as long as the test runs. Fails the test if something stays behind: a descriptor, a
 * staged file, a blob without a record or a record without its blob.
 */
export async function setArtifactStage(options: StageOptions = {}): Promise<ArtifactStage> {
  const { path, remove } = await workDirectory()
  const disk = openLmdbRecordStore(join(path, 'records'))
  const blobs = await openDiskBlobStore(join(path, 'blobs'))
  const asked: string[] = []
  const records: RecordStore = {
    ...disk,
    get(key) {
      asked.push(key)
      return disk.get(key)
    },
  }
  const store = createArtifactStore({
    records: options.records?.(records) ?? records,
    blobs: options.blobs?.(blobs) ?? blobs,
    staging: await openStaging(join(path, 'staging')),
    shared: options.shared,
    hotBytes: options.hotBytes ?? 16 * 1024 * 1024,
  })
  onTestFinished(async () => {
    try {
      const odd = await oddities(disk, blobs)
      await store.close()
      mkdirSync(join(path, 'staging'), { recursive: true })
      const left = async () => [...openUnder(path), ...(await readdir(join(path, 'staging')))]
      expect([...odd, ...(await settled(left, isEmpty))]).toEqual([])
    } finally {
      await remove()
    }
  })
  return { store, records: disk, blobs, asked, directory: path }
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
  readonly remote?: string
  readonly epoch?: number
  readonly head?: Partial<Omit<StoredResponse, 'body'>>
}

export const remote = 'https://remote.example'

/** A whole fill: staged, sealed, published, released. */
export async function publish(store: ArtifactStore, key: string, bytes: Uint8Array, options: Published = {}) {
  const staged = store.stage(bytes.length, [])
  const { body: _, ...head } = response({ digest: digestOf(bytes), size: bytes.length }, options.head)
  try {
    await staged.append(bytes)
    await staged.seal()
    const publication = { key, remote: options.remote ?? remote, epoch: options.epoch ?? 0, head, body: staged }
    return await store.publish({ ...publication, digest: digestOf(bytes) })
  } finally {
    await staged.release()
  }
}

/** The bytes of a record's variant; `undefined` where they aren't to be had. */
export async function bytesOf(store: ArtifactStore, record: StoredRecord | undefined, variant = 0) {
  const body = record?.variants[variant]?.body
  if (!body) return undefined
  if (body.inline) return body.inline
  const open = await store.open(body)
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
