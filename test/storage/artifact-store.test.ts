import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inlineLimit, maxVariants, type StoredRecord } from '../../src/caching/record.js'
import type { ArtifactStore } from '../../src/storage/artifact-store.js'
import { bytesOf, publish, remote, setArtifactStage } from './artifact-stage.js'
import { blobBody, collect, digestOf, expectBytes, noise, record, response } from './fixtures.js'

const present = async (store: ArtifactStore, key: string): Promise<StoredRecord> => {
  const found = await store.lookup(key)
  if (!found) throw new Error(`${key} is not stored`)
  return found
}

/** What a purge does (K5). */
const tombstone = (current: StoredRecord) =>
  record(current.key, [], { version: current.version + 1, epoch: current.version + 1 })

const choosing = (value: string) => ({ head: { selecting: { accept: value } } })

describe('publish and look up', () => {
  it.each([0, 1, inlineLimit, inlineLimit + 1, 1_000_000])('%i bytes are found again, at once', async (size) => {
    const { store } = await setArtifactStage()
    const bytes = noise(size)
    expect(await publish(store, 'raw/a', bytes)).toBe(true)
    const found = store.lookup('raw/a')
    expect(found).not.toBeInstanceOf(Promise)
    expect(await found).toMatchObject({ key: 'raw/a', remote, epoch: 0, variants: [{ status: 200 }] })
    expectBytes(await bytesOf(store, await found), bytes)
  })

  it('D3: a small body is in its record, a large one in a blob', async () => {
    const { store, blobs } = await setArtifactStage()
    await publish(store, 'raw/small', noise(inlineLimit))
    expect(await collect(blobs.list())).toEqual([])
    const bytes = noise(inlineLimit + 1)
    await publish(store, 'raw/large', bytes)
    expect(await collect(blobs.list())).toEqual([digestOf(bytes)])
    expect(store.totals()).toEqual({ records: 2, bytes: 2 * inlineLimit + 1 })
  })

  it('an absent key is undefined', async () => {
    const { store } = await setArtifactStage()
    expect(store.lookup('raw/absent')).toBeUndefined()
  })

  it('D6: versions grow, whatever the clock says', async () => {
    const { store, records } = await setArtifactStage()
    const ahead = Date.now() + 1_000_000
    await records.put(record('raw/a', [response(blobBody(noise(1)))], { version: ahead }), 0)
    await publish(store, 'raw/a', noise(100))
    expect((await present(store, 'raw/a')).version).toBe(ahead + 1)
  })

  it('many fills of one key at once leave one of them, whole', async () => {
    const { store, blobs } = await setArtifactStage()
    const bodies = Array.from({ length: 12 }, () => noise(20_000))
    expect(await Promise.all(bodies.map((bytes) => publish(store, 'raw/a', bytes)))).not.toContain(false)
    const found = await present(store, 'raw/a')
    expect(found.variants).toHaveLength(1)
    expect(bodies.map(digestOf)).toContain(found.variants[0]?.body.digest)
    expect(await collect(blobs.list())).toHaveLength(1)
  })

  it('D4: a blob of another size than its record says is not opened', async () => {
    const { store, directory } = await setArtifactStage()
    const bytes = noise(20_000)
    await publish(store, 'raw/a', bytes)
    const hex = digestOf(bytes).slice('sha256:'.length)
    await writeFile(join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex), bytes.subarray(1))
    const [stored] = (await present(store, 'raw/a')).variants
    expect(stored && (await store.open('raw/a', stored))).toBeUndefined()
  })
})

describe('K5: the epoch is the fence', () => {
  it('a fill that began before a removal is not published, and leaves nothing', async () => {
    const { store, records, blobs } = await setArtifactStage()
    await publish(store, 'raw/a', noise(20_000))
    const before = await present(store, 'raw/a')
    const removal = tombstone(before)
    await records.put(removal, before.version)
    await blobs.delete(before.variants[0]?.body.digest ?? 'sha256:', () => false)
    expect(await publish(store, 'raw/a', noise(30_000), { epoch: before.epoch })).toBe(false)
    expect(await publish(store, 'raw/a', noise(300), { epoch: before.epoch })).toBe(false)
    expect(await records.get('raw/a')).toEqual(removal)
    expect(await collect(blobs.list())).toEqual([])
  })

  it('one that began after it is', async () => {
    const { store, records } = await setArtifactStage()
    const removal = record('raw/a', [], { version: 8, epoch: 8 })
    await records.put(removal, 0)
    const bytes = noise(20_000)
    expect(await publish(store, 'raw/a', bytes, { epoch: 8 })).toBe(true)
    expect(await present(store, 'raw/a')).toMatchObject({ epoch: 8 })
    expectBytes(await bytesOf(store, await present(store, 'raw/a')), bytes)
  })
})

describe('variants', () => {
  it('K1: of one key stand beside each other, newest first; the same choice is replaced', async () => {
    const { store } = await setArtifactStage()
    const [one, two, three] = [noise(20_000), noise(20_001), noise(20_002)]
    await publish(store, 'raw/a', one, choosing('x'))
    await publish(store, 'raw/a', two, choosing('y'))
    await publish(store, 'raw/a', three, choosing('x'))
    const { variants } = await present(store, 'raw/a')
    expect(variants.map(({ body }) => body.digest)).toEqual([three, two].map(digestOf))
  })

  it('K1: the blob of one beyond the most kept goes with it', async () => {
    const { store, blobs } = await setArtifactStage()
    for (let i = 0; i <= maxVariants; i += 1) await publish(store, 'raw/a', noise(20_000 + i), choosing(`${i}`))
    expect((await present(store, 'raw/a')).variants).toHaveLength(maxVariants)
    expect(await collect(blobs.list())).toHaveLength(maxVariants)
  })

  it('D5: those of another remote are not kept beside those of the new one', async () => {
    const { store, blobs } = await setArtifactStage()
    await publish(store, 'raw/a', noise(20_000), { remote: 'https://old.example', ...choosing('x') })
    const bytes = noise(20_000)
    await publish(store, 'raw/a', bytes, choosing('y'))
    const found = await present(store, 'raw/a')
    expect(found.remote).toBe(remote)
    expect(found.variants.map(({ body }) => body.digest)).toEqual([digestOf(bytes)])
    expect(await collect(blobs.list())).toEqual([digestOf(bytes)])
  })

  it('D7: a blob two keys share goes with the last', async () => {
    const { store, blobs } = await setArtifactStage()
    const bytes = noise(20_000)
    await publish(store, 'raw/a', bytes)
    await publish(store, 'raw/b', bytes)
    expect(store.totals()).toEqual({ records: 2, bytes: 20_000 })
    await publish(store, 'raw/a', noise(100))
    expectBytes(await bytesOf(store, await present(store, 'raw/b')), bytes)
    await publish(store, 'raw/b', noise(100))
    expect(await collect(blobs.list())).toEqual([])
  })

  it('D7: keys that trade blobs at the same time never lose one', async () => {
    const { store } = await setArtifactStage()
    const bodies = [noise(20_000), noise(20_001)]
    for (let round = 0; round < 15; round += 1) {
      const turn = (i: number) => publish(store, `raw/${i}`, bodies[(i + round) % 2] ?? noise(1))
      await Promise.all([turn(0), turn(1), turn(2)])
      for (const i of [0, 1, 2]) {
        expectBytes(await bytesOf(store, await present(store, `raw/${i}`)), bodies[(i + round) % 2] ?? noise(1))
      }
    }
  })
})

describe('freshen and drop', () => {
  it('K2: a validated variant gets its new head, and the others stay', async () => {
    const { store, records } = await setArtifactStage()
    await publish(store, 'raw/a', noise(20_000), choosing('x'))
    await publish(store, 'raw/a', noise(20_001), choosing('y'))
    const before = await present(store, 'raw/a')
    const [other, previous] = before.variants
    if (!previous) throw new Error('there are two')
    const next = { ...previous, headers: ['ETag', '"2"'], responseTime: 9000 }
    await store.freshen('raw/a', previous, next)
    const after = await present(store, 'raw/a')
    expect(after.variants).toEqual([other, next])
    expect(after.version).toBeGreaterThan(before.version)
    expect(await records.get('raw/a')).toEqual(after)
  })

  it.each(['replaced', 'removed'])('K2: a variant %s meanwhile is not brought back', async (fate) => {
    const { store, records, blobs } = await setArtifactStage()
    await publish(store, 'raw/a', noise(20_000))
    const before = await present(store, 'raw/a')
    const [previous] = before.variants
    if (!previous) throw new Error('there is one')
    if (fate === 'replaced') await publish(store, 'raw/a', noise(100))
    else {
      await records.put(tombstone(before), before.version)
      await blobs.delete(previous.body.digest, () => false)
    }
    const expected = await records.get('raw/a')
    await store.freshen('raw/a', previous, { ...previous, responseTime: 9000 })
    expect(await records.get('raw/a')).toEqual(expected)
  })

  it('D2: a variant without its blob is forgotten, with what is left of the blob', async () => {
    const { store, blobs, directory } = await setArtifactStage()
    const bytes = noise(20_000)
    await publish(store, 'raw/a', noise(100), choosing('x'))
    await publish(store, 'raw/a', bytes, choosing('y'))
    const hex = digestOf(bytes).slice('sha256:'.length)
    await writeFile(join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex), 'short')
    const [damaged, good] = (await present(store, 'raw/a')).variants
    if (!damaged) throw new Error('there are two')
    await Promise.all([store.drop('raw/a', damaged, 'size'), store.drop('raw/a', damaged, 'size')])
    expect((await present(store, 'raw/a')).variants).toEqual([good])
    expect(await collect(blobs.list())).toEqual([])
    await store.drop('raw/absent', damaged, 'size')
    expect(store.lookup('raw/absent')).toBeUndefined()
  })

  it('D2: after its last variant was dropped a key can be filled by who asked before', async () => {
    const { store } = await setArtifactStage()
    await publish(store, 'raw/a', noise(100))
    const before = await present(store, 'raw/a')
    const [damaged] = before.variants
    if (damaged) await store.drop('raw/a', damaged, 'gone')
    const bytes = noise(200)
    expect(await publish(store, 'raw/a', bytes, { epoch: before.epoch })).toBe(true)
    expectBytes(await bytesOf(store, await present(store, 'raw/a')), bytes)
  })
})

describe('D7: sweep', () => {
  it('ends when it is told to', async () => {
    const { store, blobs } = await setArtifactStage()
    await expect(store.gc(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    expect(await collect(blobs.list())).toEqual([])
  })

  it('removes the blobs without a record and no other', async () => {
    const { store, blobs, directory } = await setArtifactStage()
    const kept = noise(20_000)
    await publish(store, 'raw/a', kept)
    for (let i = 0; i < 5; i += 1) {
      const orphan = noise(500 + i)
      const file = join(directory, `orphan${i}`)
      await writeFile(file, orphan)
      await blobs.put(digestOf(orphan), file)
      blobs.release(digestOf(orphan))
    }
    expect((await store.gc()).blobs).toBe(5)
    expect(await collect(blobs.list())).toEqual([digestOf(kept)])
    expect((await store.gc()).blobs).toBe(0)
  })

  it('spares what is held, and what is being published', async () => {
    const { store, blobs, directory } = await setArtifactStage()
    const held = noise(600)
    await writeFile(join(directory, 'held'), held)
    await blobs.put(digestOf(held), join(directory, 'held'))
    const bodies = Array.from({ length: 10 }, () => noise(20_000))
    const publishing = Promise.all(bodies.map((bytes, i) => publish(store, `raw/${i}`, bytes)))
    for (let sweeps = 0; sweeps < 10; sweeps += 1) expect((await store.gc()).blobs).toBe(0)
    await publishing
    for (const [i, bytes] of bodies.entries())
      expectBytes(await bytesOf(store, await present(store, `raw/${i}`)), bytes)
    blobs.release(digestOf(held))
    expect((await store.gc()).blobs).toBe(1)
  })
})

describe('memory', () => {
  it('what is known is not asked of the record store again', async () => {
    const { store, asked } = await setArtifactStage()
    await publish(store, 'raw/a', noise(100))
    const before = asked.length
    for (let i = 0; i < 10; i += 1) await present(store, 'raw/a')
    expect(asked).toHaveLength(before)
  })

  it('keeps as many records as its bytes allow, those used last', async () => {
    const { store, asked } = await setArtifactStage({ hotBytes: 100_000 })
    for (let i = 0; i < 20; i += 1) await publish(store, `raw/${i}`, noise(inlineLimit))
    const read = async (key: string) => {
      const before = asked.length
      await present(store, key)
      return asked.length === before ? 'memory' : 'store'
    }
    expect(await read('raw/19')).toBe('memory')
    expect(await read('raw/16')).toBe('memory')
    expect(await read('raw/0')).toBe('store')
    expect(await read('raw/0')).toBe('memory')
    for (let i = 1; i < 6; i += 1) await read(`raw/${i}`)
    expect(await read('raw/19')).toBe('store')
  })

  it('a record larger than all of it is served from the store, never from an older copy', async () => {
    const { store } = await setArtifactStage({ hotBytes: 10_000 })
    const bytes = noise(inlineLimit)
    await publish(store, 'raw/a', noise(10))
    await publish(store, 'raw/a', bytes)
    expectBytes(await bytesOf(store, await present(store, 'raw/a')), bytes)
  })
})

describe('faults', () => {
  const fault = new Error('the disk is gone')

  it('a blob that cannot be put is a fault of the publication, and its staged file goes', async () => {
    const { store } = await setArtifactStage({ blobs: (blobs) => ({ ...blobs, put: () => Promise.reject(fault) }) })
    await expect(publish(store, 'raw/a', noise(20_000))).rejects.toBe(fault)
    expect(store.lookup('raw/a')).toBeUndefined()
  })

  it('a record that cannot be written is one, and its blob goes', async () => {
    const { store } = await setArtifactStage({
      records: (records) => ({ ...records, put: () => Promise.reject(fault) }),
    })
    await expect(publish(store, 'raw/a', noise(20_000))).rejects.toBe(fault)
    expect(store.lookup('raw/a')).toBeUndefined()
  })
})
