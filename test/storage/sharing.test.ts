import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StoredRecord } from '../../src/caching/record.js'
import { sharedBodyLimit } from '../../src/storage/shared-cache.js'
import { type ArtifactStage, bytesOf, publish, setArtifactStage } from './artifact-stage.js'
import { blobBody, collect, digestOf, expectBytes, inlineBody, noise, record, response, settled } from './fixtures.js'
import { SharedMemory } from './memory-shared-cache.js'

/** Longer than a copy in memory is trusted (D1). */
const trusted = 2001

const large = noise(20_000)
const small = noise(200)

/** A store on a shared cache of which the test plays the other replicas. */
async function setReplica(memory = new SharedMemory()): Promise<ArtifactStage & { memory: SharedMemory }> {
  return { ...(await setArtifactStage({ shared: memory.connect() })), memory }
}

const later = () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  vi.setSystemTime(Date.now() + trusted)
}

const shown = (memory: SharedMemory, key: string) => settled(() => memory.record(key), Boolean)

/** Another replica's record with one large body. */
const theirs = (bytes: Uint8Array, overrides: Partial<StoredRecord> = {}) =>
  record('raw/a', [response(blobBody(bytes))], { version: Date.now() + 1_000_000, ...overrides })

describe('D1: what is shown to the others', () => {
  it.each([
    ['a small body, in its record', 200, false],
    ['a body beside its record', 20_000, true],
    ['a body of the largest size', sharedBodyLimit, true],
    ['a body beyond it: the record alone', sharedBodyLimit + 1, false],
  ])('%s', async (_, size, isBeside) => {
    const { store, memory } = await setReplica()
    const bytes = noise(size)
    await publish(store, 'raw/a', bytes)
    expect(await shown(memory, 'raw/a')).toMatchObject({ key: 'raw/a', variants: [{ body: { size } }] })
    expect(memory.bodies.has(digestOf(bytes))).toBe(isBeside)
    if (isBeside) expectBytes(memory.bodies.get(digestOf(bytes)), bytes)
  })

  it('a validation', async () => {
    const { store, memory } = await setReplica()
    await publish(store, 'raw/a', small)
    const [previous] = (await store.lookup('raw/a'))?.variants ?? []
    if (!previous) throw new Error('there is one')
    await store.freshen('raw/a', previous, { ...previous, responseTime: 9000 })
    const found = await settled(
      () => memory.record('raw/a'),
      (found) => found?.variants[0]?.responseTime === 9000,
    )
    expect(found?.variants[0]?.responseTime).toBe(9000)
  })

  it.each(['flushed', 'behind'])('what it has, where the cache is %s', async (state) => {
    const { store, memory } = await setReplica()
    await publish(store, 'raw/a', large)
    const ours = await shown(memory, 'raw/a')
    memory.records.clear()
    memory.bodies.clear()
    if (state === 'behind') memory.put(theirs(noise(30_000), { version: 1 }))
    later()
    await store.lookup('raw/a')
    const found = await settled(
      () => memory.record('raw/a'),
      (found) => found?.version === ours?.version,
    )
    expect(found).toEqual(ours)
    expectBytes(memory.bodies.get(digestOf(large)), large)
  })

  it('not that it lost a damaged body: it takes back what it had shown', async () => {
    const { store, memory } = await setReplica()
    await publish(store, 'raw/a', small)
    const ours = await shown(memory, 'raw/a')
    const [damaged] = ours?.variants ?? []
    if (damaged) await store.drop('raw/a', damaged, 'gone')
    expect((await store.lookup('raw/a'))?.variants).toEqual([])
    expect(memory.record('raw/a')).toEqual(ours)
    later()
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), small)
  })

  it('a blob that cannot be read breaks nothing', async () => {
    const memory = new SharedMemory()
    const open = () => Promise.reject(new Error('too many open files'))
    const { store } = await setArtifactStage({ shared: memory.connect(), blobs: (blobs) => ({ ...blobs, open }) })
    expect(await publish(store, 'raw/a', large)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(memory.record('raw/a')).toBeUndefined()
  })
})

describe('D1: what is learned of the others', () => {
  it.each([
    ['nothing stored here', undefined, 0, 1, 0, true],
    ['a higher version', 5, 0, 6, 0, true],
    ['an equal version', 5, 0, 5, 0, false],
    ['a lower version', 5, 0, 4, 0, false],
    ['a lower epoch, higher version', 5, 3, 9, 2, false],
    ['a higher epoch, higher version', 5, 3, 9, 4, true],
    ['a higher epoch, lower version: ours was stored in ignorance of a removal', 5, 3, 4, 4, true],
  ])('%s', async (_, version, epoch, theirVersion, theirEpoch, wins) => {
    const { store, records, memory } = await setReplica()
    const ours = record('raw/a', [response(inlineBody(small))], { version: version ?? 0, epoch })
    if (version !== undefined) await records.put(ours, 0)
    memory.put(theirs(large, { version: theirVersion, epoch: theirEpoch }), [digestOf(large), large])
    const found = await store.lookup('raw/a')
    expectBytes(await bytesOf(store, found), wins ? large : small)
    expect(found?.epoch).toBe(wins ? theirEpoch : epoch)
    expect(await records.get('raw/a')).toEqual(found)
  })

  it('both agree in the end, whichever outdid the other', async () => {
    const memory = new SharedMemory()
    const [one, two] = [await setReplica(memory), await setReplica(memory)]
    await one.records.put(record('raw/a', [response(inlineBody(small))], { version: 50 }), 0)
    await two.records.put(record('raw/a', [response(inlineBody(noise(300)))], { version: 5, epoch: 5 }), 0)
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    for (let round = 0; round < 4; round += 1) {
      for (const { store } of [one, two]) await store.lookup('raw/a')
      vi.setSystemTime(Date.now() + trusted)
    }
    expect(await one.records.get('raw/a')).toEqual(await two.records.get('raw/a'))
    expect(memory.record('raw/a')).toEqual(await two.records.get('raw/a'))
    expect((await one.records.get('raw/a'))?.epoch).toBe(5)
  })

  it('a removal counts without a body, and fences the fills begun before it', async () => {
    const { store, memory } = await setReplica()
    await publish(store, 'raw/a', small)
    memory.put(record('raw/a', [], { version: 7, epoch: 7 }))
    later()
    expect(await store.lookup('raw/a')).toMatchObject({ epoch: 7, variants: [] })
    expect(await publish(store, 'raw/a', large, { epoch: 0 })).toBe(false)
  })

  it('a record whose body is not at hand does not count', async () => {
    const { store, records, memory } = await setReplica()
    await publish(store, 'raw/a', small)
    memory.put(theirs(large))
    later()
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), small)
    memory.put(record('raw/b', [response(blobBody(large))]))
    expect(await store.lookup('raw/b')).toBeUndefined()
    expect(await records.get('raw/b')).toBeUndefined()
  })

  it('a body that is here already need not be in the cache', async () => {
    const { store, memory } = await setReplica()
    const huge = noise(sharedBodyLimit + 1)
    await publish(store, 'raw/other', huge)
    memory.put(theirs(huge))
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), huge)
  })

  it('of its variants those with their body at hand', async () => {
    const { store, memory } = await setReplica()
    const variants = [response(blobBody(noise(30_000)), { selecting: { accept: 'x' } }), response(blobBody(large))]
    memory.put(record('raw/a', variants), [digestOf(large), large])
    const found = await store.lookup('raw/a')
    expect(found?.variants).toEqual(variants.slice(1))
  })

  it.each([
    ['a body of other bytes', response(blobBody(large)), noise(large.length)],
    ['a body cut short', response(blobBody(large)), large.subarray(1)],
    ['a size that is not its body’s', response({ ...blobBody(large), size: 19_999 }), large],
    ['an inline body of other bytes', response({ ...inlineBody(small), inline: noise(200) }), small],
  ])('%s does not count', async (_, variant, bytes) => {
    const { store, memory } = await setReplica()
    memory.put(record('raw/a', [variant]), [variant.body.digest, bytes])
    expect(await store.lookup('raw/a')).toBeUndefined()
  })

  it('a body small enough for a record that stands beside it is put into the record', async () => {
    const { store, blobs, memory } = await setReplica()
    memory.put(record('raw/a', [response(blobBody(small))]), [digestOf(small), small])
    const found = await store.lookup('raw/a')
    expectBytes(found?.variants[0]?.body.inline, small)
    expect(await collect(blobs.list())).toEqual([])
  })

  it('a body learned in vain is not kept', async () => {
    const { store, blobs, records, memory } = await setReplica()
    memory.put(theirs(large, { version: 5 }), [digestOf(large), large])
    memory.whileAsked = async () => {
      memory.whileAsked = async () => {}
      await records.put(record('raw/a', [response(inlineBody(small))], { version: 9 }), 0)
    }
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), small)
    expect(await collect(blobs.list())).toEqual([])
  })

  it('D7: a blob that is learned to be here is held until its record is written', async () => {
    const memory = new SharedMemory()
    let beforeWriting = async () => {}
    let asked = 0
    const stage = await setArtifactStage({
      shared: memory.connect(),
      records: (records) => ({
        ...records,
        async get(key) {
          // Once to know what is ours, once to write; between the two the blob was found.
          if (key === 'raw/a') asked += 1
          if (key === 'raw/a' && asked === 2) await beforeWriting()
          return records.get(key)
        },
      }),
    })
    await publish(stage.store, 'raw/other', large)
    memory.put(theirs(large))
    // The only record that names the blob goes just then.
    beforeWriting = async () => {
      await publish(stage.store, 'raw/other', small)
      expect((await stage.store.gc()).blobs).toBe(0)
    }
    expectBytes(await bytesOf(stage.store, await stage.store.lookup('raw/a')), large)
    expect(asked).toBe(2)
    expect(await collect(stage.blobs.list())).toEqual([digestOf(large)])
  })

  it('many who ask at once learn it once', async () => {
    const { store, asked, memory } = await setReplica()
    memory.put(theirs(large), [digestOf(large), large])
    const found = await Promise.all(Array.from({ length: 16 }, () => store.lookup('raw/a')))
    for (const one of found) expectBytes(await bytesOf(store, one), large)
    // Once to know what is ours, once to write.
    expect(asked).toHaveLength(2)
  })

  it('K7: where it cannot be stored, what is here is served', async () => {
    const memory = new SharedMemory()
    const put = () => Promise.reject(new Error('no space left'))
    const { store } = await setArtifactStage({ shared: memory.connect(), blobs: (blobs) => ({ ...blobs, put }) })
    await publish(store, 'raw/a', small)
    memory.put(theirs(large), [digestOf(large), large])
    later()
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), small)
    memory.put(record('raw/b', [response(blobBody(large))]))
    expect(await store.lookup('raw/b')).toBeUndefined()
  })
})

describe('D1: what is in memory', () => {
  it('is trusted for two seconds', async () => {
    const { store, memory } = await setReplica()
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    await publish(store, 'raw/a', small)
    memory.put(theirs(large), [digestOf(large), large])
    vi.setSystemTime(Date.now() + trusted - 2)
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), small)
    vi.setSystemTime(Date.now() + 1)
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), large)
  })

  it('never goes back to what a slow look-up found before a write', async () => {
    const { store, memory } = await setReplica()
    await publish(store, 'raw/a', small)
    later()
    memory.whileAsked = async () => {
      memory.whileAsked = async () => {}
      await publish(store, 'raw/a', large)
    }
    await store.lookup('raw/a')
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), large)
  })

  it('a slow look-up that found nothing tells what was stored meanwhile', async () => {
    const { store, memory } = await setReplica()
    memory.whileAsked = async () => {
      memory.whileAsked = async () => {}
      memory.reachable = false
      await publish(store, 'raw/a', large)
    }
    expectBytes(await bytesOf(store, await store.lookup('raw/a')), large)
  })

  it('serves what is stored while the cache is away, without reading it for nothing', async () => {
    const memory = new SharedMemory()
    let opened = 0
    const { store } = await setArtifactStage({
      shared: memory.connect(),
      blobs: (blobs) => ({
        ...blobs,
        open(digest, size) {
          opened += 1
          return blobs.open(digest, size)
        },
      }),
    })
    await publish(store, 'raw/a', large)
    await shown(memory, 'raw/a')
    memory.reachable = false
    opened = 0
    later()
    const found = await store.lookup('raw/a')
    expect(opened).toBe(0)
    expectBytes(await bytesOf(store, found), large)
  })
})
