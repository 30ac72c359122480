import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'lmdb'
import { describe, expect, it, vi } from 'vitest'
import { storageKey } from '../../src/caching/cache-key.js'
import type { Digest, StoredRecord } from '../../src/caching/record.js'
import { encodeRecord } from '../../src/caching/record-encoding.js'
import { LarderError } from '../../src/errors.js'
import type { OpenBody } from '../../src/storage/blob-store.js'
import type { Damaged } from '../../src/storage/damage.js'
import type { Verifiable, VerifyProgress } from '../../src/storage/verify.js'
import { type ArtifactStage, bytesOf, publish, setArtifactStage } from './artifact-stage.js'
import { collect, digestOf, expectBytes, inlineBody, noise, record, response, settled } from './fixtures.js'

vi.mock('node:timers/promises', async (original) => {
  const actual = await original<typeof import('node:timers/promises')>()
  return { ...actual, setTimeout: vi.fn(actual.setTimeout) }
})

const size = 300_000

const fileOf = ({ directory }: ArtifactStage, digest: Digest) => {
  const hex = digest.slice('sha256:'.length)
  return join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[1000] = (copy[1000] ?? 0) ^ 1
  return copy
}

async function stored({ store }: ArtifactStage, key: string): Promise<StoredRecord> {
  const found = await store.lookup(key)
  if (!found) throw new Error(`${key} is not stored`)
  return found
}

const remains = async ({ store }: ArtifactStage, key: string) => ((await store.lookup(key))?.variants.length ?? 0) > 0

describe('D4: verify', () => {
  it('leaves what is sound, and tells what it did', async () => {
    const { store, damaged } = await setArtifactStage()
    await publish(store, 'raw/small', noise(100))
    await publish(store, 'raw/large', noise(size))
    const steps: VerifyProgress[] = []
    expect(await store.verify({ onProgress: (step) => steps.push(step) })).toEqual({
      checked: 2,
      bytes: size + 100,
      damaged: 0,
    })
    expect(steps.map(({ checked }) => checked)).toEqual([1, 2])
    expect(damaged).toEqual([])
  })

  it('copies that are elsewhere are checked, too, and count', async () => {
    const checked: Digest[] = []
    const checkCopy: Verifiable['checkCopy'] = async (digest, length, taken) => {
      checked.push(digest)
      await taken(length)
    }
    const { store } = await setArtifactStage({ blobs: (blobs) => Object.assign(blobs, { checkCopy }) })
    const bytes = noise(size)
    await publish(store, 'raw/large', bytes)
    expect((await store.verify()).bytes).toBe(2 * size)
    expect(checked).toEqual([digestOf(bytes)])
  })

  it.each([
    ['with a byte flipped', 'digest', (file: string, bytes: Buffer) => writeFile(file, flipped(bytes))],
    ['cut short', 'size', (file: string) => truncate(file, size - 1)],
    ['grown', 'size', (file: string) => truncate(file, size + 1)],
    ['gone', 'gone', (file: string) => rm(file)],
    ['replaced by a directory', 'unreadable', (file: string) => rm(file).then(() => mkdir(file))],
  ])('finds a blob %s, drops its records and it; the next fill brings it back', async (_, reason, damage) => {
    const stage = await setArtifactStage()
    const { store, blobs } = stage
    const [bytes, sound] = [noise(size), noise(size)]
    for (const key of ['raw/a', 'raw/b']) await publish(store, key, bytes)
    await publish(store, 'raw/c', sound)
    await damage(fileOf(stage, digestOf(bytes)), bytes)
    const found: Damaged[] = []
    const { checked, damaged } = await store.verify({ onDamaged: (body) => found.push(body) })
    expect([checked, damaged]).toEqual([3, 2])
    expect(found).toEqual(['raw/a', 'raw/b'].map((key) => ({ key, digest: digestOf(bytes), reason })))
    expect(stage.damaged).toEqual(found)
    expect([await remains(stage, 'raw/a'), await remains(stage, 'raw/b')]).toEqual([false, false])
    expect(await collect(blobs.list())).toEqual([digestOf(sound)])
    await publish(store, 'raw/a', bytes)
    expectBytes(await bytesOf(store, await stored(stage, 'raw/a')), bytes)
  })

  it('finds a body within its record that is not what its digest says', async () => {
    const stage = await setArtifactStage()
    const body = inlineBody(noise(5000))
    const garbled = { ...body, inline: flipped(body.inline ?? noise(0)) }
    await stage.records.put(record('raw/a', [response(garbled)]), 0)
    expect(await stage.store.verify()).toMatchObject({ damaged: 1 })
    expect(await remains(stage, 'raw/a')).toBe(false)
  })

  it('keeps the sound variants of a record', async () => {
    const stage = await setArtifactStage()
    const [bytes, sound] = [noise(size), noise(size)]
    await publish(stage.store, 'raw/a', bytes, { head: { selecting: { accept: 'x' } } })
    await publish(stage.store, 'raw/a', sound, { head: { selecting: { accept: 'y' } } })
    await writeFile(fileOf(stage, digestOf(bytes)), flipped(bytes))
    expect(await stage.store.verify()).toMatchObject({ checked: 2, damaged: 1 })
    expect((await stored(stage, 'raw/a')).variants.map(({ body }) => body.digest)).toEqual([digestOf(sound)])
  })

  it('tells of a record that cannot be decoded, which counts as absent', async () => {
    const stage = await setArtifactStage()
    const environment = open({ path: join(stage.directory, 'records'), maxDbs: 7, cache: false })
    const records = environment.openDB<Buffer, string>({ name: 'records', encoding: 'binary' })
    const good = Buffer.from(encodeRecord(record('raw/a', [response(inlineBody(noise(10)))])))
    await records.put(storageKey('raw/a'), good.subarray(0, -1))
    await environment.close()
    expect(await stage.store.lookup('raw/a')).toBeUndefined()
    const expected = { key: storageKey('raw/a'), reason: 'record' }
    const found: Damaged[] = []
    expect(await stage.store.verify({ onDamaged: (body) => found.push(body) })).toMatchObject({ damaged: 1 })
    expect([found, stage.damaged]).toEqual([[expected], [expected]])
    await publish(stage.store, 'raw/a', noise(10))
    expect(await stage.store.verify()).toMatchObject({ checked: 1, damaged: 0 })
  })

  it('reads a blob that many keys share once', async () => {
    const { store } = await setArtifactStage()
    const bytes = noise(size)
    for (const key of ['raw/a', 'raw/b', 'raw/c']) await publish(store, key, bytes)
    expect(await store.verify()).toEqual({ checked: 3, bytes: size, damaged: 0 })
  })

  it('leaves a blob without a record to the sweep', async () => {
    const stage = await setArtifactStage()
    const digest = digestOf(noise(1))
    await mkdir(join(fileOf(stage, digest), '..'), { recursive: true })
    await writeFile(fileOf(stage, digest), 'garbage')
    expect(await stage.store.verify()).toMatchObject({ checked: 0, damaged: 0 })
    expect(await collect(stage.blobs.list())).toEqual([digest])
    expect((await stage.store.gc()).blobs).toBeTruthy()
  })
})

/** A stage whose blobs can be interfered with while verify reads them: `meanwhile` runs once, before the first read. */
async function interruptible(meanwhile: () => Promise<unknown>) {
  let waiting = true
  const first = async (body: OpenBody, into: Uint8Array, position: number) => {
    const count = await body.read(into, position)
    if (waiting) {
      waiting = false
      await meanwhile()
    }
    return count
  }
  return setArtifactStage({
    blobs: (blobs) => ({
      ...blobs,
      async open(digest, size) {
        const body = await blobs.open(digest, size)
        return typeof body === 'string' ? body : { ...body, read: (into, at) => first(body, into, at) }
      },
    }),
  })
}

describe('D4: verify beside others', () => {
  it.each(['fetched anew', 'replaced by other bytes'])('a damaged artifact %s while it is read stays', async (fate) => {
    const bytes = noise(size)
    const next = fate === 'fetched anew' ? bytes : noise(size)
    const stage = await interruptible(() => publish(stage.store, 'raw/a', next, { head: { responseTime: 3000 } }))
    await publish(stage.store, 'raw/a', bytes)
    await writeFile(fileOf(stage, digestOf(bytes)), flipped(bytes))
    expect(await stage.store.verify()).toMatchObject({ damaged: 0 })
    expectBytes(await bytesOf(stage.store, await stored(stage, 'raw/a')), next)
    expect(stage.damaged).toEqual([])
  })

  it('fills, removals and readings at the same time lose and report nothing', async () => {
    const stage = await setArtifactStage()
    const { store } = stage
    const bodies = Array.from({ length: 6 }, (_, i) => noise(20_000 + i))
    const turn = (round: number) =>
      Promise.all(bodies.map((_, i) => publish(store, `raw/${i}`, bodies[(i + round) % 6] ?? noise(1))))
    await turn(0)
    for (let round = 1; round < 8; round += 1) {
      const [{ damaged }] = await Promise.all([store.verify({ rate: Number.POSITIVE_INFINITY }), turn(round)])
      expect(damaged).toBe(0)
    }
    expect(stage.damaged).toEqual([])
    for (let i = 0; i < 6; i += 1) expect(await remains(stage, `raw/${i}`)).toBe(true)
  })

  it('an aborted one ends, and leaves nothing open', async () => {
    const { store } = await setArtifactStage()
    const bytes = noise(2 * size)
    for (const key of ['raw/a', 'raw/b']) await publish(store, key, bytes)
    const abort = new AbortController()
    const running = store.verify({ rate: 1000, signal: abort.signal })
    setTimeout(() => abort.abort(new Error('enough')), 20)
    await expect(running).rejects.toThrow()
  })

  it('reads no faster than it may', async () => {
    const { store } = await setArtifactStage()
    await publish(store, 'raw/a', noise(size))
    const began = performance.now()
    await store.verify({ rate: size * 4 })
    expect(performance.now() - began).toBeGreaterThan(240)
  })

  it('reads small bodies as fast as it may: none of them waits for a timer', async () => {
    const { store } = await setArtifactStage()
    for (let i = 0; i < 50; i += 1) await publish(store, `raw/${i}`, noise(100))
    vi.mocked(sleep).mockClear()
    expect(await store.verify()).toMatchObject({ checked: 50 })
    expect(sleep).not.toHaveBeenCalled()
  })

  it('a store that fails is no damage', async () => {
    const fault = new Error('too many open files')
    let broken = false
    const stage = await setArtifactStage({
      blobs: (blobs) => ({ ...blobs, open: (...of) => (broken ? Promise.reject(fault) : blobs.open(...of)) }),
    })
    await publish(stage.store, 'raw/a', noise(size))
    broken = true
    await expect(stage.store.verify()).rejects.toBe(fault)
    expect(await remains(stage, 'raw/a')).toBe(true)
  })

  it('nor is one that fails in the middle of a body', async () => {
    const fault = new LarderError('STORE_FAULT', 'the bucket cuts a blob')
    const stage = await setArtifactStage({
      blobs: (blobs) => ({
        ...blobs,
        async open(...of) {
          const body = await blobs.open(...of)
          return typeof body === 'string' ? body : { ...body, read: () => Promise.reject(fault) }
        },
      }),
    })
    await publish(stage.store, 'raw/a', noise(size))
    await expect(stage.store.verify()).rejects.toBe(fault)
    expect([await remains(stage, 'raw/a'), stage.damaged]).toEqual([true, []])
  })
})

describe('D4: damage found on reading', () => {
  it('before the first byte: not there, dropped and told of once', async () => {
    const stage = await setArtifactStage()
    const bytes = noise(size)
    await publish(stage.store, 'raw/a', bytes)
    const [variant] = (await stored(stage, 'raw/a')).variants
    if (!variant) throw new Error('there is one')
    await truncate(fileOf(stage, digestOf(bytes)), 5)
    const opened = await Promise.all([1, 2, 3].map(() => stage.store.open('raw/a', variant)))
    expect(opened).toEqual([undefined, undefined, undefined])
    expect(stage.damaged).toEqual([{ key: 'raw/a', digest: digestOf(bytes), reason: 'size' }])
    expect(await remains(stage, 'raw/a')).toBe(false)
  })

  it('by someone late: what was fetched anew meanwhile stays', async () => {
    const stage = await setArtifactStage()
    const bytes = noise(size)
    await publish(stage.store, 'raw/a', bytes)
    const [found] = (await stored(stage, 'raw/a')).variants
    await publish(stage.store, 'raw/a', bytes, { head: { responseTime: 3000 } })
    if (found) await stage.store.drop('raw/a', found, 'size')
    expect(await remains(stage, 'raw/a')).toBe(true)
    expect(stage.damaged).toEqual([])
  })

  it('one that cannot be dropped is told of with the reason, and not served either', async () => {
    let full = false
    const fault = new Error('no space')
    const stage = await setArtifactStage({
      records: (records) => ({ ...records, put: (...of) => (full ? Promise.reject(fault) : records.put(...of)) }),
    })
    const bytes = noise(size)
    await publish(stage.store, 'raw/a', bytes)
    const file = fileOf(stage, digestOf(bytes))
    const [variant] = (await stored(stage, 'raw/a')).variants
    await truncate(file, 5)
    full = true
    expect(variant && (await stage.store.open('raw/a', variant))).toBeUndefined()
    expect(stage.damaged).toEqual([{ key: 'raw/a', digest: digestOf(bytes), reason: 'size', fault }])
    full = false
    await writeFile(file, bytes)
  })

  it.each([
    ['ends too soon', 'size', async () => 0],
    ['cannot be read', 'unreadable', () => Promise.reject(new Error('EIO'))],
  ])('in the middle of it: one that %s throws, and is dropped', async (_, reason, fails) => {
    const stage = await setArtifactStage({
      blobs: (blobs) => ({
        ...blobs,
        async open(digest, size) {
          const body = await blobs.open(digest, size)
          return typeof body === 'string'
            ? body
            : { ...body, read: (into, at) => (at > 0 ? fails() : body.read(into, at)) }
        },
      }),
    })
    const bytes = noise(size)
    await publish(stage.store, 'raw/a', bytes)
    const [variant] = (await stored(stage, 'raw/a')).variants
    const body = variant && (await stage.store.open('raw/a', variant))
    expect(await body?.read(Buffer.alloc(1000), 0)).toBe(1000)
    await expect(body?.read(Buffer.alloc(1000), 1000)).rejects.toMatchObject({ code: 'STORE_FAULT' })
    body?.close()
    expect(
      await settled(
        () => stage.damaged,
        (damaged) => damaged.length > 0,
      ),
    ).toMatchObject([{ key: 'raw/a', reason }])
    expect(await remains(stage, 'raw/a')).toBe(false)
  })

  it('reading what was closed is nobody’s damage', async () => {
    const stage = await setArtifactStage()
    const bytes = noise(size)
    await publish(stage.store, 'raw/a', bytes)
    const [variant] = (await stored(stage, 'raw/a')).variants
    const body = variant && (await stage.store.open('raw/a', variant))
    body?.close()
    await expect(body?.read(Buffer.alloc(10), 0)).rejects.toThrow('not open')
    expect(await remains(stage, 'raw/a')).toBe(true)
    expect(stage.damaged).toEqual([])
  })
})
