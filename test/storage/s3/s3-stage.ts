import { randomUUID } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { onTestFinished } from 'vitest'
import { createLog } from '../../../src/log.js'
import { openLmdbRecordStore } from '../../../src/storage/disk/lmdb-record-store.js'
import type { RecordStore } from '../../../src/storage/record-store.js'
import { openS3Store, type Pace, type S3Store } from '../../../src/storage/s3/open-s3-store.js'
import { workDirectory } from '../fixtures.js'

export interface S3Place {
  readonly url: string
  readonly bucket: string
}

export interface S3Opening {
  readonly prefix?: string
  readonly replica?: string
  readonly pace?: Partial<Pace>
  readonly openIndex?: (directory: string) => RecordStore
}

/** Blobs go at once, and nothing is done by the clock: what a test wants to happen it asks for. */
const still: Partial<Pace> = { grace: 0, followEvery: 3_600_000, ordersEvery: 3_600_000, usesEvery: 3_600_000 }

export const freshPrefix = () => `${randomUUID().slice(0, 8)}/`

/** As compose opens it, quietly. */
function openStore({ url, bucket }: S3Place, directory: string, opening: S3Opening = {}): Promise<S3Store> {
  const { prefix = '', replica = 'one', pace = {}, openIndex = openLmdbRecordStore } = opening
  return openS3Store({
    settings: { bucket, endpoint: url, region: 'us-east-1', prefix, pathStyle: true },
    ...{ directory, replica },
    openIndex,
    log: createLog('silent'),
    pace: { ...still, ...pace },
  })
}

/** Where files are staged. */
async function stagingIn(path: string) {
  const staging = join(path, 'staging')
  await mkdir(staging)
  let staged = 0
  return {
    directory: staging,
    async stage(bytes: Uint8Array) {
      staged += 1
      const file = join(staging, `${staged}`)
      await writeFile(file, bytes)
      return file
    },
    leftovers: () => readdir(staging),
  }
}

/** One replica with a directory of its own, for one test. */
export async function replicaOf(place: S3Place, opening: S3Opening = {}) {
  const { path, remove } = await workDirectory()
  const staging = await stagingIn(path)
  let store = await openStore(place, path, opening)
  let isOpen = true
  const close = async () => {
    if (!isOpen) return
    isOpen = false
    await store.records.close()
    store.close()
  }
  return {
    ...{ path, staging, close },
    get store() {
      return store
    },
    async reopen() {
      await close()
      store = await openStore(place, path, opening)
      isOpen = true
      return store
    },
    async dispose() {
      await close()
      await remove()
    },
  }
}

/** The bucket behind the store's back. */
export function behind({ url, bucket }: S3Place) {
  const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true })
  onTestFinished(() => client.destroy())
  return {
    put: (name: string, bytes: Uint8Array) =>
      client.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: bytes })),
    async get(name: string): Promise<Buffer> {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: name }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    },
    remove: (name: string) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name })),
    async names(prefix: string): Promise<string[]> {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))
      return Contents.map(({ Key = '' }) => Key)
    },
    beginUpload: (name: string) => client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: name })),
    /** Names of what is uploaded in parts and not whole yet. */
    async uploads(prefix: string): Promise<string[]> {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }))
      return Uploads.map(({ Key = '' }) => Key)
    },
  }
}

/** Replicas of one store, for as long as the test runs. */
export async function replicasOf(place: S3Place, count: number, pace: Partial<Pace> = {}) {
  const prefix = freshPrefix()
  const replicas: Awaited<ReturnType<typeof replicaOf>>[] = []
  for (let i = 0; i < count; i += 1) {
    const replica = await replicaOf(place, { prefix, replica: `replica-${i}`, pace })
    onTestFinished(replica.dispose)
    replicas.push(replica)
  }
  return { prefix, replicas }
}
