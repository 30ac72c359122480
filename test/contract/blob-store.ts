import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../src/caching/record.js'
import type { BlobStore, OpenBody } from '../../src/storage/blob-store.js'
import { collect, digestOf, expectBytes, isEmpty, noise, settled } from '../storage/fixtures.js'

/** One blob store, empty, for one test. */
export interface BlobStoreDriver {
  readonly store: BlobStore
  /** A finished local file of these bytes, for `put` to take over. */
  stage(bytes: Uint8Array): Promise<string>
  /** Makes the stored blob something else than it was, behind the store's back. */
  damage(digest: Digest, bytes: Uint8Array | 'unreadable'): Promise<void>
  /** What is left open or lying about now that no blob is stored, in words. */
  leftovers(): Promise<readonly string[]>
  dispose(): Promise<void>
}

const never = () => false
const always = () => true

/** The contract of the port; a test that leaves a hold, a staged file or a descriptor behind fails. */
export function blobStoreContract(create: () => Promise<BlobStoreDriver>): void {
  let driver: BlobStoreDriver
  let touched: Set<Digest>

  beforeEach(async () => {
    driver = await create()
    touched = new Set()
  })

  afterEach(async () => {
    try {
      for (const digest of [...touched, ...(await collect(driver.store.list()))]) {
        expect(await driver.store.delete(digest, never), `${digest} is still held`).toBe(true)
      }
      expect(await collect(driver.store.list())).toEqual([])
      expect(await settled(() => driver.leftovers(), isEmpty)).toEqual([])
    } finally {
      await driver.dispose()
    }
  })

  const put = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = digestOf(bytes)
    touched.add(digest)
    await driver.store.put(digest, await driver.stage(bytes))
    return digest
  }

  /** Put, and its record written. */
  const store = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = await put(bytes)
    driver.store.release(digest)
    return digest
  }

  const opened = async (digest: Digest, size: number): Promise<OpenBody> => {
    const body = await driver.store.open(digest, size)
    if (typeof body === 'string') throw new Error(`${digest} is ${body}`)
    return body
  }

  const read = async (digest: Digest, size: number): Promise<Buffer | undefined> => {
    const body = await driver.store.open(digest, size)
    if (typeof body === 'string') return undefined
    try {
      return await readAll(body)
    } finally {
      body.close()
    }
  }

  describe('put and open', () => {
    it.each([0, 1, 16 * 1024 + 1, 1024 * 1024 + 3])('D3: %i bytes come back as they were', async (size) => {
      const bytes = noise(size)
      expectBytes(await read(await store(bytes), size), bytes)
    })

    it('an absent blob is gone', async () => {
      expect(await driver.store.open(digestOf(noise(8)), 8)).toBe('gone')
    })

    it.each([-1, 1])('D4: a record that is %i byte off finds nothing', async (off) => {
      const bytes = noise(5000)
      expect(await driver.store.open(await store(bytes), bytes.length + off)).toBe('size')
    })

    it('reads by position, as much as there is, and 0 from the end on', async () => {
      const bytes = noise(1000)
      const body = await opened(await store(bytes), 1000)
      const into = Buffer.alloc(600)
      expect(await body.read(into, 0)).toBe(600)
      expectBytes(into, bytes.subarray(0, 600))
      expect(await body.read(into, 600)).toBe(400)
      expectBytes(into.subarray(0, 400), bytes.subarray(600))
      expect(await body.read(into, 1000)).toBe(0)
      expect(await body.read(into, 5000)).toBe(0)
      body.close()
    })

    it('many readers of one blob do not disturb one another', async () => {
      const bytes = noise(300_000)
      const digest = await store(bytes)
      const copies = await Promise.all(Array.from({ length: 16 }, () => read(digest, bytes.length)))
      for (const copy of copies) expectBytes(copy, bytes)
    })

    it('closing twice closes once, and a read in flight still ends', async () => {
      const bytes = noise(200_000)
      const digest = await store(bytes)
      const body = await opened(digest, bytes.length)
      const reading = body.read(Buffer.alloc(200_000), 0)
      body.close()
      body.close()
      expect(await reading).toBe(200_000)
      expectBytes(await read(digest, bytes.length), bytes)
    })

    it('D3: the same bytes put at the same time are one blob', async () => {
      const bytes = noise(50_000)
      const digests = await Promise.all(Array.from({ length: 8 }, () => put(bytes)))
      for (const digest of digests) driver.store.release(digest)
      expect(await collect(driver.store.list())).toEqual([digestOf(bytes)])
      expectBytes(await read(digestOf(bytes), bytes.length), bytes)
    })

    it.each([
      ['cut short', (bytes: Buffer) => bytes.subarray(0, 4999), 'size'],
      ['with a byte flipped', flipped, undefined],
      ['replaced by what cannot be read', () => 'unreadable' as const, 'unreadable'],
    ])('D4: a blob %s is replaced by the next put', async (_, damage, unusable) => {
      const bytes = noise(5000)
      const digest = await store(bytes)
      await driver.damage(digest, damage(bytes))
      if (unusable) expect(await driver.store.open(digest, 5000)).toBe(unusable)
      await store(bytes)
      expectBytes(await read(digest, 5000), bytes)
    })

    it('D4: what cannot be read cannot be held, and can be removed', async () => {
      const digest = await store(noise(5000))
      await driver.damage(digest, 'unreadable')
      expect(await driver.store.hold(digest, 5000)).toBe(false)
      expect(await driver.store.delete(digest, never)).toBe(true)
      expect(await driver.store.open(digest, 5000)).toBe('gone')
    })

    it('a put that fails throws and holds nothing', async () => {
      const digest = digestOf(noise(8))
      touched.add(digest)
      await expect(driver.store.put(digest, '/nowhere/at/all')).rejects.toThrow()
      expect(await driver.store.open(digest, 8)).toBe('gone')
    })
  })

  describe('delete', () => {
    it('what is gone cannot be opened, and an absent blob is not an error', async () => {
      const bytes = noise(5000)
      const digest = await store(bytes)
      expect(await driver.store.delete(digest, never)).toBe(true)
      expect(await read(digest, 5000)).toBeUndefined()
      expect(await driver.store.delete(digest, never)).toBe(true)
    })

    it('D7: an open blob is read to its end after its removal', async () => {
      const bytes = noise(400_000)
      const digest = await store(bytes)
      const body = await opened(digest, bytes.length)
      await driver.store.delete(digest, never)
      expectBytes(await readAll(body), bytes)
      body.close()
    })

    it('D7: a blob that is still needed stays', async () => {
      const bytes = noise(5000)
      const digest = await store(bytes)
      expect(await driver.store.delete(digest, always)).toBe(false)
      expectBytes(await read(digest, 5000), bytes)
    })

    it('D7: a put holds until its release; each put counts', async () => {
      const bytes = noise(5000)
      const digest = await put(bytes)
      await put(bytes)
      expect(await driver.store.delete(digest, never)).toBe(false)
      driver.store.release(digest)
      expect(await driver.store.delete(digest, never)).toBe(false)
      expectBytes(await read(digest, 5000), bytes)
      driver.store.release(digest)
      expect(await driver.store.delete(digest, never)).toBe(true)
    })

    it('D7: a known blob can be held; an absent one or one of another size cannot', async () => {
      const bytes = noise(5000)
      const digest = await store(bytes)
      expect(await driver.store.hold(digest, 4999)).toBe(false)
      expect(await driver.store.hold(digestOf(noise(8)), 8)).toBe(false)
      expect(await driver.store.hold(digest, 5000)).toBe(true)
      expect(await driver.store.delete(digest, never)).toBe(false)
      driver.store.release(digest)
      expect(await driver.store.delete(digest, never)).toBe(true)
    })

    it('D7: a removal that meets a put never takes what was put', async () => {
      const bytes = noise(20_000)
      const digest = await store(bytes)
      for (let round = 0; round < 25; round += 1) {
        const staged = await driver.stage(bytes)
        const removals = [driver.store.delete(digest, never), driver.store.delete(digest, never)]
        await Promise.all([...removals, driver.store.put(digest, staged), driver.store.delete(digest, never)])
        expectBytes(await read(digest, bytes.length), bytes)
        driver.store.release(digest)
      }
    })

    it('D7: a hold that meets a removal is granted only if the blob stays', async () => {
      const bytes = noise(5000)
      const digest = digestOf(bytes)
      for (let round = 0; round < 25; round += 1) {
        await store(bytes)
        const removal = driver.store.delete(digest, never)
        const held = await driver.store.hold(digest, 5000)
        expect(await removal).toBe(!held)
        expect((await read(digest, 5000)) !== undefined).toBe(held)
        if (held) driver.store.release(digest)
      }
    })
  })

  describe('list', () => {
    it('names every blob once', async () => {
      const digests = await Promise.all(Array.from({ length: 30 }, (_, size) => store(noise(size + 20))))
      expect((await collect(driver.store.list())).sort()).toEqual(digests.sort())
    })

    it('D7: blobs may go while they are listed', async () => {
      const stored = await Promise.all(Array.from({ length: 30 }, (_, size) => store(noise(size + 20))))
      const listed: Digest[] = []
      for await (const digest of driver.store.list()) {
        listed.push(digest)
        await driver.store.delete(digest, never)
      }
      expect(listed.sort()).toEqual(stored.sort())
    })

    it('can be left half way', async () => {
      await Promise.all([store(noise(20)), store(noise(21)), store(noise(22))])
      for await (const digest of driver.store.list()) {
        expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
        break
      }
    })
  })
}

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(4000) ^ 1, 4000)
  return copy
}

async function readAll(body: OpenBody): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const into = Buffer.alloc(64 * 1024)
    const count = await body.read(into, at)
    if (count === 0) return Buffer.concat(parts)
    parts.push(into.subarray(0, count))
    at += count
  }
}
