import type { Digest, StoredBody, StoredRecord, StoredResponse } from '../caching/record.js'
import { uploadedIn } from '../caching/upload.js'
import { sameSelecting, withVariant } from '../caching/vary.js'
import { isLarderError, LarderError } from '../errors.js'
import type { BlobStore } from './blob-store.js'
import type { Update } from './changes.js'
import type { Purging } from './purging.js'
import type { Reservation, Retention } from './retention.js'
import type { StagedBody, Staging } from './staging.js'

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Variants that were stored elsewhere and are to be stored here, without their bodies. */
export interface Offer {
  readonly key: string
  readonly remote: string
  readonly variants: readonly StoredResponse[]
  /** Whether they replace newer ones, too. */
  readonly force: boolean
}

/**
 * Takes in what comes whole from another store. All of it is one fill that began when this was opened: what was purged since
 * is not published (K5).
 */
export interface Intake {
  /**
   * Takes a body in, and holds it until `release`. `false` where it isn't what its digest and size say; the rest of its
   * chunks is left then. Throws `NO_ROOM`, `STORE_FAULT`, and what `chunks` throws.
   */
  take(key: string, body: StoredBody, chunks: Chunks): Promise<boolean>
  /** Whether the body is held, or here to be held. */
  has(body: StoredBody): Promise<boolean>
  /** Which of the variants would be stored. */
  wanted(offer: Offer): Promise<readonly StoredResponse[]>
  /** Stores those of the variants that are wanted still; their bodies are held. */
  publish(offer: Offer): Promise<'stored' | 'kept' | 'purged'>
  /** Lets go of bodies it holds: of these, or of all. What no record refers to is gone then. */
  release(digests?: Iterable<Digest>): Promise<void>
}

export interface IntakeDeps {
  readonly blobs: BlobStore
  readonly staging: Staging
  readonly update: Update
  readonly lookup: (key: string) => StoredRecord | undefined | Promise<StoredRecord | undefined>
  readonly share: (record: StoredRecord) => void
  readonly purging: Pick<Purging, 'epochOf' | 'nextEpoch'>
  readonly retention: Pick<Retention, 'reserve'>
  readonly reclaim: (digests: Iterable<Digest>) => Promise<unknown>
}

/** A body that is here although no record may say so; small ones are in memory. */
interface Held {
  readonly inline: Uint8Array | undefined
  readonly place: Reservation | undefined
}

export function openIntake(deps: IntakeDeps): Intake {
  const { blobs, staging, update, lookup, share, purging, retention, reclaim } = deps
  const began = purging.nextEpoch()
  const held = new Map<Digest, Held>()
  /** Bytes taken in so far, by repository. */
  const taken = new Map<string, number>()
  let takenInAll = 0

  /** What it took in so far must not have to go for the rest of it. */
  const admits = (key: string, size: number, place: Reservation): boolean => {
    const [repository = ''] = key.split('/', 1)
    const soFar = taken.get(repository) ?? 0
    // Of no repository: only the cap of the whole store counts for it.
    const whole = retention.reserve('/')
    const fits = place.fits(soFar + size) && whole.fits(takenInAll + size) && place.admits(size)
    whole.release()
    if (!fits) return false
    taken.set(repository, soFar + size)
    takenInAll += size
    return true
  }

  /** Resolves with whether it is the body that was meant, durable and held. */
  const store = async (meant: StoredBody, body: StagedBody, chunks: Chunks, place: Reservation) => {
    const { digest, size } = meant
    for await (const chunk of chunks) {
      if (body.received + chunk.length > size) return false
      await body.append(chunk)
    }
    const digests = await body.digests()
    if (body.received !== size || `sha256:${digests?.sha256}` !== digest) return false
    await body.seal()
    if (!body.kept || !(await place.secure(size))) throw noRoom(size)
    if (!body.inline) await blobs.put(digest, body.file)
    held.set(digest, { inline: body.inline, place })
    return true
  }

  const hold = async ({ digest, size }: StoredBody): Promise<boolean> => {
    if (held.has(digest)) return true
    if (!(await blobs.hold(digest, size))) return false
    held.set(digest, { inline: undefined, place: undefined })
    return true
  }

  return {
    has: hold,

    async take(key, meant, chunks) {
      const place = retention.reserve(key)
      const body = staging.create(meant.size, { promised: ['sha256'], room: () => admits(key, meant.size, place) })
      try {
        if (!body.kept) throw noRoom(meant.size)
        return await store(meant, body, chunks, place)
      } catch (error) {
        throw isLarderError(error) && error.code === 'NO_ROOM' ? noRoom(meant.size) : error
      } finally {
        await body.release()
        if (!held.has(meant.digest)) place.release()
      }
    },

    wanted: async (offer) => news(await lookup(offer.key), offer),

    async publish(offer) {
      const { key, remote } = offer
      let result: 'kept' | 'purged' = 'kept'
      const record = await update(key, (current) => {
        const epoch = purging.epochOf(key, current)
        result = epoch > began ? 'purged' : 'kept'
        const variants = news(current, offer).filter(({ body }) => held.has(body.digest))
        if (result === 'purged' || variants.length === 0) return undefined
        const siblings = current?.remote === remote ? current.variants : []
        return { key, remote, epoch, version: Date.now(), variants: merged(siblings, variants.map(withBytes)) }
      })
      if (record) share(record)
      return record ? 'stored' : result
    },

    async release(digests = held.keys()) {
      const released: Digest[] = []
      for (const digest of [...digests]) {
        const body = held.get(digest)
        if (!held.delete(digest)) continue
        body?.place?.release()
        if (body?.inline) continue
        blobs.release(digest)
        released.push(digest)
      }
      await reclaim(released)
    },
  }

  function withBytes(variant: StoredResponse): StoredResponse {
    const inline = held.get(variant.body.digest)?.inline
    return inline ? { ...variant, body: { ...variant.body, inline } } : variant
  }
}

/** The offered variants that are newer than what is stored, or all others where they are forced on it. Only force replaces an upload. */
function news(current: StoredRecord | undefined, { remote, variants, force }: Offer): readonly StoredResponse[] {
  const isSame = (a: StoredResponse, b: StoredResponse) =>
    a.body.digest === b.body.digest && a.responseTime === b.responseTime
  if (uploadedIn(current) && !force) return []
  return variants.filter((offered) => {
    // Of another remote they would all be replaced.
    const rivals = (current?.variants ?? []).filter(
      (stored) => current?.remote !== remote || sameSelecting(stored.selecting, offered.selecting),
    )
    if (force) return current?.remote !== remote || !rivals.some((stored) => isSame(stored, offered))
    return rivals.every(({ responseTime }) => responseTime < offered.responseTime)
  })
}

function merged(siblings: readonly StoredResponse[], variants: readonly StoredResponse[]): readonly StoredResponse[] {
  return variants.reduceRight(withVariant, siblings).toSorted((a, b) => b.responseTime - a.responseTime)
}

const noRoom = (size: number) => new LarderError('NO_ROOM', `there is no room for a body of ${size} bytes`)
