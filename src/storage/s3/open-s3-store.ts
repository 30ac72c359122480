import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from '../../log.js'
import type { BlobStore } from '../blob-store.js'
import type { RecordStore } from '../record-store.js'
import type { BucketHealth } from './bucket-health.js'
import { connect, type Reaction, type S3Settings } from './connection.js'
import { layoutUnder } from './layout.js'
import { openS3BlobStore } from './s3-blob-store.js'
import { openS3RecordStore, type S3RecordStore } from './s3-record-store.js'
import { openSharedOrders } from './shared-orders.js'
import { openSharedUses } from './shared-uses.js'
import { openTags } from './tags.js'
import { abandonUploads, upload } from './upload.js'

export interface S3StoreOptions {
  readonly settings: S3Settings
  /** For what can be made anew from the bucket. */
  readonly directory: string
  /** This replica's name among the others. */
  readonly replica: string
  readonly openIndex: (directory: string) => RecordStore
  /** PEM, trusted instead of the public authorities. */
  readonly ca?: readonly string[]
  readonly log: Logger
  readonly pace?: Partial<Pace>
}

/** Milliseconds, all of them. */
export interface Pace extends Reaction {
  /** How long a blob that nothing refers to stays. */
  readonly grace: number
  readonly followEvery: number
  readonly ordersEvery: number
  readonly usesEvery: number
}

const standardPace: Pace = {
  grace: 24 * 3600 * 1000,
  followEvery: 5 * 60_000,
  ordersEvery: 10_000,
  usesEvery: 60_000,
  retryAfter: 2000,
  deadline: 5000,
  soon: 2000,
}

export interface S3Store {
  readonly records: S3RecordStore
  readonly blobs: BlobStore
  readonly health: BucketHealth
  close(): void
}

/** Throws `STORE_UNUSABLE` where the operator has to mend something; a bucket that does not answer is waited for. */
export async function openS3Store(options: S3StoreOptions): Promise<S3Store> {
  const { settings, ca, log } = options
  const pace = { ...standardPace, ...options.pace }
  const layout = layoutUnder(settings.prefix)
  const { bucket, uploading, health, close } = await connect({ ...{ settings, layout, log, pace }, ...(ca && { ca }) })
  const directory = join(options.directory, nameOf(settings))
  const index = options.openIndex(join(directory, 'index'))
  const shared = { bucket, layout, index, log }
  const orders = openSharedOrders({ ...shared, every: pace.ordersEvery })
  const uses = openSharedUses({ ...shared, every: pace.usesEvery, replica: options.replica })
  // Those that stand are asked for at once when the store is opened; without the bucket, those known last.
  await orders.look().catch(() => {})
  const tags = openTags(join(directory, 'tags'))
  return {
    records: openS3RecordStore({ bucket, layout, index, tags, orders, uses, followEvery: pace.followEvery }),
    blobs: openS3BlobStore({
      ...{ bucket, layout, grace: pace.grace },
      upload: (name, parcel, sha256) => upload(uploading, name, parcel, sha256),
      abandon: (before) => abandonUploads(uploading, layout.blobs, before),
    }),
    ...{ health, close },
  }
}

/** Another bucket has its own index. */
const nameOf = ({ endpoint = '', bucket, prefix }: S3Settings) =>
  createHash('sha256')
    .update(JSON.stringify([endpoint, bucket, prefix]))
    .digest('hex')
    .slice(0, 16)
