import { createHash } from 'node:crypto'
import type { BlobStore } from './blob-store.js'
import { inMemory } from './in-memory.js'
import { type SharedCache, sharedBodyLimit } from './shared-cache.js'

/** Small blobs come from what replicas share in memory, where it has them whole; all else from the store itself (D1). */
export const withSharedBodies = (store: BlobStore, shared: Pick<SharedCache, 'body'>): BlobStore => ({
  ...store,
  async open(digest, size) {
    const bytes = size > sharedBodyLimit ? undefined : await shared.body(digest)
    const isWhole = bytes?.length === size && `sha256:${createHash('sha256').update(bytes).digest('hex')}` === digest
    return isWhole ? inMemory(bytes) : store.open(digest, size)
  },
})
