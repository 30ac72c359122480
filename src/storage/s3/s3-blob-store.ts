import { rm } from 'node:fs/promises'
import type { Digest } from '../../caching/record.js'
import { isLarderError, LarderError } from '../../errors.js'
import type { BlobStore } from '../blob-store.js'
import { createHolds, createTurns, once } from '../holds.js'
import type { Bucket, ObjectFacts } from './bucket.js'
import type { Layout } from './layout.js'
import { openS3Body } from './s3-body.js'
import { type Parcel, packed } from './upload.js'

export interface S3BlobStoreOptions {
  readonly bucket: Bucket
  readonly layout: Layout
  readonly upload: (name: string, parcel: Parcel, sha256: string) => Promise<void>
  /** Ends uploads that began before (ms since the epoch). */
  readonly abandon: (before: number) => Promise<void>
  /**
   * Milliseconds that a blob stays after it was written last, whether or not anything refers to it: as long as that, another
   * replica's record of it may be on its way to us. What is put or held is written again once half of it has passed.
   */
  readonly grace: number
}

/** ms; no upload takes as long. */
const abandonedAfter = 24 * 3600 * 1000

/**
 * Blobs as objects. Holds are this process's own; what other replicas are about to refer to is spared by its age (D7).
 * Between the last look at a blob and its removal another may write it again: the bucket has no removal by condition. That is a
 * matter of milliseconds after at least `grace`, and what it costs is a miss.
 */
export function openS3BlobStore({ bucket, layout, upload, abandon, grace }: S3BlobStoreOptions): BlobStore {
  const holds = createHolds()
  const inTurn = createTurns<Digest>()
  const isYoung = ({ modified }: ObjectFacts) => Date.now() - modified < grace / 2

  const write = async (digest: Digest, file: string) => {
    const name = layout.blob(digest)
    const parcel = await packed(file)
    const there = await bucket.stat(name)
    const isThere = typeof there === 'object' && there.size === parcel.size && there.tag === parcel.tag
    if (!isThere || !isYoung(there)) await upload(name, parcel, digest.slice('sha256:'.length))
    await rm(file, { force: true })
  }

  return {
    async put(digest, file) {
      holds.retain(digest)
      try {
        await inTurn(digest, () => write(digest, file))
      } catch (error) {
        holds.release(digest)
        throw isLarderError(error) ? error : new LarderError('STORE_FAULT', 'cannot store a blob', { cause: error })
      }
    },

    hold: (digest, size) =>
      inTurn(digest, async () => {
        const name = layout.blob(digest)
        const there = await bucket.stat(name)
        if (typeof there !== 'object' || there.size !== size) return false
        if (!isYoung(there) && !(await bucket.touch(name))) return false
        holds.retain(digest)
        return true
      }),

    release: holds.release,

    async open(digest, size) {
      const name = layout.blob(digest)
      // From here on, lest it goes while it is looked at: what is read is not on this disk.
      holds.retain(digest)
      const letGo = once(() => holds.release(digest))
      try {
        const there = await bucket.stat(name)
        if (typeof there === 'object' && there.size === size) return openS3Body(bucket, name, size, letGo)
        letGo()
        return typeof there === 'object' ? 'size' : (there ?? 'gone')
      } catch (error) {
        letGo()
        throw error
      }
    },

    delete: (digest, stillNeeded) =>
      inTurn(digest, async () => {
        const name = layout.blob(digest)
        const isSpared = () => holds.has(digest) || stillNeeded()
        if (isSpared()) return false
        // By listing: of a blob that can't be read it tells the age, too.
        for await (const page of bucket.list(name)) {
          const there = page.find((listed) => listed.name === name)
          if (!there) return true
          if (Date.now() - there.modified < grace || isSpared()) return false
          await bucket.remove(name)
          return true
        }
        return true
      }),

    async *list() {
      // Who lists sweeps: what a crash left half way up is no blob, and costs as much.
      await abandon(Date.now() - abandonedAfter)
      for await (const page of bucket.list(layout.blobs)) {
        for (const { name } of page) {
          const digest = layout.digestOf(name)
          if (digest) yield digest
        }
      }
    },
  }
}
