import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cacheKey } from '../../src/caching/cache-key.js'
import type { Selection } from '../../src/caching/selection.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { type ArtifactStage, bytesOf, publish, remote, setArtifactStage } from './artifact-stage.js'
import { collect, digestOf, expectBytes, inlineBody, isEmpty, noise, response, settled } from './fixtures.js'
import { SharedMemory } from './memory-shared-cache.js'

const means = (by: Selection['by'], pattern = ''): Selection => ({ repository: 'raw', by, pattern })
/** By then a replica asks for what it has in memory again, ms. */
const trusted = 2001

const hard = { soft: false }
const soft = { soft: true }

const paths = ['jdk/a.tgz', 'jdk/b.tgz', 'jdk/b.tgz?x=1', 'jdk/deep/c.tgz', 'jdk.tgz', 'other/a.tgz']
const selections: readonly (readonly [string, Selection, readonly string[]])[] = [
  ['one path', means('path', 'jdk/b.tgz'), ['jdk/b.tgz']],
  ['a path with its query', means('path', 'jdk/b.tgz?x=1'), ['jdk/b.tgz?x=1']],
  ['a prefix', means('prefix', 'jdk/'), ['jdk/a.tgz', 'jdk/b.tgz', 'jdk/b.tgz?x=1', 'jdk/deep/c.tgz']],
  ['a prefix within a name', means('prefix', 'jdk'), [...paths.slice(0, 5)]],
  ['a glob, whatever the query', means('glob', 'jdk/*.tgz'), ['jdk/a.tgz', 'jdk/b.tgz', 'jdk/b.tgz?x=1']],
  ['the repository', means('all'), paths],
  ['nothing that is stored', means('glob', 'node/**'), []],
]

const kept = async (store: ArtifactStore) =>
  (await collect(store.list('raw'))).filter(({ key }) => key.startsWith('raw/')).map(({ key }) => key.slice(4))

const epoch = async (store: ArtifactStore, key: string) => store.epochOf(key, await store.lookup(key))

describe('K5: a hard purge', () => {
  it.each(selections)('removes %s and no other, blobs and all', async (_, selection, expected) => {
    const { store, blobs } = await setArtifactStage()
    for (const path of paths) await publish(store, cacheKey('raw', `/${path}`), noise(20_000))
    const elsewhere = noise(20_000)
    await publish(store, 'raw2/jdk/b.tgz', elsewhere)
    expect(await store.purge(selection, hard)).toEqual({ records: expected.length, bytes: 20_000 * expected.length })
    expect((await kept(store)).sort()).toEqual(paths.filter((path) => !expected.includes(path)).sort())
    for (const path of expected) expect((await store.lookup(`raw/${path}`))?.variants).toEqual([])
    expect(await collect(blobs.list())).toHaveLength(paths.length - expected.length + 1)
    expect(store.totals('raw').records).toBe(paths.length - expected.length)
    expectBytes(await bytesOf(store, await store.lookup('raw2/jdk/b.tgz')), elsewhere)
  })

  it('holds after the store is opened again, and for what began before', async () => {
    const stage = await setArtifactStage()
    await publish(stage.store, 'raw/jdk/a', noise(20_000))
    await stage.store.purge(means('prefix', 'jdk/'), hard)
    const store = await stage.reopen()
    expect((await store.lookup('raw/jdk/a'))?.variants).toEqual([])
    for (const key of ['raw/jdk/a', 'raw/jdk/never']) expect(await epoch(store, key)).toBeGreaterThan(0)
    expect(await epoch(store, 'raw/other')).toBe(0)
  })

  it('cut short by a crash is carried out after the next start', async () => {
    const stage = await setArtifactStage()
    for (const path of paths) await publish(stage.store, `raw/${path}`, noise(100))
    const selection = means('glob', 'jdk/**')
    await stage.records.saveOrder({ kind: 'purge', selection, epoch: Date.now(), soft: false, done: false })
    const store = await stage.reopen()
    const left = await settled(
      () => kept(store),
      (found) => found.length === 2,
    )
    expect(left.sort()).toEqual(['jdk.tgz', 'other/a.tgz'])
  })

  it('spares what a reader has open: it reads on', async () => {
    const { store } = await setArtifactStage()
    const bytes = noise(200_000)
    await publish(store, 'raw/a', bytes)
    const stored = (await store.lookup('raw/a'))?.variants[0]
    const open = stored && (await store.open('raw/a', stored))
    await store.purge(means('all'), hard)
    const read = new Uint8Array(bytes.length)
    expect(await open?.read(read, 0)).toBe(bytes.length)
    open?.close()
    expectBytes(read, bytes)
  })

  it('refuses a glob that is none', async () => {
    const { store } = await setArtifactStage()
    await expect(store.purge(means('glob', 'a/{b'), hard)).rejects.toMatchObject({ code: 'PATH_INVALID' })
    await expect(store.pin(means('glob', 'a/{b'))).rejects.toMatchObject({ code: 'PATH_INVALID' })
  })
})

describe('K5: a fill begun before a purge is not published, one begun after is', () => {
  it.each([
    ['a key that is stored', true],
    ['a key without a record', false],
  ])('%s', async (_, isStored) => {
    for (const by of ['path', 'prefix', 'glob', 'all'] as const) {
      for (const how of [hard, soft]) {
        const { store, blobs } = await setArtifactStage()
        const old = noise(20_000)
        if (isStored) await publish(store, 'raw/jdk/a', old)
        const before = await epoch(store, 'raw/jdk/a')
        await store.purge(means(by, { path: 'jdk/a', prefix: 'jdk/', glob: 'jdk/*', all: '' }[by]), how)
        expect(await publish(store, 'raw/jdk/a', noise(20_001), { epoch: before })).toBe(false)
        expect(await collect(blobs.list())).toEqual(isStored && how.soft ? [digestOf(old)] : [])
        const bytes = noise(20_002)
        expect(await publish(store, 'raw/jdk/a', bytes, { epoch: await epoch(store, 'raw/jdk/a') })).toBe(true)
        expectBytes(await bytesOf(store, await store.lookup('raw/jdk/a')), bytes)
        expect((await store.lookup('raw/jdk/a'))?.variants[0]?.invalidated).toBeUndefined()
      }
    }
  })

  it('races: whatever is published while purges go on, nothing from before the last of them stays', async () => {
    const { store } = await setArtifactStage()
    const fill = async (i: number) => {
      const key = `raw/jdk/${i % 5}`
      const began = await epoch(store, key)
      await publish(store, key, noise(20_000 + i), { epoch: began })
    }
    for (let round = 0; round < 10; round += 1) {
      const selection = round % 2 ? means('glob', 'jdk/*') : means('prefix', 'jdk/')
      const fills = Array.from({ length: 10 }, (_, i) => fill(i))
      await Promise.all([store.purge(selection, hard), ...fills])
      await store.purge(means('all'), hard)
      expect(await kept(store)).toEqual([])
      expect(store.totals()).toEqual({ records: 0, bytes: 0 })
    }
  })
})

describe('K5: a soft purge', () => {
  it.each(selections)('marks %s and no other', async (_, selection, expected) => {
    const { store } = await setArtifactStage()
    for (const path of paths) await publish(store, `raw/${path}`, noise(20_000))
    expect(await store.purge(selection, soft)).toEqual({ records: expected.length, bytes: 20_000 * expected.length })
    for (const path of paths) {
      const marked = (await store.lookup(`raw/${path}`))?.variants.map(({ invalidated }) => invalidated)
      expect(marked).toEqual([expected.includes(path) ? true : undefined])
    }
  })

  it('stays until a validation that began after it', async () => {
    const { store } = await setArtifactStage()
    await publish(store, 'raw/a', noise(20_000))
    const before = (await store.lookup('raw/a'))?.variants[0]
    if (!before) throw new Error('it is stored')
    await store.purge(means('path', 'a'), soft)
    await store.freshen('raw/a', before, { ...before, responseTime: 9000 })
    const marked = (await store.lookup('raw/a'))?.variants[0]
    expect(marked).toMatchObject({ invalidated: true, responseTime: before.responseTime })
    if (!marked) throw new Error('it is stored')
    const { invalidated: _, ...valid } = marked
    await store.freshen('raw/a', marked, { ...valid, responseTime: 9000 })
    expect((await store.lookup('raw/a'))?.variants[0]).toEqual({ ...valid, responseTime: 9000 })
  })
})

describe('K5: purges and replicas', () => {
  it('one that shared the record hears of it', async () => {
    const redis = new SharedMemory()
    const ours = await setArtifactStage({ shared: redis.connect() })
    const theirs = await setArtifactStage({ shared: redis.connect() })
    await publish(ours.store, 'raw/jdk/a', noise(100))
    await settled(
      () => theirs.store.lookup('raw/jdk/a'),
      (found) => found !== undefined,
    )
    await ours.store.purge(means('prefix', 'jdk/'), hard)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + trusted })
    onTestFinished(() => void vi.useRealTimers())
    expect(await theirs.store.lookup('raw/jdk/a')).toMatchObject({ variants: [] })
    expect(await epoch(theirs.store, 'raw/jdk/a')).toBe(await epoch(ours.store, 'raw/jdk/a'))
  })

  it('what others shared before a purge of many keys is not taken over, nor what they share after it refused', async () => {
    const redis = new SharedMemory()
    const theirs = await setArtifactStage({ shared: redis.connect() })
    const ours = await setArtifactStage({ shared: redis.connect() })
    await publish(theirs.store, 'raw/jdk/a', noise(100))
    await settled(
      () => redis.record('raw/jdk/a'),
      (found) => found !== undefined,
    )
    await ours.store.purge(means('glob', 'jdk/*'), hard)
    expect((await ours.store.lookup('raw/jdk/a'))?.variants ?? []).toEqual([])
    const began = await epoch(ours.store, 'raw/jdk/a')
    expect(await publish(ours.store, 'raw/jdk/a', noise(101), { epoch: began })).toBe(true)
    await settled(
      () => theirs.store.lookup('raw/jdk/a'),
      (found) => found?.epoch === began,
    )
  })

  it('what is being taken over from another while it is purged is not', async () => {
    const redis = new SharedMemory()
    const theirs = await setArtifactStage({ shared: redis.connect() })
    await publish(theirs.store, 'raw/jdk/a', noise(20_000))
    await settled(
      () => redis.record('raw/jdk/a'),
      (found) => found !== undefined,
    )
    const connection = redis.connect()
    let purged: Promise<unknown> | undefined
    const ours: ArtifactStage = await setArtifactStage({
      shared: {
        ...connection,
        async body(digest) {
          purged = ours.store.purge(means('prefix', 'jdk/'), hard)
          await purged
          return connection.body(digest)
        },
      },
    })
    expect((await ours.store.lookup('raw/jdk/a'))?.variants ?? []).toEqual([])
    await purged
    expect(await kept(ours.store)).toEqual([])
  })
})

it('K5: a blob that cannot be removed does not cut a purge short', async () => {
  let broken = true
  const { store } = await setArtifactStage({
    blobs: (blobs) => ({
      ...blobs,
      delete: (digest, needed) =>
        broken && !needed() ? Promise.reject(new Error('EACCES')) : blobs.delete(digest, needed),
    }),
  })
  for (const path of paths) await publish(store, `raw/${path}`, noise(20_000))
  expect(await store.purge(means('all'), hard)).toMatchObject({ records: paths.length })
  broken = false
  expect((await store.gc()).blobs).toBe(paths.length)
})

it('K5: tombstones and purges are forgotten when they are long past, and a fill may be published again', async () => {
  const { store, records } = await setArtifactStage()
  const past = Date.now() - 8 * 24 * 3600 * 1000
  const selection = means('prefix', 'jdk/')
  await records.saveOrder({ kind: 'purge', selection, epoch: past, soft: false, done: true })
  await records.put({ key: 'raw/a', version: past, epoch: past, remote, variants: [] }, 0)
  await store.purge(means('path', 'b'), hard)
  await store.purge(means('prefix', 'node/'), hard)
  expect(store.lookup('raw/a')).toMatchObject({ epoch: past })
  expect(await store.gc()).toMatchObject({ purges: 1 })
  expect(store.lookup('raw/a')).toBeUndefined()
  expect(await epoch(store, 'raw/b')).toBeGreaterThan(0)
  expect(records.orders()).toHaveLength(2)
})

it('K5: 1000 records are purged without keeping anyone waiting for all of them', async () => {
  const { store, records } = await setArtifactStage()
  const body = response(inlineBody(noise(1)))
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) =>
      records.put({ key: `raw/${i}`, version: 1, epoch: 0, remote, variants: [body] }, 0),
    ),
  )
  let turns = 0
  let done = false
  const purging = store.purge(means('all'), hard).finally(() => {
    done = true
  })
  const count = () => {
    turns += 1
    if (!done) setImmediate(count)
  }
  count()
  expect(await purging).toEqual({ records: 1000, bytes: 1000 })
  expect(turns).toBeGreaterThan(10)
  expect(isEmpty(await kept(store))).toBe(true)
})
