import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inlineLimit } from '../../src/caching/record.js'
import type { OpenBody } from '../../src/storage/blob-store.js'
import { openStaging, type StagedBody, type StageOptions, type Staging } from '../../src/storage/staging.js'
import { expectBytes, isEmpty, noise, openUnder, settled, workDirectory } from './fixtures.js'

/*
 * K7, seen from the staged body: no room for it, from the beginning or from some byte on.
 */

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

let directory: string
let staging: Staging
let remove: () => Promise<void>
let faults: unknown[]
let bodies: StagedBody[]
let followers: OpenBody[]

beforeEach(async () => {
  const work = await workDirectory()
  directory = join(work.path, 'staging')
  remove = work.remove
  faults = []
  bodies = []
  followers = []
  staging = await openStaging(directory, { admits: () => true, failed: (error) => void faults.push(error) })
})

afterEach(async () => {
  try {
    for (const follower of followers) follower.close()
    await Promise.all(bodies.map((body) => body.release()))
    const left = async () => [...openUnder(directory), ...(await readdir(directory).catch(() => []))]
    expect(await settled(left, isEmpty)).toEqual([])
  } finally {
    staging.close()
    await remove()
  }
})

const stage = (length: number | undefined, options: StageOptions): StagedBody => {
  const body = staging.create(length, options)
  bodies.push(body)
  return body
}

const follow = (body: StagedBody): OpenBody => {
  const follower = body.follow()
  followers.push(follower)
  return follower
}

const never: StageOptions = { room: () => false }

/** Room for so many bytes of a body whose length is not told. */
const upTo = (bytes: number): StageOptions => ({ room: (asked = 0) => asked <= bytes })

const noRoom = { code: 'NO_ROOM' }

interface Reading {
  readonly bytes: Buffer
  readonly error: unknown
}

/** Reads on from `from` to the end, and closes there. */
async function readAll(follower: OpenBody, from = 0, pace = 64 * kibibyte): Promise<Reading> {
  const parts: Buffer[] = []
  try {
    for (let at = from; ; ) {
      const into = Buffer.alloc(pace)
      const count = await follower.read(into, at)
      if (count === 0) return { bytes: Buffer.concat(parts), error: undefined }
      parts.push(into.subarray(0, count))
      at += count
    }
  } catch (error) {
    return { bytes: Buffer.concat(parts), error }
  } finally {
    follower.close()
  }
}

/** Appends in pieces as a socket brings them, then seals. */
async function fill(body: StagedBody, bytes: Uint8Array, from = 0, piece = 64 * kibibyte): Promise<void> {
  for (let at = from; at < bytes.length; at += piece) await body.append(bytes.subarray(at, at + piece))
  await body.seal()
}

const isPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending')
  const idle = new Promise((resolve) => setTimeout(resolve, 30, pending))
  return (await Promise.race([promise, idle])) === pending
}

describe('K7: no room from the beginning', () => {
  it('a small body needs none: everyone shares it, and it is not to be published', async () => {
    const bytes = noise(inlineLimit)
    const body = stage(bytes.length, never)
    const readings = [readAll(follow(body)), readAll(follow(body))]
    await fill(body, bytes, 0, 1000)
    for (const { bytes: got } of await Promise.all(readings)) expectBytes(got, bytes)
    expect([body.kept, await body.whole()]).toEqual([false, bytes.length])
  })

  it('one leads to the last byte; the others are on their own from where they are', async () => {
    const bytes = noise(2 * mebibyte)
    const body = stage(bytes.length, never)
    const lead = readAll(follow(body))
    const other = readAll(follow(body))
    await fill(body, bytes)
    const late = await readAll(follow(body))
    const [led, left] = await Promise.all([lead, other])
    expect(led.error).toBeUndefined()
    expectBytes(led.bytes, bytes)
    for (const { bytes: got, error } of [left, late]) {
      expect(error).toMatchObject(noRoom)
      expectBytes(got, bytes.subarray(0, got.length))
    }
    expect(await readdir(directory)).toEqual([])
  })

  it('C7: the lead has its last byte when the body is sealed', async () => {
    const bytes = noise(300 * kibibyte)
    const body = stage(bytes.length, never)
    const follower = follow(body)
    const reading = readAll(follower)
    for (let at = 0; at < bytes.length; at += 50_000) await body.append(bytes.subarray(at, at + 50_000))
    expect(await isPending(reading)).toBe(true)
    await body.seal()
    expectBytes((await reading).bytes, bytes)
  })

  it('the body comes in at the pace of its lead, and no more than a window of it is in memory', async () => {
    const body = stage(undefined, never)
    const lead = follow(body)
    await body.append(noise(inlineLimit))
    expect(await lead.read(Buffer.alloc(1), 0)).toBe(1)
    let taken = 0
    const filling = (async () => {
      for (; taken < 64; taken += 1) await body.append(noise(64 * kibibyte))
    })()
    expect(await isPending(filling)).toBe(true)
    expect(taken).toBeLessThan(8)
    const reading = readAll(lead, 1, 4096)
    await filling
    await body.seal()
    expect((await reading).bytes).toHaveLength(inlineLimit + 64 * 64 * kibibyte - 1)
  })

  it('the lead may take what is in memory as it is', async () => {
    const bytes = noise(mebibyte)
    const body = stage(bytes.length, never)
    const lead = follow(body)
    const filling = fill(body, bytes)
    const parts: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const into = Buffer.alloc(1)
      const peeked = lead.peek?.(at, at + 100_000) ?? []
      const part = peeked.length > 0 ? Buffer.concat([...peeked]) : into.subarray(0, await lead.read(into, at))
      parts.push(part)
      at += part.length
    }
    await filling
    expectBytes(Buffer.concat(parts), bytes)
  })

  it('when the lead leaves, the body ends: nobody takes it', async () => {
    const body = stage(undefined, never)
    const lead = follow(body)
    const filling = fill(body, noise(4 * mebibyte))
    await lead.read(Buffer.alloc(1), 0)
    lead.close()
    await expect(filling).rejects.toMatchObject(noRoom)
    expect((await readAll(follow(body), body.received)).error).toMatchObject(noRoom)
  })

  it('one that nobody follows ends at once', async () => {
    const body = stage(undefined, never)
    await expect(fill(body, noise(mebibyte))).rejects.toMatchObject(noRoom)
  })

  it('its size is not known before its end, and others may begin anew', async () => {
    const body = stage(undefined, never)
    const reading = readAll(follow(body))
    const whole = body.whole()
    const filling = fill(body, noise(mebibyte))
    await body.parted
    expect(await whole).toBeUndefined()
    await filling
    await reading
  })
})

describe('K7: the room runs out', () => {
  it('all have what the file got; then one leads and the others are on their own', async () => {
    const bytes = noise(6 * mebibyte)
    const body = stage(undefined, upTo(3 * mebibyte))
    const slow = follow(body)
    const lead = readAll(follow(body))
    await fill(body, bytes)
    expectBytes((await lead).bytes, bytes)
    const { bytes: got, error } = await readAll(slow)
    expect(error).toMatchObject(noRoom)
    expect(got.length).toBeGreaterThanOrEqual(2 * mebibyte)
    expectBytes(got, bytes.subarray(0, got.length))
    expect(body.kept).toBe(false)
  })

  it.each([
    ['from the beginning', 0],
    ['after some MiB', 6 * mebibyte],
  ])('U4: %s: promised digests are those of the whole all the same', async (_, room) => {
    const bytes = noise(10 * mebibyte)
    const body = stage(undefined, { ...upTo(room), promised: ['md5'] })
    const reading = readAll(follow(body))
    for (let at = 0; at < bytes.length; at += 100_000) await body.append(bytes.subarray(at, at + 100_000))
    const hex = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex')
    expect(await body.digests()).toEqual({ sha256: hex('sha256'), md5: hex('md5') })
    await body.seal()
    expectBytes((await reading).bytes, bytes)
  })

  it('a directory that vanished costs nobody his bytes, and is told once', async () => {
    await rm(directory, { recursive: true })
    const bytes = noise(3 * mebibyte)
    const body = stage(bytes.length, {})
    expect(body.kept).toBe(true)
    const reading = readAll(follow(body))
    await fill(body, bytes)
    expectBytes((await reading).bytes, bytes)
    expect([body.kept, faults]).toEqual([false, [expect.objectContaining({ code: 'ENOENT' })]])
  })

  it('whatever the sizes, the paces and the room: right bytes, and to the end for one', async () => {
    const sizes = fc.integer({ min: 1, max: 900 * kibibyte })
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          size: sizes,
          room: fc.option(sizes, { nil: 0 }),
          piece: fc.integer({ min: 200, max: 300 * kibibyte }),
          paces: fc.array(fc.integer({ min: 500, max: 300 * kibibyte }), { minLength: 1, maxLength: 5 }),
        }),
        async ({ size, room, piece, paces }) => {
          const bytes = noise(size)
          const body = stage(undefined, upTo(room))
          const readings = paces.map((pace) => readAll(follow(body), 0, pace))
          await fill(body, bytes, 0, piece)
          const ended = await Promise.all(readings)
          for (const { bytes: got, error } of ended) {
            expectBytes(got, bytes.subarray(0, got.length))
            if (error === undefined) expect(got.length).toBe(size)
            else expect(error).toMatchObject(noRoom)
          }
          expect(ended.some(({ error }) => error === undefined)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })
})
