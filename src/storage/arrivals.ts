import type { Digest } from '../caching/record.js'
import { isLarderError, LarderError } from '../errors.js'
import type { BlobStore, OpenBody } from './blob-store.js'
import type { StagedBody, Staging } from './staging.js'
import { createUnderWay } from './under-way.js'

export interface ArrivalsOptions {
  readonly far: BlobStore
  readonly staging: Staging
  /** Takes over a whole blob's file. */
  readonly keep: (digest: Digest, size: number, file: string) => Promise<void>
  /** Hears why a blob does not come to stay. */
  readonly told: (error: unknown) => void
}

/** A reader of a blob that is on its way. */
export interface Follower {
  /** Bytes that have come so far. */
  arrived(): number
  /** As an open body's; `undefined` where it won't come this way. */
  read(into: Uint8Array, position: number): Promise<number | undefined>
  close(): void
}

const chunkBytes = 256 * 1024

/** Blobs on their way from the far store: each comes once, however many want it, and is read while it comes. */
export function createArrivals({ far, staging, keep, told }: ArrivalsOptions) {
  const arriving = new Map<Digest, StagedBody>()
  const underWay = createUnderWay()
  let closed = false

  const begin = (digest: Digest, size: number): StagedBody | undefined => {
    if (closed) return undefined
    const body = staging.create(size, { promised: ['sha256'] })
    if (!body.kept) {
      void body.release()
      return undefined
    }
    arriving.set(digest, body)
    // Followers may read what only some of them get then: each gets it for itself.
    void body.parted.then(() => body.fail(new Error('no room on its way')))
    const brought = bring(digest, size, body)
      .catch((error) => {
        body.fail(error)
        told(error)
      })
      .finally(() => {
        arriving.delete(digest)
        return body.release()
      })
    void underWay.track(brought)
    return body
  }

  const bring = async (digest: Digest, size: number, body: StagedBody) => {
    const distant = await far.open(digest, size)
    if (typeof distant === 'string') throw new Error(`the blob is ${distant}`)
    try {
      for (let at = 0; at < size; ) {
        if (closed) throw new LarderError('SHUTTING_DOWN', 'the store is closing')
        at += await next(distant, body, at, size)
      }
    } finally {
      distant.close()
    }
    const digests = await body.digests()
    if (`sha256:${digests?.sha256}` !== digest)
      throw new LarderError('INTEGRITY_MISMATCH', 'a stored blob is not what its digest says')
    await body.seal()
    if (!body.inline) await keep(digest, size, body.file)
  }

  return {
    follow(digest: Digest, size: number): Follower | undefined {
      const body = arriving.get(digest) ?? begin(digest, size)
      if (!body) return undefined
      const follower = body.follow()
      return {
        arrived: () => body.received,
        read: (into, position) =>
          follower.read(into, position).catch((error) => {
            if (isLarderError(error) && error.code === 'INTEGRITY_MISMATCH') throw error
            return undefined
          }),
        close: follower.close,
      }
    },
    /** Ends what is on its way; resolves when it has let go of all it had. */
    close() {
      closed = true
      return underWay.idle()
    },
  }
}

/** The chunk is the body's from then on. */
async function next(from: OpenBody, to: StagedBody, position: number, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, size - position))
  const count = await from.read(chunk, position)
  if (count === 0) throw new Error('the blob is shorter than it was')
  await to.append(chunk.subarray(0, count))
  return count
}
