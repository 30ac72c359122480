import { createHash } from 'node:crypto'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Digest, StoredBody, StoredResponse } from '../caching/record.js'
import { isLarderError } from '../errors.js'
import type { BlobStore } from './blob-store.js'
import type { Damage, Damaged, Drop } from './damage.js'
import type { Mend } from './drops.js'
import type { RecordStore } from './record-store.js'

export interface VerifyOptions {
  /** Bytes read per second, at most; 64 MiB unless told. */
  readonly rate?: number
  /** Ends it between two reads: it rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** After each artifact. */
  readonly onProgress?: (progress: VerifyProgress) => void
  readonly onDamaged?: (damaged: Damaged) => void
}

export interface VerifyProgress {
  /** Artifacts looked at. */
  readonly checked: number
  /** Bytes of bodies read. */
  readonly bytes: number
  /** Damaged artifacts found. */
  readonly damaged: number
}

/** Where blobs are read from that are looked at for damage. */
export interface Verifiable extends Pick<BlobStore, 'open'> {
  /** Reads a copy that is elsewhere, and removes it where it is damaged; waits for `taken` after each read, and rejects with it. */
  checkCopy?(digest: Digest, size: number, taken: Taken): Promise<void>
}

/** Told of bytes that were read. */
export type Taken = (bytes: number) => Promise<void>

export interface VerifyDeps {
  readonly records: RecordStore
  readonly blobs: Verifiable
  /** Tells of what it drops. */
  readonly drop: Drop
  readonly mend: Mend
  /** Is told of the rest. */
  readonly tell: (damaged: Damaged) => void
}

const defaultRate = 64 * 1024 * 1024
const chunkBytes = 256 * 1024

/** Sound blobs remembered, so that one that many keys share is read once; forgetting one costs a reading. */
const remembered = 10_000

/**
 * Reads every stored body again, compares it with its digest, and drops what is damaged (D4), or marks it where it was uploaded. Safe beside everything else;
 * a blob without a record is the sweep's. What the remote may have changed meanwhile is looked at again before it goes.
 */
export async function verify(deps: VerifyDeps, options: VerifyOptions = {}): Promise<VerifyProgress> {
  const { records, drop, mend, tell } = deps
  const { signal, onProgress, onDamaged } = options
  const progress = { checked: 0, bytes: 0, damaged: 0 }
  const sound = new LRUCache<Digest, true>({ max: remembered })
  const pace = createPace(options.rate ?? defaultRate, signal)
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  const damageOf = (body: StoredBody) =>
    bodyDamage(deps.blobs, body, buffer, async (bytes) => {
      progress.bytes += bytes
      signal?.throwIfAborted()
      await pace(bytes)
    })
  const found = (damaged: Damaged) => {
    progress.damaged += 1
    onDamaged?.(damaged)
  }

  const check = async (key: string, variant: StoredResponse) => {
    const { digest, inline } = variant.body
    const isKnown = !inline && sound.has(digest)
    if (isKnown || (await damageOf(variant.body)) === undefined) {
      if (!inline) sound.set(digest, true)
      if (variant.damaged) await mend(key, variant)
      return
    }
    // Replaced, removed or fetched anew while it was read?
    const current = (await records.get(key))?.variants.find((now) => isSame(now, variant))
    const reason = current && (await damageOf(current.body))
    if (!reason) return
    await drop(key, current, reason)
    found({ key, digest, reason })
  }

  for await (const { key, variants } of records.list('')) {
    for (const variant of variants) {
      signal?.throwIfAborted()
      await check(key, variant)
      progress.checked += 1
      onProgress?.({ ...progress })
    }
    await turn()
  }
  for await (const key of records.undecodable()) {
    const damaged = { key, reason: 'record' } as const
    tell(damaged)
    found(damaged)
  }
  return progress
}

const isSame = (a: StoredResponse, b: StoredResponse) =>
  a.body.digest === b.body.digest && a.responseTime === b.responseTime

async function bodyDamage(
  blobs: Verifiable,
  { digest, size, inline }: StoredBody,
  buffer: Buffer,
  taken: Taken,
): Promise<Damage | undefined> {
  const hash = createHash('sha256')
  const matches = () => (`sha256:${hash.digest('hex')}` === digest ? undefined : 'digest')
  if (inline) {
    hash.update(inline)
    await taken(inline.length)
    return matches()
  }
  await blobs.checkCopy?.(digest, size, taken)
  const blob = await blobs.open(digest, size)
  if (typeof blob === 'string') return blob
  try {
    for (let at = 0; at < size; ) {
      const count = await blob.read(buffer, at).catch(unreadable)
      if (count === undefined) return 'unreadable'
      if (count === 0) return 'size'
      hash.update(buffer.subarray(0, count))
      at += count
      await taken(count)
    }
    return matches()
  } finally {
    blob.close()
  }
}

/** A store that can't be asked now says nothing of the body. */
function unreadable(error: unknown): undefined {
  if (isLarderError(error) && error.code === 'STORE_FAULT') throw error
}

/** Shorter waits (ms) are put off: a timer takes a millisecond, which most bodies are not worth. */
const leastWait = 20

/** Waits so that no more than `rate` bytes a second are taken. */
function createPace(rate: number, signal: AbortSignal | undefined) {
  /** When all that was taken so far is paid for (ms, monotonic). */
  let paid = 0
  return async (bytes: number): Promise<void> => {
    const now = performance.now()
    paid = Math.max(paid, now) + (bytes / rate) * 1000
    if (paid - now >= leastWait) await sleep(paid - now, undefined, { signal })
  }
}
