import type { Digest, StoredRecord } from '../caching/record.js'
import type { Selection } from '../caching/selection.js'

/*
 * A tar, to be written and read in one go; nothing in it is ever looked up by its place.
 *
 *   larder-archive.json        {"format":"larder-archive","version":1,"createdAt":"..."}
 *   pins.json                  the pins of what is in it
 *   artifacts/00000001.json    a record without its bodies, as JSON; and behind it, those of its bodies
 *   blobs/sha256/<hex>         that were not there before: large ones once for each repository
 *   artifacts/00000002.json
 *   ...
 *   end.json                   {"artifacts":2}; without it the archive was cut
 *
 * Artifacts come repository by repository. An archive that breaks off is good as far as it goes.
 */

export const archiveFormat = 'larder-archive'
export const archiveVersion = 1

export const names = {
  start: 'larder-archive.json',
  pins: 'pins.json',
  end: 'end.json',
  artifact: (number: number) => `artifacts/${String(number).padStart(8, '0')}.json`,
  blob: (digest: Digest) => `blobs/${digest.replace(':', '/')}`,
} as const

export const artifactName = /^artifacts\/\d{8,12}\.json$/
export const blobName = /^blobs\/sha256\/([0-9a-f]{64})$/

/** What stands in an archive between its start and its end. */
export type ArchiveEntry =
  | { readonly kind: 'pins'; readonly pins: readonly Selection[] }
  | { readonly kind: 'artifact'; readonly record: StoredRecord }
  | {
      readonly kind: 'blob'
      readonly digest: Digest
      readonly size: number
      readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
    }
