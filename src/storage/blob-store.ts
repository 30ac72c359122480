import type { Digest } from '../caching/record.js'

/**
 * PORT. Immutable bytes, addressed by the digest of their content. Safe for concurrent use.
 * Absence is a value; only a fault of the store itself throws.
 */
export interface BlobStore {
  /**
   * Takes over a finished local file of that digest, durably. Until this resolves nothing is readable under the digest.
   * What lies under that name already is replaced: it may be damaged. The digest is held (`delete` spares it) until
   * `release` is called, so that its record can be written (D7).
   */
  put(digest: Digest, file: string): Promise<void>
  /** Holds a blob that is here already, as `put` does; false (and nothing held) if `open` would not open it. */
  hold(digest: Digest, size: number): Promise<boolean>
  /** Lets go of one hold. */
  release(digest: Digest): void
  /** Opens the blob for positioned reads, or says why it can't be served (D4). The caller closes it. */
  open(digest: Digest, size: number): Promise<OpenBody | Unusable>
  /** Removes the blob unless it is held, or `stillNeeded()`, or too young (a shared store's); true if nothing is left of it. */
  delete(digest: Digest, stillNeeded: () => boolean): Promise<boolean>
  /** Every digest here, in no order; for sweeping. */
  list(): AsyncIterable<Digest>
}

/** It is not here; its size is another; it can't be read, be it another's, a directory, or on a bad sector. */
export type Unusable = 'gone' | 'size' | 'unreadable'

/** Bytes that are read by position: a stored blob, or a body that is still coming in. */
export interface OpenBody {
  /**
   * Fills `into` from `position` (bytes); returns how many came, 0 at the end. Throws where the body can't be completed;
   * `STORE_FAULT` where its store can't be asked now, which says nothing of the body; `INTEGRITY_MISMATCH` where what was
   * read so far is not what its digest says.
   */
  read(into: Uint8Array, position: number): Promise<number>
  /** What there is in memory anyway of the bytes from `position` to `end` (exclusive), to be sent as it is; else nothing. */
  peek?(position: number, end: number): readonly Uint8Array[]
  close(): void
}
