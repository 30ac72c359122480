import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { OpenBody } from '../../../src/storage/blob-store.js'
import { noise, until } from '../../support/stage.js'
import { bodyOf, ours, start, theirs } from './fixtures.js'

const engines = vi.hoisted(() => [] as { readonly destroyed: boolean }[])

vi.mock('node:zlib', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:zlib')>()
  const noted = <T>(engine: T) => {
    engines.push(engine as { readonly destroyed: boolean })
    return engine
  }
  return {
    ...real,
    createGunzip: (options: object) => noted(real.createGunzip(options)),
    createGzip: (options: object) => noted(real.createGzip(options)),
  }
})

const mebibyte = 1024 * 1024

async function member(content: Buffer): Promise<Buffer> {
  const archive = pack()
  archive.entry({ name: 'lib/x' }, content)
  archive.finalize()
  // Without the blocks of its end.
  return (await buffer(archive)).subarray(0, 512 + Math.ceil(content.length / 512) * 512)
}

/** The same bytes over and over, which are nowhere all at once. */
function repeated(
  bytes: Buffer,
  times: number,
): { readonly body: OpenBody; readonly size: number; furthest(): number } {
  const size = bytes.length * times
  let furthest = 0
  const read = async (into: Uint8Array, position: number) => {
    const count = Math.min(into.length, size - position, bytes.length - (position % bytes.length))
    into.set(bytes.subarray(position % bytes.length, (position % bytes.length) + count))
    furthest = Math.max(furthest, position + count)
    return count
  }
  return { body: { read, close: () => {} }, size, furthest: () => furthest }
}

/** Ends nowhere: waits for ever behind its last byte. */
const stalled = (bytes: Buffer): OpenBody => ({
  ...bodyOf(bytes),
  read: async (into, position) =>
    position < bytes.length ? bodyOf(bytes).read(into, position) : new Promise<number>(() => {}),
})

const settle = async () => {
  for (let i = 0; i < 50; i += 1) await turn()
}

describe('while it comes in', () => {
  it('goes out', async () => {
    const bytes = await member(noise(4 * mebibyte))
    for (const body of [bytes, gzipSync(bytes), gzipSync(gzipSync(bytes)), noise(4 * mebibyte)]) {
      const { chunks } = start(stalled(body), body.length)
      let received = 0
      const iterator = chunks[Symbol.asyncIterator]()
      while (received < 3 * mebibyte) received += (await iterator.next()).value.length
      await iterator.return?.()
    }
  })

  it('is read no further ahead than a few chunks where nobody takes it', async () => {
    const bytes = await member(noise(mebibyte))
    for (const unit of [bytes, gzipSync(bytes), noise(mebibyte)]) {
      const { body, size, furthest } = repeated(unit, 100)
      const iterator = start(body, size).chunks[Symbol.asyncIterator]()
      await iterator.next()
      await settle()
      expect(furthest()).toBeLessThan(2 * mebibyte)
      await iterator.return?.()
    }
  })

  it('takes no more memory, however much it is', async () => {
    const text = Buffer.from(`${theirs}\n${'x'.repeat(10_000)}`.repeat(100))
    const unit = gzipSync(Buffer.concat([await member(text), await member(noise(mebibyte / 4))]))
    const { body, size } = repeated(unit, 200)
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    const before = used()
    let most = 0
    let received = 0
    const rewriting = start(body, size)
    for await (const chunk of rewriting.chunks) {
      received += chunk.length
      most = Math.max(most, used() - before)
    }
    expect(rewriting.outcome()).toMatchObject({ kind: 'rewritten', files: 200 })
    expect(received).toBeGreaterThan(50 * mebibyte)
    // 250 MiB of tar pass.
    expect(most).toBeLessThan(100 * mebibyte)
  })
})

describe('whoever leaves', () => {
  beforeEach(() => {
    engines.length = 0
  })

  const allEnded = () => engines.every(({ destroyed }) => destroyed)
  const tgz = async () => gzipSync(gzipSync(await member(noise(3 * mebibyte))))

  it.each([0, 1, 5])('after %i chunks leaves nothing behind', async (taken) => {
    const { chunks } = start(bodyOf(await tgz()), 0)
    const iterator = chunks[Symbol.asyncIterator]()
    for (let i = 0; i < taken; i += 1) await iterator.next()
    expect(engines).toHaveLength(taken === 0 ? 0 : 4)
    await iterator.return?.()
    await until(allEnded, 'the engines to end')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  it('while bytes are waited for that never come, too', async () => {
    const bytes = await tgz()
    for (const length of [0, 20, bytes.length / 2, bytes.length]) {
      const { chunks } = start(stalled(bytes.subarray(0, length)), 0)
      const iterator = chunks[Symbol.asyncIterator]()
      const taking = (async () => {
        for (;;) await iterator.next()
      })().catch(() => 'ended')
      await settle()
      await iterator.return?.()
      expect(await taking).toBe('ended')
      await until(allEnded, 'the engines to end')
    }
  })

  it('while a zip is waited for that never comes, too', async () => {
    const body = bodyOf(Buffer.from('PK\x03\x04'))
    const rewriting = start(body, 0, { whole: () => new Promise(() => {}) })
    const iterator = rewriting.chunks[Symbol.asyncIterator]()
    const taking = iterator.next().then(
      () => 'went on',
      () => 'ended',
    )
    await settle()
    await iterator.return?.()
    expect(await taking).toBe('ended')
  })

  it('or stays to the end, good or bad: the engines have ended', async () => {
    const whole = await tgz()
    for (const bytes of [
      whole,
      whole.subarray(0, -20),
      Buffer.concat([whole, Buffer.from('garbage')]),
      gzipSync(noise(90_000)),
    ]) {
      const all = async () => {
        for await (const _ of start(bodyOf(bytes), bytes.length).chunks);
      }
      await all().catch(() => {})
      await until(allEnded, 'the engines to end')
    }
    expect(engines.length).toBeGreaterThan(10)
  })
})

it('what was done is known at the end, and not before', async () => {
  const bytes = gzipSync(Buffer.concat([await member(Buffer.from(theirs)), Buffer.alloc(1024)]))
  const rewriting = start(bodyOf(bytes), bytes.length)
  expect(() => rewriting.outcome()).toThrow('only once the chunks have ended')
  const chunks: Uint8Array[] = []
  for await (const chunk of rewriting.chunks) chunks.push(chunk)
  expect(gunzipSync(Buffer.concat(chunks)).toString()).toContain(ours)
  expect(rewriting.outcome()).toEqual({ kind: 'rewritten', files: 1, urls: 1 })
})
