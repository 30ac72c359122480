import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inlineLimit } from '../../src/caching/record.js'
import { LarderError } from '../../src/errors.js'
import type { OpenBody } from '../../src/storage/blob-store.js'
import { openStaging, type StagedBody, type Staging } from '../../src/storage/staging.js'
import { expectBytes, isEmpty, noise, openUnder, settled, workDirectory } from './fixtures.js'

let directory: string
let staging: Staging
let remove: () => Promise<void>
let bodies: StagedBody[]
let followers: OpenBody[]

beforeEach(async () => {
  const work = await workDirectory()
  directory = join(work.path, 'staging')
  remove = work.remove
  staging = await openStaging(directory)
  bodies = []
  followers = []
})

afterEach(async () => {
  try {
    for (const follower of followers) follower.close()
    await Promise.all(bodies.map((body) => body.release()))
    const left = async () => [...openUnder(directory), ...(await readdir(directory).catch(() => []))]
    expect(await settled(left, isEmpty)).toEqual([])
  } finally {
    await remove()
  }
})

const stage = (length?: number): StagedBody => {
  const body = staging.create(length)
  bodies.push(body)
  return body
}

const follow = (body: StagedBody): OpenBody => {
  const follower = body.follow()
  followers.push(follower)
  return follower
}

/** Taken over in pieces as a socket brings them. */
const received = async (bytes: Uint8Array, length?: number): Promise<StagedBody> => {
  const body = stage(length)
  for (let at = 0; at < bytes.length; at += 64 * 1024) await body.append(bytes.subarray(at, at + 64 * 1024))
  return body
}

/** Reads to the end, `pace` bytes at a time; throws what the body throws, with what was read until then. */
async function readAll(follower: OpenBody, pace = 64 * 1024): Promise<{ bytes: Buffer; error: unknown }> {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const into = Buffer.alloc(pace)
    try {
      const count = await follower.read(into, at)
      if (count === 0) return { bytes: Buffer.concat(parts), error: undefined }
      parts.push(into.subarray(0, count))
      at += count
    } catch (error) {
      return { bytes: Buffer.concat(parts), error }
    }
  }
}

/** Whether a promise settles by itself, without anything else being done. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  const idle = new Promise((resolve) => setTimeout(resolve, 30, pending))
  return (await Promise.race([promise, idle])) === pending
}

const readable = (body: StagedBody, count: number): Promise<number> =>
  settled(
    () => follow(body).read(Buffer.alloc(1), count - 1),
    (got) => got === 1,
  )

/** Bytes of a body whose beginning is in its file alone, however much of its end is kept in memory. */
const beyondMemory = 12 * 1024 * 1024

const sizes: readonly (readonly [string, number])[] = [
  ['nothing', 0],
  ['one byte', 1],
  ['at the inline limit', inlineLimit],
  ['one byte beyond the inline limit', inlineLimit + 1],
  ['large', 3 * 1024 * 1024],
]

describe('a whole body', () => {
  it.each(sizes)('D3: %s: inline up to the limit, a file beyond', async (_, size) => {
    const bytes = noise(size)
    const body = await received(bytes, size)
    await body.seal()
    expect(body.received).toBe(size)
    expect(await body.whole()).toBe(size)
    const isInline = size <= inlineLimit
    expect(existsSync(body.file)).toBe(!isInline)
    expectBytes(isInline ? body.inline : await readFile(body.file), bytes)
    if (!isInline) expect(body.inline).toBeUndefined()
  })

  it('spills the same whether the limit is reached by one chunk or by many', async () => {
    const bytes = noise(inlineLimit + 1)
    const body = stage(bytes.length)
    for (let at = 0; at < bytes.length; at += 100) await body.append(bytes.subarray(at, at + 100))
    await body.seal()
    expectBytes(await readFile(body.file), bytes)
  })

  it('takes thousands of tiny chunks at once', async () => {
    const bytes = noise(60_000)
    const body = stage()
    await Promise.all(Array.from(bytes, (_, i) => body.append(bytes.subarray(i, i + 1))))
    await body.seal()
    expectBytes((await readAll(follow(body))).bytes, bytes)
  })

  it('empty chunks change nothing', async () => {
    const bytes = noise(inlineLimit + 5)
    const body = stage(bytes.length)
    for (const chunk of [
      Buffer.alloc(0),
      bytes.subarray(0, 10),
      Buffer.alloc(0),
      bytes.subarray(10),
      Buffer.alloc(0),
    ]) {
      await body.append(chunk)
    }
    await body.seal()
    expectBytes((await readAll(follow(body))).bytes, bytes)
  })

  it('a file that was taken over stays, and followers read on', async () => {
    const bytes = noise(beyondMemory)
    const body = await received(bytes, bytes.length)
    await body.seal()
    const follower = follow(body)
    const taken = `${directory}-taken`
    await rename(body.file, taken)
    await body.release()
    bodies = []
    expectBytes((await readAll(follower)).bytes, bytes)
    expectBytes(await readFile(taken), bytes)
  })
})

describe('C6: followers', () => {
  it.each(sizes)('%s: from byte 0 for those who come before, during and after', async (_, size) => {
    const bytes = noise(size)
    const body = stage(size)
    const early = [readAll(follow(body)), readAll(follow(body), 1000)]
    await body.append(bytes.subarray(0, size / 2))
    const midway = readAll(follow(body), 7777)
    await body.append(bytes.subarray(size / 2))
    await body.seal()
    const late = readAll(follow(body))
    for (const read of await Promise.all([...early, midway, late])) {
      expect(read.error).toBeUndefined()
      expectBytes(read.bytes, bytes)
    }
  })

  it('one that began in memory goes on in the file', async () => {
    const bytes = noise(inlineLimit * 4)
    const body = await received(bytes.subarray(0, 100), bytes.length)
    const follower = follow(body)
    const first = Buffer.alloc(60)
    expect(await follower.read(first, 0)).toBe(60)
    await body.append(bytes.subarray(100))
    await body.seal()
    expectBytes(first, bytes.subarray(0, 60))
    const rest = Buffer.alloc(bytes.length - 60)
    expect(await follower.read(rest, 60)).toBe(rest.length)
    expectBytes(rest, bytes.subarray(60))
  })

  it('one that has read all that is written waits, also just after the spill', async () => {
    const body = await received(noise(100))
    await body.append(noise(inlineLimit))
    expect(await readable(body, body.received)).toBe(1)
    const next = follow(body).read(Buffer.alloc(1), body.received)
    expect(await isPending(next)).toBe(true)
    await body.seal()
    expect(await next).toBe(0)
  })

  it('many at different paces all get all', async () => {
    const bytes = noise(1_000_000)
    const body = stage(bytes.length)
    const reads = Array.from({ length: 32 }, (_, i) => readAll(follow(body), 10_000 + 5_000 * i))
    for (let at = 0; at < bytes.length; at += 50_000) await body.append(bytes.subarray(at, at + 50_000))
    await body.seal()
    for (const { bytes: got } of await Promise.all(reads)) expectBytes(got, bytes)
  })

  it('one that reads nothing holds up neither the writer nor the others', async () => {
    const bytes = noise(6 * 1024 * 1024)
    const body = stage(bytes.length)
    follow(body)
    const reading = readAll(follow(body))
    for (let at = 0; at < bytes.length; at += 1024 * 1024) await body.append(bytes.subarray(at, at + 1024 * 1024))
    await body.seal()
    expectBytes((await reading).bytes, bytes)
  })

  it('a range from the middle is read as soon as it is there', async () => {
    const bytes = noise(100_000)
    const body = stage(bytes.length)
    const into = Buffer.alloc(100)
    const reading = follow(body).read(into, 50_000)
    await body.append(bytes.subarray(0, 50_000))
    expect(await isPending(reading)).toBe(true)
    await body.append(bytes.subarray(50_000, 60_000))
    expect(await reading).toBe(100)
    expectBytes(into, bytes.subarray(50_000, 50_100))
  })

  it.each([100, 100_000, beyondMemory])(
    'those who follow a body of %i bytes when the writer let go read it to its end',
    async (size) => {
      const bytes = noise(size)
      const body = await received(bytes, size)
      const follower = follow(body)
      await body.seal()
      await body.release()
      bodies = []
      expectBytes((await readAll(follower)).bytes, bytes)
    },
  )

  it('one who comes after the writer let go is never given the bytes of another file', async () => {
    // Long enough that its beginning is no more in memory.
    const body = stage(3_000_000)
    for (let i = 0; i < 30; i += 1) await body.append(noise(100_000))
    await body.seal()
    await body.release()
    bodies = []
    // The descriptor's number is free now, and goes to the next file opened.
    const another = await received(Buffer.alloc(200_000, 'secret'))
    await another.seal()
    await expect(follow(body).read(Buffer.alloc(1000), 0)).rejects.toThrow('not open')
  })

  it('C7: what is peeked at in memory stops before the last byte too, until it is sealed', async () => {
    const bytes = noise(1000)
    const body = await received(bytes, 1000)
    const follower = follow(body)
    const peeked = (position: number, end = 1000) => Buffer.concat([...(follower.peek?.(position, end) ?? [])])
    expectBytes(peeked(10), bytes.subarray(10, 999))
    expectBytes(peeked(10, 20), bytes.subarray(10, 20))
    expect(follower.peek?.(999, 1000)).toEqual([])
    await body.seal()
    expectBytes(peeked(999), bytes.subarray(999))
    expect(follower.peek?.(1000, 2000)).toEqual([])
  })

  it('until the writer has let go, one can still join', async () => {
    const bytes = noise(100_000)
    const body = await received(bytes, bytes.length)
    await body.seal()
    const releasing = body.release()
    const follower = follow(body)
    await releasing
    bodies = []
    expectBytes((await readAll(follower)).bytes, bytes)
  })

  it('closing while waiting ends the wait', async () => {
    const body = await received(noise(10), 20)
    const follower = body.follow()
    const reading = follower.read(Buffer.alloc(10), 10)
    expect(await isPending(reading)).toBe(true)
    follower.close()
    follower.close()
    expect(await reading).toBe(0)
    expect(await follower.read(Buffer.alloc(10), 0)).toBe(0)
  })

  it('closing while a read is under way lets it end', async () => {
    const bytes = noise(beyondMemory)
    const body = await received(bytes, bytes.length)
    await body.seal()
    const follower = body.follow()
    const into = Buffer.alloc(bytes.length)
    const reading = follower.read(into, 0)
    follower.close()
    await body.release()
    bodies = []
    expect(await reading).toBe(bytes.length)
    expectBytes(into, bytes)
  })
})

describe('C7: the last byte', () => {
  it.each(sizes.slice(1))('%s: is withheld until the body is sealed', async (_, size) => {
    const bytes = noise(size)
    const body = await received(bytes, size)
    const reading = readAll(follow(body))
    if (size > 1) expect(await readable(body, size - 1)).toBe(1)
    const last = follow(body).read(Buffer.alloc(1), size - 1)
    expect(await isPending(last)).toBe(true)
    await body.seal()
    expect(await last).toBe(1)
    expectBytes((await reading).bytes, bytes)
  })

  it('an empty body ends only once it is sealed', async () => {
    const body = stage(0)
    const reading = follow(body).read(Buffer.alloc(1), 0)
    expect(await isPending(reading)).toBe(true)
    await body.seal()
    expect(await reading).toBe(0)
  })

  it.each([99, 98])(
    'a body longer than its %i announced bytes gives no more away than one of that length',
    async (length) => {
      const body = await received(noise(100), length)
      const follower = follow(body)
      expect(await follower.read(Buffer.alloc(200), 0)).toBe(length - 1)
      expect(await isPending(follower.read(Buffer.alloc(1), length - 1))).toBe(true)
    },
  )

  it('without a length all bytes go out at once, and the end only when sealed', async () => {
    const body = await received(noise(100))
    expect(await follow(body).read(Buffer.alloc(100), 0)).toBe(100)
    const end = follow(body).read(Buffer.alloc(1), 100)
    expect(await isPending(end)).toBe(true)
    await body.seal()
    expect(await end).toBe(0)
  })
})

describe('a body that fails', () => {
  const cut = new LarderError('UPSTREAM_CUT', 'the remote went away')

  it.each([
    ['in memory', 100],
    ['in its file', 100_000],
  ])('%s: followers get what is readable, then the error', async (_, size) => {
    const bytes = noise(size)
    const body = await received(bytes, size + 1)
    const waiting = readAll(follow(body))
    await readable(body, size)
    body.fail(cut)
    const late = readAll(follow(body), 30)
    for (const read of await Promise.all([waiting, late])) {
      expect(read.error).toBe(cut)
      expectBytes(read.bytes, bytes)
    }
    await expect(body.whole()).rejects.toBe(cut)
    await expect(body.append(Buffer.from('more'))).rejects.toBe(cut)
    await expect(body.seal()).rejects.toBe(cut)
  })

  it('C7: fails with its last byte still withheld', async () => {
    const body = await received(noise(100), 100)
    const reading = readAll(follow(body))
    body.fail(cut)
    expect((await reading).bytes).toHaveLength(99)
  })

  it('whoever waits for the whole hears of it', async () => {
    const body = stage()
    const whole = body.whole()
    body.fail(cut)
    await expect(whole).rejects.toBe(cut)
  })

  it('the first failure is the one that is told', async () => {
    const body = stage()
    body.fail(cut)
    body.fail(new Error('another'))
    await expect(body.whole()).rejects.toBe(cut)
  })
})

describe('backpressure', () => {
  it('a small backlog is welcome at once; a large one waits for the disk', async () => {
    const body = stage()
    await body.append(noise(inlineLimit + 1))
    const small = body.append(noise(1024 * 1024))
    let welcome = false
    const large = body.append(Buffer.alloc(6 * 1024 * 1024)).then(() => {
      welcome = true
    })
    await small
    expect(welcome).toBe(false)
    await large
    expect(await follow(body).read(Buffer.alloc(1), body.received - 1)).toBe(1)
  })
})

describe('a start', () => {
  it('D2: finds nothing of what was coming in before', async () => {
    await writeFile(join(directory, 'half'), noise(100))
    await mkdir(join(directory, 'nested'))
    staging = await openStaging(directory)
    expect(await readdir(directory)).toEqual([])
    const body = await received(noise(100_000))
    await body.seal()
  })
})
