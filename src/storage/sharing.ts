import { createHash } from 'node:crypto'
import type { Digest, StoredBody, StoredRecord, StoredResponse } from '../caching/record.js'
import type { BlobStore } from './blob-store.js'
import type { Update } from './changes.js'
import { type SharedCache, sharedBodyLimit } from './shared-cache.js'
import type { Staging } from './staging.js'

/** What replicas learn of each other's records, beside the store that is the truth of each (D1). */
export interface Sharing {
  /** Another replica's record of the key, made ours, where it is newer; else `ours`. */
  newest(key: string, ours: StoredRecord | undefined): Promise<StoredRecord | undefined>
  /** Shows ours to the others; returns before it is done. */
  share(record: StoredRecord): void
  /** Tells the others of a purge, by what it left of the record; resolves when that was tried. */
  tell(record: StoredRecord): Promise<void>
}

export interface SharingOptions {
  readonly shared: SharedCache
  readonly blobs: BlobStore
  readonly staging: Staging
  readonly update: Update
  /** The version of the last purge of many keys that means this one (K5): what is older is not taken over. */
  readonly epochOf: (key: string) => number
  /** Removes those of the blobs that no record refers to. */
  readonly reclaim: (digests: Iterable<Digest>) => Promise<unknown>
}

export function createSharing({ shared, blobs, staging, update, epochOf, reclaim }: SharingOptions): Sharing {
  const show = async (record: StoredRecord) => {
    // Another replica's may be sound.
    if (record.variants.some(({ damaged }) => damaged)) return
    const bodies = new Map<Digest, Uint8Array>()
    for (const { body } of record.variants) {
      const bytes = body.inline || body.size > sharedBodyLimit ? undefined : await readWhole(blobs, body)
      if (bytes) bodies.set(body.digest, bytes)
    }
    await shared.share(record, bodies)
  }

  /** Whether no purge of many keys has taken it away. */
  const isLeft = ({ key, epoch }: StoredRecord) => epoch >= epochOf(key)

  /** The variant with its bytes here and held, or `undefined` where they are not to be had. */
  const withBody = async (variant: StoredResponse, held: Digest[]): Promise<StoredResponse | undefined> => {
    const { digest, size, inline } = variant.body
    if (inline) return sha256(inline) === digest ? variant : undefined
    if (!(await blobs.hold(digest, size))) {
      const bytes = size > sharedBodyLimit ? undefined : await shared.body(digest)
      if (bytes?.length !== size || sha256(bytes) !== digest) return undefined
      const body = staging.create(size)
      try {
        await body.append(bytes)
        await body.seal()
        if (body.inline) return { ...variant, body: { digest, size, inline: body.inline } }
        await blobs.put(digest, body.file)
      } finally {
        await body.release()
      }
    }
    held.push(digest)
    return variant
  }

  /** Makes another replica's record ours as far as its bodies are at hand, and says what is ours then. */
  const adopt = async (theirs: StoredRecord, ours: StoredRecord | undefined): Promise<StoredRecord | undefined> => {
    const variants: StoredResponse[] = []
    const held: Digest[] = []
    try {
      for (const variant of theirs.variants) {
        const found = await withBody(variant, held)
        if (found) variants.push(found)
      }
      const whole = { ...theirs, variants }
      if (!isNews(whole, ours)) return ours
      let current = ours
      const adopted = await update(theirs.key, (now) => {
        current = now
        // It may have been purged while its bodies came.
        return isNews(whole, now) && isLeft(whole) ? whole : undefined
      })
      return adopted ?? current
    } finally {
      for (const digest of held) blobs.release(digest)
      await reclaim(held)
    }
  }

  // A blob that can't be read is heard of by the next who serves it; nothing is lost by not sharing it.
  const share = (record: StoredRecord) => void show(record).catch(() => {})

  return {
    async newest(key, ours) {
      const found = await shared.record(key)
      const theirs = found && isLeft(found) ? found : undefined
      // A store that can't take theirs over can't take a fill either, and that is heard of: here, ours is as good as ever.
      if (theirs && isNews(theirs, ours)) return adopt(theirs, ours).catch(() => ours)
      if (ours && shared.healthy && isNews(ours, theirs)) share(ours)
      return ours
    },
    share,
    tell: (record) => shared.share(record, new Map()),
  }
}

/** A removal outdates whatever was stored in ignorance of it, however late (K5); else the later write counts (D1). */
const isNewer = (record: StoredRecord, known: StoredRecord | undefined) =>
  !known || record.epoch > known.epoch || (record.epoch === known.epoch && record.version > known.version)

/** Without variants a record tells nothing but a removal; one that merely lost a damaged body is nobody else's business. */
const isNews = (record: StoredRecord, known: StoredRecord | undefined) =>
  isNewer(record, known) && (record.variants.length > 0 || record.epoch > (known?.epoch ?? 0))

const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function readWhole(blobs: BlobStore, { digest, size }: StoredBody): Promise<Uint8Array | undefined> {
  const blob = await blobs.open(digest, size)
  if (typeof blob === 'string') return undefined
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
