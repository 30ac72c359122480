import { withoutQueryValues } from '../caching/cache-key.js'
import type { Digest, StoredResponse } from '../caching/record.js'
import { type ErrorCode, isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { BlobStore, OpenBody, Unusable } from './blob-store.js'

/** What is wrong with a stored body, or with the whole record. */
export type Damage = Unusable | 'digest' | 'record'

export interface Damaged {
  /** The cache key; of a record that can't be decoded, its storage key. */
  readonly key: string
  readonly digest?: Digest
  readonly reason: Damage
  /** Whether it stays, marked: it was uploaded. */
  readonly kept?: true
  /** Why it could not be dropped, if so. */
  readonly fault?: unknown
}

/** Tells the operator of damaged bodies. */
export const createDamageReport =
  (metrics: Metrics, log: Logger) =>
  ({ key, digest, reason, kept, fault }: Damaged): void => {
    const [repository = ''] = (reason === 'record' ? key.replace(/^v\d+\//, '') : key).split('/', 1)
    metrics.damagedBodies.inc({ repository, reason })
    const about = { repository, key: withoutQueryValues(key), digest, reason }
    if (reason === 'record') log.warn(about, 'a record cannot be decoded; it counts as absent')
    else if (kept) log.error(about, 'an uploaded body is damaged; upload it again, or delete it')
    else if (fault === undefined) log.warn(about, 'a stored body is damaged; it was dropped')
    else log.error({ ...about, err: fault }, 'a stored body is damaged and could not be dropped')
  }

/** Forgets a variant with a damaged body, or marks one that was uploaded, and tells of it if that is news. Never rejects: whoever found it has to go on. */
export type Drop = (key: string, damaged: StoredResponse, reason: Damage) => Promise<void>

/**
 * The body of a variant; `undefined` where it can't be served, and the variant is dropped. One that turns out damaged while
 * it is read throws `STORE_FAULT`, and is dropped too (D4); `INTEGRITY_MISMATCH` where nothing may go on from what was read.
 */
export async function openSound(
  blobs: BlobStore,
  drop: Drop,
  key: string,
  stored: StoredResponse,
): Promise<OpenBody | undefined> {
  const { digest, size } = stored.body
  const blob = await blobs.open(digest, size)
  if (typeof blob === 'string') {
    await drop(key, stored, blob)
    return undefined
  }
  let closed = false
  const damaged = (reason: Damage, cause?: unknown) => {
    void drop(key, stored, reason)
    return new LarderError('STORE_FAULT', `a stored body is damaged: ${reason}`, { cause })
  }
  return {
    read: (into, position) =>
      blob.read(into, position).then(
        (count) => {
          if (count === 0 && position < size && into.length > 0) throw damaged('size')
          return count
        },
        async (error) => {
          // Who reads what he closed is told so, and a store that does not answer: the blob has done nothing wrong.
          if (closed || hasCode(error, 'STORE_FAULT')) throw error
          if (!hasCode(error, 'INTEGRITY_MISMATCH')) throw damaged('unreadable', error)
          await drop(key, stored, 'digest')
          throw error
        },
      ),
    close() {
      closed = true
      blob.close()
    },
  }
}

const hasCode = (error: unknown, code: ErrorCode) => isLarderError(error) && error.code === code
