import { describe, expect, it } from 'vitest'
import type { Digest } from '../../src/caching/record.js'
import type { BlobStore } from '../../src/storage/blob-store.js'
import { withSharedBodies } from '../../src/storage/shared-bodies.js'
import { sharedBodyLimit } from '../../src/storage/shared-cache.js'
import { digestOf, noise } from './fixtures.js'

/** A store that only tells what it is asked for, and a cache with these bytes under that digest. */
function stage(digest: Digest, bytes: Uint8Array | undefined) {
  const asked: Digest[] = []
  const open = async (wanted: Digest) => {
    asked.push(wanted)
    return 'gone'
  }
  const store = { open } as unknown as BlobStore
  const shared = withSharedBodies(store, { body: async (wanted) => (wanted === digest ? bytes : undefined) })
  return { asked, shared }
}

describe('D1: small bodies that replicas share', () => {
  const body = noise(100_000)

  it('are not read from the store', async () => {
    const { asked, shared } = stage(digestOf(body), body)
    const open = await shared.open(digestOf(body), body.length)
    if (typeof open === 'string') throw new Error(open)
    const into = Buffer.alloc(body.length)
    expect([await open.read(into, 0), into.equals(body), asked]).toEqual([body.length, true, []])
  })

  it.each<[string, Uint8Array | undefined, number]>([
    ['absent', undefined, body.length],
    ['cut', body.subarray(1), body.length],
    ['damaged', Buffer.concat([body.subarray(1), Buffer.of(0)]), body.length],
    ['too large to be shared', body, sharedBodyLimit + 1],
  ])('%s: from the store', async (_, bytes, size) => {
    const { asked, shared } = stage(digestOf(body), bytes)
    expect([await shared.open(digestOf(body), size), asked]).toEqual(['gone', [digestOf(body)]])
  })
})
