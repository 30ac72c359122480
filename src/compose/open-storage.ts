import { join } from 'node:path'
import type { Settings } from '../config/environment.js'
import type { Logger } from '../log.js'
import type { BlobStore } from '../storage/blob-store.js'
import type { DataDirectory } from '../storage/disk/data-directory.js'
import { openDiskBlobStore } from '../storage/disk/disk-blob-store.js'
import type { DiskHealth } from '../storage/disk/disk-health.js'
import { openLmdbRecordStore } from '../storage/disk/lmdb-record-store.js'
import { shareOfVolume } from '../storage/disk/volume.js'
import type { RecordStore } from '../storage/record-store.js'
import { withSharedBodies } from '../storage/shared-bodies.js'
import type { SharedCache } from '../storage/shared-cache.js'
import { openStaging, type Staging } from '../storage/staging.js'
import { openTieredBlobStore } from '../storage/tiered-blob-store.js'
import type { Verifiable } from '../storage/verify.js'
import type { WriteGate } from '../storage/write-gate.js'
import { trustedCertificates } from './trusted-certificates.js'

/** The durable store's drivers, as the settings have them. */
export interface Storage {
  readonly records: RecordStore
  readonly blobs: BlobStore
  /** Where all blobs are read from that are looked at for damage, if not there. */
  readonly verified?: Verifiable
  readonly staging: Staging
  /** Bytes of the whole store; `Infinity` for no limit. */
  readonly maxSize: number
  /** Whether other processes write to it, too. */
  readonly isShared: boolean
  /** `undefined` where there is no bucket. */
  readonly bucket: { readonly healthy: boolean } | undefined
  /** Ends what goes on behind the store's back; before the store is closed. */
  settle(): Promise<void>
  close(): void
}

export interface StorageOptions {
  readonly settings: Settings
  readonly env: NodeJS.ProcessEnv
  readonly data: DataDirectory
  readonly disk: DiskHealth
  readonly shared: SharedCache | undefined
  readonly log: Logger
}

/** Throws `DATA_DIRECTORY_UNUSABLE`, `STORE_UNUSABLE`. */
export const openStorage = (options: StorageOptions): Promise<Storage> =>
  options.settings.s3 === undefined ? onDisk(options) : inBucket(options, options.settings.s3)

async function onDisk({ settings, data, disk }: StorageOptions): Promise<Storage> {
  const records = openLmdbRecordStore(data.records, disk)
  return {
    records,
    blobs: await openDiskBlobStore(data.blobs, disk),
    staging: await openStaging(data.staging, disk),
    maxSize: await capOf(settings, records.totals().bytes),
    isShared: false,
    bucket: undefined,
    async settle() {},
    close() {},
  }
}

async function inBucket(options: StorageOptions, s3: NonNullable<Settings['s3']>): Promise<Storage> {
  const { settings, env, data, disk, shared, log } = options
  // Loaded only where it is asked for: the SDK takes a good part of a start.
  const { openS3Store } = await import('../storage/s3/open-s3-store.js')
  const ca = await trustedCertificates(settings.caFile, env)
  const store = await openS3Store({
    ...{ settings: s3, log, replica: data.id, directory: data.bucket },
    ...(ca && { ca }),
    openIndex: (directory) => openLmdbRecordStore(directory, disk),
  })
  const staging = await openStaging(data.staging, both(disk, store.health))
  const near = await openDiskBlobStore(join(data.bucket, 'blobs'), disk)
  const blobs = await openTieredBlobStore({
    ...{ near, staging, log },
    far: shared ? withSharedBodies(store.blobs, shared) : store.blobs,
    limitOf: (held) => capOf(settings, held),
  })
  return {
    ...{ records: store.records, blobs },
    // All of it, which nobody wants near; what is near already is looked at on the way.
    verified: { open: store.blobs.open, checkCopy: blobs.checkCopy },
    ...{ staging, maxSize: s3.maxSize, isShared: true, bucket: store.health },
    settle: blobs.close,
    close: store.close,
  }
}

/** A body is taken in where either will take it. */
const both = (disk: WriteGate, bucket: WriteGate): WriteGate => ({
  admits: (length) => disk.admits(length) && bucket.admits(length),
  // What is staged is on the disk; the bucket tells of itself.
  failed: disk.failed,
})

const capOf = ({ maxSize, dataDirectory }: Settings, held: number): number | Promise<number> =>
  'bytes' in maxSize ? maxSize.bytes : shareOfVolume(dataDirectory, maxSize.percent, held)
