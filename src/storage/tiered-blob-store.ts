import { createHash } from 'node:crypto'
import { link, rm, stat } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Digest } from '../caching/record.js'
import type { Logger } from '../log.js'
import { createArrivals } from './arrivals.js'
import type { BlobStore, OpenBody } from './blob-store.js'
import { once } from './holds.js'
import type { Staging } from './staging.js'
import type { Taken } from './verify.js'

/** A blob store that also tells what it has. */
interface NearBlobStore extends BlobStore {
  facts(digest: Digest): Promise<{ readonly size: number; readonly lastUse: number } | undefined>
}

export interface TieredBlobStore extends BlobStore {
  /** Reads what is near of it, and removes that where it is not what its digest says (D4). */
  checkCopy(digest: Digest, size: number, taken: Taken): Promise<void>
  /** Ends what is on its way from the far store. Before the staging is closed. */
  close(): Promise<void>
}

export interface TieredBlobStoreOptions {
  readonly near: NearBlobStore
  /** Has all blobs; what is near is a copy. */
  readonly far: BlobStore
  readonly staging: Staging
  /** Bytes that the near store may hold, where it has `held` now. */
  readonly limitOf: (held: number) => number | Promise<number>
  readonly log: Logger
}

/** Bytes of a copy read at a time. */
const chunkBytes = 256 * 1024

/** Bytes a reader may be ahead of what has arrived, before it gets them for itself. */
const farAhead = 8 * 1024 * 1024

/**
 * A near store in front of a far one. What is put, and what is read, stays near as long as the limit allows, the most recently
 * used. On its way to the near store a blob is read from the far one once, and all who read it meanwhile follow that.
 */
export async function openTieredBlobStore(options: TieredBlobStoreOptions): Promise<TieredBlobStore> {
  const { near, far, staging, log } = options
  const known = await survey(near)
  const limit = await options.limitOf(known.reduce((held, { size }) => held + size, 0))
  const told = (error: unknown) => log.debug({ err: error }, 'cannot keep a blob near')

  const here = new LRUCache<Digest, number>({
    maxSize: Math.max(1, limit),
    sizeCalculation: (size) => Math.max(1, size),
    dispose: (_, digest, reason) => {
      if (reason === 'evict') near.delete(digest, () => here.has(digest)).catch(told)
    },
  })

  const keep = async (digest: Digest, size: number, file: string) => {
    await near.put(digest, file)
    near.release(digest)
    here.set(digest, size)
  }

  const arrivals = createArrivals({ far, staging, keep, told })
  for (const { digest, size } of known) {
    // Of a larger one than fits nothing is remembered, and nothing would ever remove it.
    if (!here.set(digest, size).has(digest)) await near.delete(digest, never)
  }

  const readThrough = (digest: Digest, size: number, distant: OpenBody): OpenBody => {
    let arriving: ReturnType<typeof arrivals.follow>
    // Who reads nothing brings nothing here.
    const begin = once(() => {
      if (size <= limit) arriving = arrivals.follow(digest, size)
    })
    return {
      async read(into, position) {
        begin()
        if (arriving && position < arriving.arrived() + farAhead) {
          const count = await arriving.read(into, position)
          if (count !== undefined) return count
        }
        return distant.read(into, position)
      },
      close: once(() => {
        arriving?.close()
        distant.close()
      }),
    }
  }

  /** A copy that breaks off under its reader says nothing of the blob: what is far goes on. */
  const orElseFar = (digest: Digest, size: number, copy: OpenBody): OpenBody => {
    let further: Promise<OpenBody> | undefined
    let closed = false
    const goOn = async () => {
      const distant = await far.open(digest, size)
      if (typeof distant === 'string') throw new Error(`the blob is ${distant}`)
      return readThrough(digest, size, distant)
    }
    return {
      async read(into, position) {
        if (!further) {
          const count = await copy.read(into, position).catch((error) => {
            if (closed) throw error
            told(error)
          })
          if (count !== undefined && (count > 0 || position >= size || into.length === 0)) return count
        }
        // Nobody would close it.
        if (closed) throw new Error('the body is closed')
        further ??= goOn()
        return (await further).read(into, position)
      },
      close: once(() => {
        closed = true
        copy.close()
        further?.then((body) => body.close()).catch(told)
      }),
    }
  }

  return {
    async put(digest, file) {
      const { copy, size } = await copied(file, limit)
      try {
        await far.put(digest, file)
        if (copy !== undefined) await keep(digest, size, copy).catch(told)
      } finally {
        if (copy !== undefined) await rm(copy, { force: true }).catch(told)
      }
    },

    hold: far.hold,
    release: far.release,

    async open(digest, size) {
      const known = await near.open(digest, size)
      if (typeof known !== 'string') {
        here.get(digest)
        return orElseFar(digest, size, known)
      }
      const distant = await far.open(digest, size)
      return typeof distant === 'string' ? distant : readThrough(digest, size, distant)
    },

    async delete(digest, stillNeeded) {
      if (!(await far.delete(digest, stillNeeded))) return false
      here.delete(digest)
      return near.delete(digest, stillNeeded)
    },

    list: far.list,

    async checkCopy(digest, size, taken) {
      const copy = await near.open(digest, size)
      if (typeof copy === 'string' || (await digestOf(copy, taken)) === digest) return
      log.warn({ digest }, 'a copy of a blob is damaged; it is made anew when it is read')
      here.delete(digest)
      await near.delete(digest, () => here.has(digest))
    },

    close: arrivals.close,
  }
}

const never = () => false

/** Of all its bytes, which are read to the end; `undefined` where they can't be. */
async function digestOf(body: OpenBody, taken: Taken): Promise<Digest | undefined> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  try {
    for (let at = 0; ; ) {
      const count = await body.read(buffer, at).catch(() => undefined)
      if (count === undefined) return undefined
      if (count === 0) return `sha256:${hash.digest('hex')}`
      hash.update(buffer.subarray(0, count))
      at += count
      await taken(count)
    }
  } finally {
    body.close()
  }
}

/** What was near before the start, the least recently used first. */
async function survey(near: NearBlobStore) {
  const found: { digest: Digest; size: number; lastUse: number }[] = []
  for await (const digest of near.list()) {
    const facts = await near.facts(digest)
    if (facts) found.push({ digest, ...facts })
    else await near.delete(digest, never)
  }
  return found.sort((a, b) => a.lastUse - b.lastUse)
}

/** Another name for a file that is about to be taken over, where it may stay near. */
async function copied(file: string, limit: number): Promise<{ copy: string | undefined; size: number }> {
  const { size } = await stat(file).catch(() => ({ size: Number.POSITIVE_INFINITY }))
  if (size > limit) return { copy: undefined, size }
  const copy = `${file}.near`
  return link(file, copy).then(
    () => ({ copy, size }),
    () => ({ copy: undefined, size }),
  )
}
