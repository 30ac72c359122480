import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StoredRecord } from '../../src/caching/record.js'
import type { Selection } from '../../src/caching/selection.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { createEviction } from '../../src/storage/eviction.js'
import type { LastUses } from '../../src/storage/last-uses.js'
import type { RecordStore } from '../../src/storage/record-store.js'
import { type ArtifactStage, bytesOf, publish, setArtifactStage } from './artifact-stage.js'
import { blobBody, collect, expectBytes, inlineBody, noise, record, response, settled } from './fixtures.js'
import { SharedMemory } from './memory-shared-cache.js'

const KiB = 1024
const size = 20 * KiB

/** By then a replica asks for what it has in memory again, ms. */
const trusted = 2001

const everything = (repository = 'raw'): Selection => ({ repository, by: 'all', pattern: '' })
const keysOf = async ({ records }: ArtifactStage) => (await collect(records.list(''))).map(({ key }) => key).sort()

/** Stored at the time; no two are alike. */
const put = (store: ArtifactStore, key: string, at: number, bytes: Uint8Array = noise(size)) =>
  publish(store, key, bytes, { head: { responseTime: at } })

/** Artifacts `raw/0`..., each stored a second after the one before, long ago. */
const fill = async (store: ArtifactStore, count: number, repository = 'raw') => {
  for (let i = 0; i < count; i += 1) await put(store, `${repository}/${i}`, 1000 * i)
}

describe('K6: over a cap', () => {
  it.each([
    ['of the whole store', { maxSize: 10 * size }],
    ['of the repository', { retention: { raw: { maxSize: 10 * size } } }],
  ])('%s, what was used least recently goes, blobs and all', async (_, caps) => {
    const stage = await setArtifactStage(caps)
    const { store, blobs } = stage
    await fill(store, 10)
    expect(await keysOf(stage)).toHaveLength(10)
    store.use('raw/0', Date.now())
    expect(await put(store, 'raw/new', Date.now())).toBe(true)
    // 11 with the new one; down to 95 %, that is 9, and the new one is one of them.
    expect(await keysOf(stage)).toEqual(['raw/0', ...[3, 4, 5, 6, 7, 8, 9].map((i) => `raw/${i}`), 'raw/new'])
    expect(store.totals()).toEqual({ records: 9, bytes: 9 * size })
    expect(await collect(blobs.list())).toHaveLength(9)
    const { metrics } = stage
    expect((await metrics.evictions.get()).values).toEqual([
      { labels: { repository: 'raw', reason: 'size' }, value: 2 },
    ])
    expect((await metrics.evictedBytes.get()).values[0]?.value).toBe(2 * size)
  })

  it('of a repository, another one is left alone; of the whole store, the oldest of all goes', async () => {
    const one = await setArtifactStage({ retention: { a: { maxSize: 2 * size } } })
    await fill(one.store, 3, 'b')
    await fill(one.store, 4, 'a')
    expect((await keysOf(one)).filter((key) => key.startsWith('b/'))).toHaveLength(3)
    expect(one.store.totals('a').bytes).toBeLessThanOrEqual(2 * size)

    const all = await setArtifactStage({ maxSize: 4 * size })
    await put(all.store, 'b/old', 1)
    await put(all.store, 'a/older', 0)
    await put(all.store, 'a/young', 3)
    await put(all.store, 'b/younger', 4)
    await put(all.store, 'c/new', 5)
    expect(await keysOf(all)).toEqual(['a/young', 'b/younger', 'c/new'])
  })

  it('a shared blob counts fully in each repository, once in the store', async () => {
    const stage = await setArtifactStage({ maxSize: 2 * size, retention: { a: { maxSize: 2 * size } } })
    const bytes = noise(size)
    for (const key of ['a/1', 'a/2', 'b/1', 'c/1']) await put(stage.store, key, 1, bytes)
    expect(await keysOf(stage)).toHaveLength(4)
    expect(stage.store.totals('a')).toEqual({ records: 2, bytes: size })
    expect(stage.store.totals('b')).toEqual({ records: 1, bytes: size })
    expect(stage.store.totals()).toEqual({ records: 4, bytes: size })
  })

  it('what is in use all the time goes too, where there is nothing else', async () => {
    const { store } = await setArtifactStage({ maxSize: 3.5 * size })
    await fill(store, 3)
    let served = true
    const serve = () => {
      for (const i of [0, 1, 2]) store.use(`raw/${i}`, performance.timeOrigin + performance.now())
      if (served) setImmediate(serve)
    }
    serve()
    expect(await put(store, 'raw/new', Date.now())).toBe(true)
    served = false
    expect(store.totals().records).toBe(3)
  })

  it('what was evicted and stored again is there, though the clock was set back meanwhile', async () => {
    const { store, records } = await setArtifactStage({ maxSize: 1.5 * size })
    const now = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: now + 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    await put(store, 'raw/a', 1)
    await put(store, 'raw/b', 2)
    expect(records.get('raw/a')).toBeUndefined()
    vi.setSystemTime(now)
    expect(await put(store, 'raw/a', 3)).toBe(true)
    expect((await store.lookup('raw/a'))?.variants).toHaveLength(1)
  })

  it('what was evicted and taken over from a replica is there', async () => {
    const redis = new SharedMemory()
    const { store, records } = await setArtifactStage({ shared: redis.connect(), maxSize: 1.5 * size })
    await put(store, 'raw/a', 1)
    await settled(
      () => redis.record('raw/a'),
      (found) => found !== undefined,
    )
    await put(store, 'raw/b', 2)
    expect(await records.get('raw/a')).toBeUndefined()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + trusted })
    onTestFinished(() => void vi.useRealTimers())
    expect((await store.lookup('raw/a'))?.variants).toHaveLength(1)
  })

  it('a blob that cannot be removed stops no eviction, and is removed by the next clean-up', async () => {
    let broken = true
    const stage = await setArtifactStage({
      maxSize: 2 * size,
      blobs: (blobs) => ({
        ...blobs,
        delete: (digest, needed) =>
          broken && !needed() ? Promise.reject(new Error('EACCES')) : blobs.delete(digest, needed),
      }),
    })
    await fill(stage.store, 5)
    expect(stage.store.totals().records).toBe(1)
    broken = false
    expect((await stage.store.gc()).blobs).toBe(4)
  })

  it('room is made while a body of known length comes in', async () => {
    const stage = await setArtifactStage({ maxSize: 10 * size })
    await fill(stage.store, 9)
    const body = stage.store.stage('raw/big', 5 * size, [])
    await settled(
      () => keysOf(stage),
      ({ length }) => length <= 4,
    )
    expect(body.kept).toBe(true)
    expect((await keysOf(stage)).length).toBe(4)
    await body.release()
  })

  it('what comes in while room is made is no reason to refuse what comes later', async () => {
    let names = 0
    const held = new Map<string, StoredRecord>()
    const arrive = () => {
      const key = `raw/${names++}`
      held.set(key, record(key, [response(blobBody(noise(8)))]))
    }
    arrive()
    let reserved = 4
    const eviction = createEviction({
      records: {
        ...({} as RecordStore),
        totals: () => ({ records: held.size, bytes: 8 * held.size }),
        repositories: () => ['raw'],
        leastUsed: (_, limit, after) =>
          after ? [] : [...held.keys()].slice(0, limit).map((key) => ({ key, lastUse: 1 })),
        uploadedBytes: () => 0,
        get: (key) => held.get(key),
      },
      evict: async ({ key }) => {
        held.delete(key)
        arrive()
        return 8
      },
      ...{
        capOf: () => 10,
        reserved: () => reserved,
        isPinned: () => false,
        unusedFor: () => Number.POSITIVE_INFINITY,
      },
      lastUses: { ...({} as LastUses), flush: async () => {} },
      ...{ metrics: createMetrics(), log: createLog('silent'), signal: new AbortController().signal },
    })
    await eviction.makeRoom()
    reserved = 0
    expect(eviction.hasRoom('raw', 10)).toBe(true)
  })

  it('an evicted key is a miss that can be stored again', async () => {
    const { store } = await setArtifactStage({ maxSize: 2 * size })
    await fill(store, 3)
    expect((await store.lookup('raw/0'))?.variants ?? []).toEqual([])
    const bytes = noise(size)
    expect(await put(store, 'raw/0', 9000, bytes)).toBe(true)
    expectBytes(await bytesOf(store, await store.lookup('raw/0')), bytes)
  })

  it('the epoch of a purge outlives an eviction', async () => {
    const { store } = await setArtifactStage({ maxSize: 2 * size })
    await store.purge({ repository: 'raw', by: 'path', pattern: '0' }, { soft: false })
    const epoch = store.epochOf('raw/0', await store.lookup('raw/0'))
    await publish(store, 'raw/0', noise(size), { epoch, head: { responseTime: 0 } })
    await put(store, 'raw/1', 1)
    await put(store, 'raw/2', 2)
    expect((await store.lookup('raw/0'))?.variants).toEqual([])
    expect(await publish(store, 'raw/0', noise(size), { epoch: 0 })).toBe(false)
  })
})

describe('K7: no room', () => {
  it.each([
    ['larger than the cap of the store', { maxSize: 2 * size }],
    ['larger than the cap of its repository', { retention: { raw: { maxSize: 2 * size } } }],
  ])('what is %s is not kept, and evicts nothing', async (_, caps) => {
    const stage = await setArtifactStage(caps)
    await put(stage.store, 'raw/small', 1)
    const body = stage.store.stage('raw/huge', 3 * size, [])
    expect(body.kept).toBe(false)
    await body.release()
    expect(await publish(stage.store, 'raw/huge', noise(3 * size), { unknownLength: true })).toBe(false)
    expect(await keysOf(stage)).toEqual(['raw/small'])
  })

  it('what is reserved by open fills is not there for others, until they end', async () => {
    const { store } = await setArtifactStage({ maxSize: 10 * size })
    const first = store.stage('raw/1', 6 * size, [])
    const second = store.stage('raw/2', 6 * size, [])
    expect([first.kept, second.kept]).toEqual([true, false])
    await second.release()
    await first.release()
    const third = store.stage('raw/3', 6 * size, [])
    expect(third.kept).toBe(true)
    await third.release()
  })

  it('pins are never evicted: with a cap full of them nothing is kept, until one is taken back', async () => {
    const stage = await setArtifactStage({ maxSize: 3 * size })
    const { store } = stage
    await store.pin(everything())
    await fill(store, 3)
    expect(await put(store, 'raw/new', 9000)).toBe(false)
    expect(await put(store, 'other/new', 9000)).toBe(false)
    expect(store.stage('raw/again', size, []).kept).toBe(false)
    expect(await keysOf(stage)).toEqual(['raw/0', 'raw/1', 'raw/2'])
    expect(await store.unpin(everything())).toBe(true)
    expect(await put(store, 'raw/new', 9000)).toBe(true)
    expect(await keysOf(stage)).not.toContain('raw/0')
  })
})

describe('K6: pins', () => {
  it('hold for what is stored later, survive a restart, and go one by one', async () => {
    const stage = await setArtifactStage()
    const glob: Selection = { repository: 'raw', by: 'glob', pattern: 'jdk/**' }
    const path: Selection = { repository: 'raw', by: 'path', pattern: 'jdk/a' }
    await stage.store.pin(glob)
    await stage.store.pin(path)
    const store = await stage.reopen()
    expect([store.isPinned('raw/jdk/a'), store.isPinned('raw/jdk/b/c'), store.isPinned('raw/x')]).toEqual([
      true,
      true,
      false,
    ])
    expect(store.pins()).toHaveLength(2)
    expect(await store.unpin(path)).toBe(true)
    expect(await store.unpin(path)).toBe(false)
    expect(store.isPinned('raw/jdk/a')).toBe(true)
    await store.unpin(glob)
    expect([store.isPinned('raw/jdk/a'), store.pins()]).toEqual([false, []])
  })

  it('do not keep from a purge', async () => {
    const { store } = await setArtifactStage()
    await store.pin(everything())
    await put(store, 'raw/a', 1)
    expect(await store.purge(everything(), { soft: false })).toEqual({ records: 1, bytes: size })
  })
})

describe('K6: last use', () => {
  it('costs no write, is written together, and is there after a restart', async () => {
    let written = 0
    const stage = await setArtifactStage({
      records: (records) => ({
        ...records,
        use(uses) {
          written += 1
          return records.use(uses)
        },
      }),
    })
    await fill(stage.store, 50)
    for (let i = 0; i < 50; i += 1) stage.store.use(`raw/${i}`, 1_000_000 - i)
    expect([written, stage.store.lastUse('raw/7')]).toEqual([0, 999_993])
    const store = await stage.reopen()
    expect([written, store.lastUse('raw/7'), store.lastUse('raw/none')]).toEqual([1, 999_993, undefined])
  })

  it('that cannot be written costs nothing but its order', async () => {
    const { store } = await setArtifactStage({
      maxSize: 2 * size,
      records: (records) => ({ ...records, use: () => Promise.reject(new Error('the disk is gone')) }),
    })
    await fill(store, 2)
    store.use('raw/0', Date.now())
    expect(await put(store, 'raw/2', 9000)).toBe(true)
  })

  it('unusedFor: what nobody used for so long goes, pinned or used ones stay', async () => {
    const stage = await setArtifactStage({ retention: { raw: { unusedFor: 3600 } } })
    const { store } = stage
    const longAgo = Date.now() - 3_700_000
    for (const key of ['raw/old', 'raw/used', 'raw/pinned', 'other/old']) await put(store, key, longAgo)
    await put(store, 'raw/young', Date.now() - 3_500_000)
    store.use('raw/used', Date.now())
    await store.pin({ repository: 'raw', by: 'path', pattern: 'pinned' })
    expect(await store.gc()).toEqual({ blobs: 0, purges: 0, unused: 1 })
    expect(await keysOf(stage)).toEqual(['other/old', 'raw/pinned', 'raw/used', 'raw/young'])
    expect((await stage.metrics.evictions.get()).values).toEqual([
      { labels: { repository: 'raw', reason: 'unused' }, value: 1 },
    ])
  })
})

describe('D7: eviction beside everything else', () => {
  it('a reader of what is evicted reads on', async () => {
    const { store } = await setArtifactStage({ maxSize: 2 * size })
    const bytes = noise(size)
    await put(store, 'raw/a', 1, bytes)
    const stored = (await store.lookup('raw/a'))?.variants[0]
    const open = stored && (await store.open('raw/a', stored))
    await put(store, 'raw/b', 2)
    await put(store, 'raw/c', 3)
    expect(store.lookup('raw/a')).toMatchObject({ variants: [] })
    const read = new Uint8Array(size)
    expect(await open?.read(read, 0)).toBe(size)
    open?.close()
    expectBytes(read, bytes)
  })

  it('what is looked up and then evicted is gone, not damaged', async () => {
    const { store, damaged } = await setArtifactStage({ maxSize: 2 * size })
    await put(store, 'raw/a', 1)
    const stored = (await store.lookup('raw/a'))?.variants[0]
    await put(store, 'raw/b', 2)
    await put(store, 'raw/c', 3)
    expect(stored && (await store.open('raw/a', stored))).toBeUndefined()
    expect(damaged).toEqual([])
  })

  it.each(['evicted', 'purged'])(
    "a blob whose only record is %s while a replica's is taken over stays",
    async (fate) => {
      const redis = new SharedMemory()
      const bytes = noise(size)
      let meanwhile = async () => {}
      const { store } = await setArtifactStage({
        shared: redis.connect(),
        maxSize: 2 * size,
        blobs: (blobs) => ({
          ...blobs,
          async hold(digest, length) {
            const held = await blobs.hold(digest, length)
            await meanwhile()
            return held
          },
        }),
      })
      await put(store, 'raw/a', 1, bytes)
      redis.put(record('raw/b', [response(blobBody(bytes))], { version: Date.now() }))
      meanwhile = async () => {
        meanwhile = async () => {}
        if (fate === 'purged') await store.purge({ repository: 'raw', by: 'path', pattern: 'a' }, { soft: false })
        else for (const key of ['raw/c', 'raw/d']) await put(store, key, 1000)
        expect((await store.lookup('raw/a'))?.variants ?? []).toEqual([])
        await store.gc()
      }
      expectBytes(await bytesOf(store, await store.lookup('raw/b')), bytes)
    },
  )

  it('never takes a blob that is being published under another key', async () => {
    const { store } = await setArtifactStage({ maxSize: 4 * size })
    const bodies = [noise(size), noise(size), noise(size)]
    const bytesFor = (i: number) => bodies[i % 3] as Buffer
    for (let round = 0; round < 20; round += 1) {
      const keys = [0, 1, 2, 3].map((i) => ({ key: `raw/${round}-${i}`, bytes: bytesFor(round + i) }))
      await Promise.all([
        put(store, `raw/filler${round}`, round * 1000),
        ...keys.map(({ key, bytes }) => put(store, key, round * 1000 + 1, bytes)),
      ])
      for (const { key, bytes } of keys) {
        const found = await store.lookup(key)
        if (found && found.variants.length > 0) expectBytes(await bytesOf(store, found), bytes)
      }
    }
    expect(store.totals().bytes).toBeLessThanOrEqual(4 * size)
  })
})

it('K6: 100,000 records are evicted without keeping anyone waiting', async () => {
  const stage = await setArtifactStage({ maxSize: 100_000_000, retention: { raw: { maxSize: 10_000 } } })
  const { records, store } = stage
  const count = 100_000
  for (let at = 0; at < count; at += 2000) {
    await Promise.all(
      Array.from({ length: 2000 }, (_, i) => {
        const body = inlineBody(Buffer.from(`${at + i}`.padStart(10)))
        return records.put(record(`raw/${at + i}`, [response(body, { responseTime: at + i })]), 0)
      }),
    )
  }
  let turns = 0
  let done = false
  const look = () => {
    turns += 1
    if (!done) setImmediate(look)
  }
  look()
  await store.gc()
  done = true
  expect(store.totals('raw')).toEqual({ records: 950, bytes: 9500 })
  expect((await collect(records.list('raw/')))[0]?.key).toBe('raw/99050')
  expect(records.leastUsed('raw', 1)).toEqual([{ key: 'raw/99050', lastUse: 99_050 }])
  // One batch of 64 a turn, at most.
  expect(turns).toBeGreaterThan(99_000 / 64)
}, 240_000)
