import { storageKey } from '../../caching/cache-key.js'
import type { Digest } from '../../caching/record.js'
import { selectionHash } from '../../caching/selection.js'
import type { StandingOrder } from '../record-store.js'

/*
 * <prefix>
 *   format                                        {"format":1}: the layout's version (D5)
 *   v1/records/<repository>/<path, cut>/<sha256>  one record: its storage key, encoded as on disk; never longer than 1024 bytes
 *   v1/blobs/sha256/3f/3f9a...                    one blob, named by its digest; whole from the moment it is there
 *   v1/orders/pin/<sha256 of the selection>       one standing order, JSON; v1/orders/purge/... likewise
 *   v1/uses/<replica>                             {"<cache key>":<ms>}: what that replica served lately, JSON
 *   v1/trial/<uuid>                               written and removed to see what the gateway can do
 */

/** What a storage key begins with: its own version, for which ours stands. */
const keyVersion = 'v1/'

/** S3's limit for the name of an object, bytes; ours are ASCII. */
const longestName = 1024

const hashLength = 64

export interface Layout {
  readonly format: string
  readonly records: string
  readonly blobs: string
  readonly orders: string
  readonly uses: string
  readonly trials: string
  record(key: string): string
  /** What the names of records begin with whose storage keys begin so. */
  recordsUnder(storagePrefix: string): string
  /** The storage key, as far as its name tells it. */
  storageKeyOf(name: string): string
  blob(digest: Digest): string
  /** `undefined` for what is no blob's name. */
  digestOf(name: string): Digest | undefined
  order(order: StandingOrder): string
}

export function layoutUnder(prefix: string): Layout {
  const root = `${prefix}v1/`
  const records = `${root}records/`
  const blobs = `${root}blobs/sha256/`
  const orders = `${root}orders/`
  // The path is there to list by; the hash tells keys apart.
  const room = longestName - records.length
  const cut = (id: string) =>
    id.length <= room ? id : `${id.slice(0, room - hashLength - 1)}/${id.slice(-hashLength)}`
  const blobName = /^[0-9a-f]{2}\/([0-9a-f]{64})$/
  return {
    ...{ records, blobs, orders },
    format: `${prefix}format`,
    uses: `${root}uses/`,
    trials: `${root}trial/`,
    record: (key) => records + cut(storageKey(key).slice(keyVersion.length)),
    recordsUnder: (id) => records + id.slice(keyVersion.length, keyVersion.length + room - hashLength - 1),
    storageKeyOf: (name) => keyVersion + name.slice(records.length),
    blob(digest) {
      const hex = digest.slice('sha256:'.length)
      return `${blobs}${hex.slice(0, 2)}/${hex}`
    },
    digestOf(name) {
      const [, hex] = blobName.exec(name.slice(blobs.length)) ?? []
      return hex === undefined ? undefined : `sha256:${hex}`
    },
    order: (order) => `${orders}${order.kind}/${selectionHash(order.selection)}`,
  }
}
