import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SharedCache, sharedBodyLimit } from '../../src/storage/shared-cache.js'
import {
  blobBody,
  digestOf,
  expectBytes,
  inlineBody,
  isEmpty,
  noise,
  record,
  response,
  settled,
} from '../storage/fixtures.js'

/** What several replicas share, empty, for one test. */
export interface SharedCacheDriver {
  /** A replica's view of it, ready for use. */
  connect(): Promise<SharedCache>
  /** Forgets everything behind the replicas' backs. */
  flush(): Promise<void>
  /** What is still open after every replica closed its view, in words. */
  leftovers(): Promise<readonly string[]>
  dispose(): Promise<void>
}

const nothing = new Map<never, never>()

/** The contract of the port; a test after which a connection stays open fails. */
export function sharedCacheContract(create: () => Promise<SharedCacheDriver>): void {
  let driver: SharedCacheDriver
  let caches: SharedCache[]

  beforeEach(async () => {
    driver = await create()
    caches = []
  })

  afterEach(async () => {
    try {
      await Promise.all(caches.map((cache) => cache.close()))
      expect(await settled(() => driver.leftovers(), isEmpty)).toEqual([])
    } finally {
      await driver.dispose()
    }
  })

  const connect = async (): Promise<SharedCache> => {
    const cache = await driver.connect()
    caches.push(cache)
    return cache
  }

  const learned = <T>(ask: () => Promise<T | undefined>) => settled(ask, (answer) => answer !== undefined)

  describe('replicas', () => {
    it('an unknown record or body is undefined', async () => {
      const cache = await connect()
      expect(await cache.record('raw/absent')).toBeUndefined()
      expect(await cache.body(digestOf(noise(3)))).toBeUndefined()
    })

    it('D1: share records with their inline bodies', async () => {
      const [one, two] = [await connect(), await connect()]
      const known = record('raw/a?x=%2B', [response(inlineBody(noise(16 * 1024))), response(inlineBody(noise(0)))])
      one.share(known, nothing)
      expect(await learned(() => two.record(known.key))).toEqual(known)
    })

    it("take turns: what one has claimed is no other replica's until it yields", async () => {
      const [one, two] = [await connect(), await connect()]
      expect(await learned(() => one.claim('work', 'one', 60_000))).toBe(true)
      expect(await learned(() => two.claim('work', 'two', 60_000))).toBe(false)
      expect(await one.claim('work', 'one', 60_000)).toBe(true)
      expect(await two.claim('other work', 'two', 60_000)).toBe(true)
      await two.yield('work', 'two')
      expect(await two.claim('work', 'two', 60_000)).toBe(false)
      await one.yield('work', 'one')
      expect(await two.claim('work', 'two', 60_000)).toBe(true)
    })

    it('a claim ends by itself', async () => {
      const [one, two] = [await connect(), await connect()]
      expect(await learned(() => one.claim('work', 'one', 50))).toBe(true)
      expect(
        await settled(
          () => two.claim('work', 'two', 60_000),
          (mine) => mine === true,
        ),
      ).toBe(true)
      expect(await one.claim('work', 'one', 50)).toBe(false)
    })

    it.each([0, 1, 20_000, sharedBodyLimit])(
      'D1: share a body of %i bytes, at hand when its record is',
      async (size) => {
        const [one, two] = [await connect(), await connect()]
        const bytes = noise(size)
        one.share(record('raw/a', [response(blobBody(bytes))]), new Map([[digestOf(bytes), bytes]]))
        expect(await learned(() => two.record('raw/a'))).toBeDefined()
        expectBytes(await two.body(digestOf(bytes)), bytes)
      },
    )

    it('a later record replaces the one before, tombstones too', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))], { version: 4 }), nothing)
      await learned(() => two.record('raw/a'))
      two.share(record('raw/a', [], { version: 5, epoch: 5 }), nothing)
      const last = await settled(
        () => one.record('raw/a'),
        (found) => found?.version === 5,
      )
      expect(last).toEqual(record('raw/a', [], { version: 5, epoch: 5 }))
    })

    it('keys are told apart', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      await learned(() => two.record('raw/a'))
      for (const key of ['raw/a?', 'raw/A', 'raw/a/', 'raw2/a']) expect(await two.record(key)).toBeUndefined()
    })

    it('what was shared may be reused by its owner at once', async () => {
      const [one, two] = [await connect(), await connect()]
      const bytes = noise(20_000)
      const sent = Buffer.from(bytes)
      one.share(record('raw/a', [response(blobBody(bytes))]), new Map([[digestOf(bytes), sent]]))
      sent.fill(0)
      await learned(() => two.record('raw/a'))
      expectBytes(await two.body(digestOf(bytes)), bytes)
    })
  })

  describe('absence', () => {
    it('what is forgotten is gone for all', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      await learned(() => two.record('raw/a'))
      two.forget('raw/a')
      const gone = await settled(
        () => one.record('raw/a'),
        (found) => found === undefined,
      )
      expect(gone).toBeUndefined()
    })

    it('D1: a flush leaves absences, and a cache in working order', async () => {
      const [one, two] = [await connect(), await connect()]
      const known = record('raw/a', [response(inlineBody(noise(3)))])
      one.share(known, nothing)
      await learned(() => two.record('raw/a'))
      await driver.flush()
      expect(await two.record('raw/a')).toBeUndefined()
      expect(two.healthy).toBe(true)
      one.share(known, nothing)
      expect(await learned(() => two.record('raw/a'))).toEqual(known)
    })

    it('a closed cache knows nothing, takes nothing, throws nothing', async () => {
      const cache = await driver.connect()
      await cache.close()
      await cache.close()
      cache.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      cache.forget('raw/a')
      expect(await cache.record('raw/a')).toBeUndefined()
      expect(await cache.body(digestOf(noise(3)))).toBeUndefined()
      expect(cache.healthy).toBe(false)
    })
  })
}
