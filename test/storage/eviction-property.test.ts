import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { StoredRecord } from '../../src/caching/record.js'
import type { Selection } from '../../src/caching/selection.js'
import { type ArtifactStage, publish, setArtifactStage } from './artifact-stage.js'
import { collect, noise } from './fixtures.js'

const KiB = 1024
const cap = 200 * KiB
const ownCap = 120 * KiB

const keys = ['a', 'b'].flatMap((repository) =>
  [0, 1, 2, 3, 4, 5].map((i) => `${repository}/${i % 2 ? 'x' : 'y'}/${i}`),
)
/** Some inline, some blobs, some shared by the keys that draw them. */
const bodies = [5, 15, 20, 40, 70, 130].map((size) => noise(size * KiB))

const selection: fc.Arbitrary<Selection> = fc.record({
  repository: fc.constantFrom('a', 'b'),
  by: fc.constantFrom('prefix' as const),
  pattern: fc.constantFrom('', 'x/', 'y/', 'x/1'),
})

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('put'), key: fc.constantFrom(...keys), body: fc.nat(bodies.length - 1) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('use'), key: fc.constantFrom(...keys) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pin'), selection }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unpin'), selection }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('purge'), selection, soft: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' }) },
) as fc.Arbitrary<Step>

type Step =
  | { kind: 'put'; key: string; body: number }
  | { kind: 'use'; key: string }
  | { kind: 'pin' | 'unpin'; selection: Selection }
  | { kind: 'purge'; selection: Selection; soft: boolean }
  | { kind: 'reopen' }

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, number) => total + number, 0)

/** Bytes of the records' bodies, a shared one counted once. */
const bytesIn = (records: readonly StoredRecord[]) => {
  const all = records.flatMap(({ variants }) => variants.map(({ body }) => body))
  const blobs = new Map(all.filter(({ inline }) => !inline).map(({ digest, size }) => [digest, size]))
  return sum(blobs.values()) + sum(all.filter(({ inline }) => inline).map(({ size }) => size))
}

it('K6: whatever is stored, used, pinned and purged: the books are right, caps are kept, and the oldest go first', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const stage = await setArtifactStage({ maxSize: cap, retention: { a: { maxSize: ownCap } } })
      let now = 1000
      const lastUse = new Map<string, number>()
      for (const one of steps) {
        now += 1
        const before = await stored(stage)
        if (one.kind === 'put') {
          const epoch = stage.store.epochOf(one.key, await stage.store.lookup(one.key))
          const isStored = await publish(stage.store, one.key, bodies[one.body] as Buffer, {
            epoch,
            head: { responseTime: now },
          })
          // Making room for it may have evicted the one before it.
          const used = stage.store.lastUse(one.key)
          if (isStored) expect([lastUse.get(one.key), now]).toContain(used)
          if (used !== undefined) lastUse.set(one.key, used)
        }
        if (one.kind === 'use') {
          stage.store.use(one.key, now)
          if (lastUse.has(one.key)) lastUse.set(one.key, now)
        }
        if (one.kind === 'pin') await stage.store.pin(one.selection)
        if (one.kind === 'unpin') await stage.store.unpin(one.selection)
        if (one.kind === 'purge') await stage.store.purge(one.selection, { soft: one.soft })
        if (one.kind === 'reopen') await stage.reopen()
        const { store } = stage
        const after = await stored(stage)
        const isHere = (key: string) => after.some((record) => record.key === key)
        if (one.kind === 'put') {
          const evicted = before.map(({ key }) => key).filter((key) => !isHere(key))
          expect(evicted.filter((key) => store.isPinned(key))).toEqual([])
          for (const key of evicted) {
            const older = after.filter((record) => sameShop(record.key, key) && !store.isPinned(record.key))
            for (const kept of older) expect(lastUse.get(kept.key)).toBeGreaterThan(lastUse.get(key) ?? 0)
          }
        }
        for (const key of lastUse.keys()) if (!isHere(key)) lastUse.delete(key)
        for (const { key } of after) expect([key, store.lastUse(key)]).toEqual([key, lastUse.get(key)])
        books(stage, after)
        expect(bytesIn(after)).toBeLessThanOrEqual(cap)
        expect(bytesIn(of(after, 'a'))).toBeLessThanOrEqual(ownCap)
      }
    }),
    { numRuns: 25 },
  )
})

const stored = ({ records }: ArtifactStage) => collect(records.list(''))
const of = (records: readonly StoredRecord[], repository: string) =>
  records.filter(({ key }) => key.startsWith(`${repository}/`))
/** Only within a repository is it plain who goes before whom: the other may be under its own cap. */
const sameShop = (a: string, b: string) => a[0] === b[0]

function books({ records }: ArtifactStage, all: readonly StoredRecord[]): void {
  expect(records.totals()).toEqual({ records: all.length, bytes: bytesIn(all) })
  for (const repository of ['a', 'b']) {
    const own = of(all, repository)
    expect(records.totals(repository)).toEqual({ records: own.length, bytes: bytesIn(own) })
    expect(
      records
        .leastUsed(repository, 100)
        .map(({ key }) => key)
        .sort(),
    ).toEqual(own.map(({ key }) => key).sort())
  }
}
