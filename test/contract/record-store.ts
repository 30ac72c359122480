import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoredRecord, StoredResponse } from '../../src/caching/record.js'
import { uploaded } from '../../src/caching/repository.js'
import type { PutResult, RecordStore, Use } from '../../src/storage/record-store.js'
import { blobBody, collect, inlineBody, isEmpty, noise, record, response, settled } from '../storage/fixtures.js'
import { modelStore } from './record-store-model.js'

/** One record store, empty, for one test. */
export interface RecordStoreDriver {
  readonly store: RecordStore
  /** Closes the store and opens it again on the same data. */
  reopen(): Promise<RecordStore>
  /** What is still open after the store was closed, in words. */
  leftovers(): Promise<readonly string[]>
  dispose(): Promise<void>
}

const shared = blobBody(noise(20_000))
const other = blobBody(noise(30_000))
const third = blobBody(noise(40_000))
const inline = inlineBody(noise(500))

/** The contract of the port; a test after which something stays open fails. */
export function recordStoreContract(create: () => Promise<RecordStoreDriver>): void {
  let driver: RecordStoreDriver
  let store: RecordStore

  beforeEach(async () => {
    driver = await create()
    store = driver.store
  })

  afterEach(async () => {
    try {
      await store.close()
      expect(await settled(() => driver.leftovers(), isEmpty)).toEqual([])
    } finally {
      await driver.dispose()
    }
  })

  const write = async (next: StoredRecord): Promise<PutResult> =>
    store.put(next, (await store.get(next.key))?.version ?? 0)

  const unreferencedBy = async (next: StoredRecord) => {
    const result = await write(next)
    if (!result.done) throw new Error('someone else wrote')
    return result.unreferenced
  }

  const keys = async (prefix: string) => (await collect(store.list(prefix))).map(({ key }) => key)

  describe('get and put', () => {
    it('an absent key is undefined', async () => {
      expect(await store.get('raw/absent')).toBeUndefined()
    })

    it('D3: a record comes back as it was, inline bodies with it', async () => {
      const choice = { 'accept-encoding': 'gzip', accept: null }
      const written = record('raw/a', [response(shared, { selecting: choice }), response(inline)], {
        version: 7,
        epoch: 3,
      })
      expect(await store.put(written, 0)).toEqual({ done: true, version: 7, unreferenced: [] })
      expect(await store.get('raw/a')).toEqual(written)
    })

    it('what was read stays as it was when the key is written again', async () => {
      await write(record('raw/a', [response(inline)]))
      const before = await store.get('raw/a')
      for (let size = 400; size < 420; size += 1) await write(record('raw/a', [response(inlineBody(noise(size)))]))
      expect(before?.variants[0]?.body).toEqual(inline)
    })

    it.each([
      ['a path of 8 KiB', `raw/${'p'.repeat(8192)}`, `raw/${'p'.repeat(8191)}q`],
      ['the longest name and bytes that grow when escaped', `${'n'.repeat(255)}/${'é '.repeat(2000)}`, 'raw/x'],
      ['percent-encodings that differ', 'raw/a%2Bb', 'raw/a+b'],
      ['a path under a path (C11)', 'raw/x.tgz', 'raw/x.tgz/info/refs?service=git-upload-pack'],
      ['a query', 'raw/x?', 'raw/x'],
      ['a dot more', 'raw/a', 'raw/a.'],
    ])('D5: keys are told apart: %s', async (_, one, two) => {
      await write(record(one, [response(shared)]))
      expect(await store.get(two)).toBeUndefined()
      await write(record(two, [response(other)]))
      expect((await store.get(one))?.variants[0]?.body).toEqual(shared)
      expect((await store.get(two))?.variants[0]?.body).toEqual(other)
      expect(await unreferencedBy(record(one, []))).toEqual([shared.digest])
    })
  })

  describe('D6: compare-and-set', () => {
    it.each([
      ['nothing stored, 0 expected', undefined, 0, true],
      ['nothing stored, 1 expected', undefined, 1, false],
      ['5 stored, 5 expected', 5, 5, true],
      ['5 stored, 4 expected', 5, 4, false],
      ['5 stored, 6 expected', 5, 6, false],
      ['5 stored, 0 expected', 5, 0, false],
    ])('%s', async (_, version, ifVersion, done) => {
      const before = version === undefined ? undefined : record('raw/a', [response(shared)], { version })
      if (before) await store.put(before, 0)
      const totals = store.totals()
      const result = await store.put(record('raw/a', [response(other)], { version: 9 }), ifVersion)
      expect(result).toEqual(done ? { done, version: 9, unreferenced: before ? [shared.digest] : [] } : { done })
      if (done) return
      expect(await store.get('raw/a')).toEqual(before)
      expect(store.references(other.digest)).toBe(false)
      expect(store.totals()).toEqual(totals)
    })

    it.each([
      ['higher than the last', 5, 9, 9],
      ['one higher', 5, 6, 6],
      ['equal', 5, 5, 6],
      ['lower: the clock went back', 5, 2, 6],
    ])('the version grows with each write: %s', async (_, last, next, written) => {
      await store.put(record('raw/a', [response(shared)], { version: last }), 0)
      const result = await store.put(record('raw/a', [response(shared)], { version: next }), last)
      expect(result).toMatchObject({ done: true, version: written })
      expect((await store.get('raw/a'))?.version).toBe(written)
    })

    it('of many at the same time with the same expectation one writes', async () => {
      const bodies = Array.from({ length: 20 }, (_, i) => blobBody(noise(100 + i)))
      const results = await Promise.all(bodies.map((body) => store.put(record('raw/a', [response(body)]), 0)))
      const winners = results.flatMap(({ done }, i) => (done ? [i] : []))
      expect(winners).toHaveLength(1)
      expect((await store.get('raw/a'))?.variants[0]?.body).toEqual(bodies[winners[0] ?? -1])
      expect(bodies.filter(({ digest }) => store.references(digest))).toHaveLength(1)
    })

    it('writers that try again lose no update', async () => {
      const addOne = async (name: string) => {
        for (;;) {
          const current = await store.get('raw/a')
          const variant = response(inlineBody(Buffer.from(name)))
          const next = record('raw/a', [...(current?.variants ?? []), variant], {
            version: (current?.version ?? 0) + 1,
          })
          if ((await store.put(next, current?.version ?? 0)).done) return
        }
      }
      const names = Array.from({ length: 20 }, (_, i) => `writer ${i}`)
      await Promise.all(names.map(addOne))
      const written = (await store.get('raw/a'))?.variants.map(({ body }) => Buffer.from(body.inline ?? []).toString())
      expect(written?.sort()).toEqual(names.sort())
      expect((await store.get('raw/a'))?.version).toBe(20)
    })

    it('a removal is a tombstone with its epoch, which a write based on the record before it cannot replace', async () => {
      await store.put(record('raw/a', [response(shared)], { version: 5 }), 0)
      await store.put(record('raw/a', [], { version: 8, epoch: 8 }), 5)
      expect(await store.get('raw/a')).toEqual(record('raw/a', [], { version: 8, epoch: 8 }))
      expect(await store.put(record('raw/a', [response(shared)], { version: 9 }), 5)).toEqual({ done: false })
      expect(await store.put(record('raw/a', [response(shared)], { version: 9 }), 0)).toEqual({ done: false })
      expect(await store.put(record('raw/a', [response(other)], { version: 9, epoch: 8 }), 8)).toMatchObject({
        done: true,
      })
    })
  })

  describe('D7: references', () => {
    it('a blob is referred to from the write that names it to the one that names it no more', async () => {
      expect(store.references(shared.digest)).toBe(false)
      await write(record('raw/a', [response(shared)]))
      expect(store.references(shared.digest)).toBe(true)
      expect(await unreferencedBy(record('raw/a', [response(other)]))).toEqual([shared.digest])
      expect(store.references(shared.digest)).toBe(false)
      expect(store.references(other.digest)).toBe(true)
      expect(await unreferencedBy(record('raw/a', []))).toEqual([other.digest])
      expect(store.references(other.digest)).toBe(false)
    })

    it('a blob of several keys goes with the last of them', async () => {
      await write(record('raw/a', [response(shared)]))
      await write(record('raw/b', [response(shared)]))
      expect(await unreferencedBy(record('raw/a', [response(other)]))).toEqual([])
      expect(store.references(shared.digest)).toBe(true)
      expect(await unreferencedBy(record('raw/b', []))).toEqual([shared.digest])
    })

    it('a blob of several variants of a key goes with the last of them', async () => {
      const both = [response(shared, { selecting: { accept: 'a' } }), response(shared, { selecting: { accept: 'b' } })]
      await write(record('raw/a', both))
      expect(await unreferencedBy(record('raw/a', both.slice(1)))).toEqual([])
      expect(store.references(shared.digest)).toBe(true)
      expect(await unreferencedBy(record('raw/a', []))).toEqual([shared.digest])
    })

    it('what is written again unchanged frees nothing', async () => {
      const same = record('raw/a', [response(shared), response(other)])
      await write(same)
      expect(await unreferencedBy(same)).toEqual([])
    })

    it('an inline body refers to no blob and frees none', async () => {
      await write(record('raw/a', [response(inline)]))
      expect(store.references(inline.digest)).toBe(false)
      expect(await unreferencedBy(record('raw/a', []))).toEqual([])
    })

    it('several go at once', async () => {
      await write(record('raw/a', [response(shared), response(other), response(third)]))
      const freed = await unreferencedBy(record('raw/a', [response(other)]))
      expect([...freed].sort()).toEqual([shared.digest, third.digest].sort())
    })
  })

  describe('totals', () => {
    it('count records but not tombstones, and a shared blob once', async () => {
      expect(store.totals()).toEqual({ records: 0, bytes: 0 })
      await write(record('raw/a', [response(shared), response(inline)]))
      await write(record('raw/b', [response(shared)]))
      expect(store.totals()).toEqual({ records: 2, bytes: shared.size + inline.size })
      await write(record('raw/a', []))
      expect(store.totals()).toEqual({ records: 1, bytes: shared.size })
      await write(record('raw/a', []))
      await write(record('raw/b', [response(other)]))
      expect(store.totals()).toEqual({ records: 1, bytes: other.size })
      await write(record('raw/b', []))
      expect(store.totals()).toEqual({ records: 0, bytes: 0 })
    })
  })

  describe('H2: uploads', () => {
    const upload = (key: string, ...bodies: StoredResponse['body'][]) =>
      write(
        record(
          key,
          bodies.map((body) => response(body)),
          { remote: uploaded },
        ),
      )
    const all = () => [store.uploadedBytes(), store.uploadedBytes('raw'), store.uploadedBytes('own')]

    it('count by themselves, a body they share once', async () => {
      expect(all()).toEqual([0, 0, 0])
      await write(record('raw/a', [response(shared)]))
      await upload('own/a', shared)
      await upload('own/b', shared)
      await upload('own/c', inline)
      await upload('raw/b', shared)
      expect(all()).toEqual([shared.size + inline.size, shared.size, shared.size + inline.size])
      store = await driver.reopen()
      await upload('own/a', other)
      await upload('own/b')
      await upload('own/c')
      expect(all()).toEqual([shared.size + other.size, shared.size, other.size])
      await upload('own/a')
      await write(record('raw/b', [response(shared)]))
      expect(all()).toEqual([0, 0, 0])
    })

    it('have a last use, and stand in no order of what is to go', async () => {
      await upload('own/a', shared)
      await store.use(new Map([['own/a', 9000]]))
      expect(store.lastUse('own/a')).toBe(9000)
      expect(store.leastUsed('own', 10)).toEqual([])
      await write(record('own/a', [response(shared)]))
      expect(store.leastUsed('own', 10)).toEqual([{ key: 'own/a', lastUse: 9000 }])
      await upload('own/a', shared)
      expect(store.leastUsed('own', 10)).toEqual([])
    })
  })

  describe('list', () => {
    const paths = ['a', 'a/b', 'a/c', 'b', 'b%2Fc', 'b/c?x=1', 'Z', '~', 'é', ' ', `long/${'x'.repeat(3000)}`]
    const prefixes = [
      '',
      'r',
      'raw',
      'raw/',
      'raw/a',
      'raw/a/',
      'raw/b%',
      'raw/b/c?',
      'raw2/',
      'rawest',
      'other/',
      'raw/é',
    ]
    const long = [`raw/long/${'x'.repeat(2999)}`, `raw/long/${'x'.repeat(3000)}`, `raw/long/${'x'.repeat(3001)}`]

    it.each([...prefixes, ...long])('every record whose key starts with "%.40s"', async (prefix) => {
      const all = ['raw', 'raw2'].flatMap((repository) => paths.map((path) => `${repository}/${path}`))
      for (const key of all) await write(record(key, [response(inline)]))
      const expected = all.filter((key) => key.startsWith(prefix))
      expect((await keys(prefix)).sort()).toEqual(expected.sort())
    })

    it('in the order of their keys, segment by segment', async () => {
      const ordered = ['raw/a/1', 'raw/a/2', 'raw/b', 'raw/c/d/e', 'raw/c/e', 'raw2/a']
      for (const key of [...ordered].reverse()) await write(record(key, [response(inline)]))
      expect(await keys('raw')).toEqual(ordered)
    })

    it('leaves tombstones out', async () => {
      await write(record('raw/a', [response(inline)]))
      await write(record('raw/b', [response(inline)]))
      await write(record('raw/a', [], { epoch: 2 }))
      expect(await keys('raw/')).toEqual(['raw/b'])
    })

    it.each([
      ['one that is stored', 'raw/b', ['raw/c/d', 'raw/e']],
      ['one that is not', 'raw/bb', ['raw/c/d', 'raw/e']],
      ['the last', 'raw/e', []],
      ['one before all', 'raw/!', ['raw/a', 'raw/b', 'raw/c/d', 'raw/e']],
    ])('only what comes behind a key: %s', async (_, after, expected) => {
      for (const key of ['raw/a', 'raw/b', 'raw/c/d', 'raw/e', 'raw2/a']) await write(record(key, [response(inline)]))
      expect((await collect(store.list('raw/', after))).map(({ key }) => key)).toEqual(expected)
    })

    it('K5: epochs are told of tombstones, too', async () => {
      await write(record('raw/a', [response(inline)]))
      await write(record('raw/b', [response(inline)], { epoch: 7 }))
      await write(record('raw/c', [], { epoch: 9 }))
      await write(record('raw2/d', [response(inline)], { epoch: 11 }))
      expect(await collect(store.epochs('raw/'))).toEqual([0, 7, 9])
      expect(await collect(store.epochs('none/'))).toEqual([])
    })

    it('of many records, all removed on the way, leaves none out', async () => {
      const all = Array.from({ length: 150 }, (_, i) => `raw/${1000 + i}`)
      await Promise.all(all.map((key) => write(record(key, [response(inline)]))))
      const found: string[] = []
      for await (const { key } of store.list('raw/')) {
        found.push(key)
        await write(record(key, []))
      }
      expect(found).toEqual(all)
    })

    it('can be left half way, and written to on the way', async () => {
      for (const name of ['a', 'b', 'c']) await write(record(`raw/${name}`, [response(inline)]))
      for await (const found of store.list('raw/')) {
        await write(record(found.key, []))
        if (found.key === 'raw/b') break
      }
      expect(await keys('raw/')).toEqual(['raw/c'])
    })
  })

  describe('K6: last use', () => {
    const stored = (key: string, at: number) => write(record(key, [response(inline, { responseTime: at })]))
    const order = (after?: Use) => store.leastUsed('raw', 10, after).map(({ key }) => key)

    it('is at first when it was stored, and in its order', async () => {
      await stored('raw/a', 3000)
      await stored('raw/b', 1000)
      await stored('raw2/c', 500)
      expect([store.lastUse('raw/a'), store.lastUse('raw/b'), store.lastUse('raw/x')]).toEqual([3000, 1000, undefined])
      expect(store.leastUsed('raw', 10)).toEqual([
        { key: 'raw/b', lastUse: 1000 },
        { key: 'raw/a', lastUse: 3000 },
      ])
    })

    it('moves on with use, and not with what is written again', async () => {
      await stored('raw/a', 1000)
      await stored('raw/b', 2000)
      await store.use(new Map([['raw/a', 9000]]))
      await stored('raw/b', 20_000)
      expect(store.leastUsed('raw', 10)).toEqual([
        { key: 'raw/b', lastUse: 2000 },
        { key: 'raw/a', lastUse: 9000 },
      ])
    })

    it('never goes back, and is nothing to what is not stored', async () => {
      await stored('raw/a', 5000)
      await write(record('raw/gone', [], { epoch: 3 }))
      await store.use(
        new Map([
          ['raw/a', 1000],
          ['raw/gone', 1000],
          ['raw/never', 1000],
        ]),
      )
      expect(store.leastUsed('raw', 10)).toEqual([{ key: 'raw/a', lastUse: 5000 }])
    })

    it('comes in pages, whatever went or was used in between', async () => {
      for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) await stored(`raw/${name}`, 1000 + i)
      expect(store.leastUsed('raw', 2).map(({ key }) => key)).toEqual(['raw/a', 'raw/b'])
      await write(record('raw/b', []))
      await store.use(new Map([['raw/a', 9000]]))
      expect(order({ key: 'raw/b', lastUse: 1001 })).toEqual(['raw/c', 'raw/d', 'raw/a'])
    })

    it('of more uses than fit one transaction is there, and after reopening', async () => {
      const all = Array.from({ length: 600 }, (_, i) => `raw/${i}`)
      await Promise.all(all.map((key) => stored(key, 1)))
      await store.use(new Map(all.map((key, i) => [key, 1000 + i])))
      store = await driver.reopen()
      expect(store.leastUsed('raw', 1000).map(({ key }) => key)).toEqual(all)
    })
  })

  describe('K5: tombstones', () => {
    it('without an epoch say nothing and leave nothing', async () => {
      await write(record('raw/a', [response(inline)]))
      expect(await write(record('raw/a', [], { version: 9 }))).toMatchObject({ done: true, version: 9 })
      expect(await store.get('raw/a')).toBeUndefined()
    })

    it('are pruned by their epoch, so many at a time, oldest first', async () => {
      for (const epoch of [5, 3, 8, 4]) await write(record(`raw/${epoch}`, [], { version: epoch, epoch }))
      await write(record('raw/back', [], { version: 2, epoch: 2 }))
      await write(record('raw/back', [response(inline)], { version: 6, epoch: 2 }))
      expect(await store.prune(8, 2)).toEqual(['raw/3', 'raw/4'])
      expect(await store.prune(8, 2)).toEqual(['raw/5'])
      expect(await store.prune(8, 2)).toEqual([])
      expect(await store.get('raw/4')).toBeUndefined()
      expect(await store.get('raw/8')).toMatchObject({ epoch: 8 })
      expect(await store.get('raw/back')).toMatchObject({ epoch: 2 })
    })
  })

  it('K5, K6: standing orders stay until they are taken back; one about the same replaces the last', async () => {
    const selection = { repository: 'raw', by: 'glob', pattern: `${'jdk/'.repeat(1000)}**` } as const
    const purge = { kind: 'purge', selection, epoch: 5, soft: false, done: false } as const
    const pin = { kind: 'pin', selection } as const
    for (const order of [purge, pin, { ...purge, done: true }]) await store.saveOrder(order)
    store = await driver.reopen()
    expect([...store.orders()].sort((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([pin, { ...purge, done: true }])
    await store.dropOrder(pin)
    expect(store.orders()).toEqual([{ ...purge, done: true }])
  })

  it('D1: a reopened store has all of it', async () => {
    const kept = record('raw/a', [response(shared), response(inline)], { version: 4, epoch: 2 })
    await store.put(kept, 0)
    await write(record('raw/b', [response(shared)]))
    await write(record('raw/b', [], { version: 6, epoch: 6 }))
    const totals = store.totals()
    store = await driver.reopen()
    expect(await store.get('raw/a')).toEqual(kept)
    expect(await store.get('raw/b')).toEqual(record('raw/b', [], { version: 6, epoch: 6 }))
    expect(store.totals()).toEqual(totals)
    expect(store.references(shared.digest)).toBe(true)
    expect(await keys('')).toEqual(['raw/a'])
    expect(await unreferencedBy(record('raw/a', []))).toEqual([shared.digest])
  })

  it('K6: any run of writes and uses leaves what a map would hold', async () => {
    const bodies = [shared, other, inline, blobBody(noise(20_001))]
    const variants = fc.uniqueArray(fc.nat(bodies.length - 1)).map((picks) => picks.map((i) => variantOf(bodies[i])))
    const all = ['raw/a', 'raw/b', 'raw2/c', 'other/d']
    const key = fc.constantFrom(...all)
    const steps = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), key, variants, off: fc.boolean(), isUpload: fc.boolean() }),
      fc.record({ kind: fc.constant('use' as const), key, time: fc.integer({ min: 1, max: 100_000 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(steps), async (run) => {
        for (const one of all) await write(record(one, []))
        const model = modelStore()
        for (const step of run) {
          if (step.kind === 'use') {
            await store.use(new Map([[step.key, step.time]]))
            model.use(step.key, step.time)
          } else {
            const version = (await store.get(step.key))?.version ?? 0
            const remote = step.isUpload ? uploaded : 'https://remote.example'
            const next = record(step.key, step.variants, { remote })
            const result = await store.put(next, step.off ? version + 1 : version)
            const freed = step.off ? undefined : model.put(step.key, step.variants, step.isUpload)
            expect(result.done && [...result.unreferenced].sort()).toEqual(step.off ? false : freed?.sort())
          }
          expect(store.totals()).toEqual(model.totals())
          expect(store.uploadedBytes()).toBe(model.uploadedBytes())
          expect(store.repositories()).toEqual(model.repositories())
          for (const body of bodies) expect(store.references(body.digest)).toBe(model.references(body.digest))
          for (const repository of ['raw', 'raw2', 'other']) {
            expect(store.totals(repository)).toEqual(model.totals(repository))
            expect(store.uploadedBytes(repository)).toBe(model.uploadedBytes(repository))
            const used = store.leastUsed(repository, 10)
            expect(used.map(({ lastUse }) => lastUse)).toEqual(
              model.leastUsed(repository).map(({ lastUse }) => lastUse),
            )
            expect([...used].sort(byKey)).toEqual(model.leastUsed(repository).sort(byKey))
          }
        }
      }),
      { numRuns: 30 },
    )
  })
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }) => (a.key < b.key ? -1 : 1)

const variantOf = (body: StoredResponse['body'] = shared) => response(body, { selecting: { accept: body.digest } })
