import { execFileSync } from 'node:child_process'
import { buffer } from 'node:stream/consumers'
import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { missing, title } from '../../support/servers.js'
import { noise } from '../../support/stage.js'
import { failure, type Given, ours, rewrite, start, theirs } from './fixtures.js'

const text = Buffer.from(`fetch ${theirs}\n`)
const rewritten = Buffer.from(`fetch ${ours}\n`)
const oneUrl = { kind: 'rewritten', files: 1, urls: 1 }
const untouched = (why: string) => ({ kind: 'untouched', why })

function tarOf(...contents: readonly Buffer[]): Promise<Buffer> {
  const archive = pack()
  // Of one time, or two of them would differ when the second turns over in between.
  for (const [index, content] of contents.entries())
    archive.entry({ name: `file${index}`, mtime: new Date(0) }, content)
  archive.finalize()
  return buffer(archive)
}

const repacked = (bytes: Buffer, times: number, how: (bytes: Buffer) => Buffer): Buffer =>
  Array.from({ length: times }).reduce<Buffer>(how, bytes)

async function leavesAlone(bytes: Buffer, why: string, given: Given = {}): Promise<void> {
  for (const once of [false, true]) {
    const result = await rewrite(bytes, { ...given, once })
    expect(result.outcome).toEqual(untouched(why))
    expect(result.bytes.equals(bytes)).toBe(true)
  }
}

describe('what is opened', () => {
  it.each([0, 1, 2, 4])('text, and a tar, in %i gzips', async (times) => {
    for (const [before, after] of [
      [text, rewritten],
      [await tarOf(text), await tarOf(rewritten)],
    ] as const) {
      const result = await rewrite(
        repacked(before, times, (bytes) => gzipSync(bytes)),
        { once: true },
      )
      // `files` stays one, however deep it lies.
      expect(result.outcome).toEqual(oneUrl)
      expect(repacked(result.bytes, times, (bytes) => gunzipSync(bytes)).equals(after)).toBe(true)
    }
  })

  it.each([
    ['a text of its own', 'text/plain', text],
    ['called gzip', 'gzip', gzipSync(text)],
    ['called gzip in capitals, twice', 'X-Gzip, GZIP', gzipSync(gzipSync(text))],
    ['called gzip, and none', 'gzip', text],
    ['called nothing', 'identity', gzipSync(text)],
  ])('%s', async (_, coding, bytes) => {
    const headers = coding === 'text/plain' ? [] : ['content-encoding', coding]
    expect((await rewrite(bytes, { headers })).outcome).toEqual(oneUrl)
  })

  it('a text whatever its name is, and whatever members are asked for', async () => {
    expect((await rewrite(text, { members: ['nothing'] })).bytes.equals(rewritten)).toBe(true)
  })

  it('nothing: a text without a URL, an empty one', async () => {
    for (const bytes of [Buffer.from('no URL'), Buffer.alloc(0), gzipSync('no URL'), gzipSync('')]) {
      const result = await rewrite(bytes)
      expect(result.bytes.equals(bytes)).toBe(true)
      expect(result.outcome).toEqual({ kind: 'rewritten', files: 0, urls: 0 })
    }
  })

  it('a gzip of many members, padded with zeros', async () => {
    const whole = Buffer.concat([gzipSync(text), gzipSync(''), gzipSync(text), Buffer.alloc(1000)])
    const result = await rewrite(whole, { atOnce: () => 7 })
    expect(gunzipSync(result.bytes).toString()).toBe(`${rewritten}${rewritten}`)
  })

  it('for a gzip that gzip itself can read, as deterministic bytes', async () => {
    const { bytes } = await rewrite(execFileSync('gzip', ['-9nc'], { input: text }))
    expect(execFileSync('gzip', ['-dc'], { input: bytes }).equals(rewritten)).toBe(true)
    expect(bytes.readUInt32LE(4)).toBe(0)
  })
})

describe('what stays as it is', () => {
  it('any other encoding', async () => {
    await leavesAlone(brotliCompressSync(text), 'encoding', { headers: ['Content-Encoding', 'br'] })
    await leavesAlone(text, 'encoding', { headers: ['Content-Encoding', 'gzip, zstd'] })
  })

  it('what is no text, wherever that shows', async () => {
    await leavesAlone(Buffer.concat([text, Buffer.from('\0')]), 'format')
    await leavesAlone(Buffer.concat([text, Buffer.alloc(600, 'x'), Buffer.from('\0')]), 'format')
    await leavesAlone(Buffer.concat([text, Buffer.alloc(300_000, 'x'), Buffer.from('\0')]), 'format')
    await leavesAlone(gzipSync(Buffer.concat([text, noise(1_000_000), Buffer.from('\0')])), 'format')
    await leavesAlone(Buffer.from(theirs, 'utf16le'), 'format')
  })

  it.each(['xz', 'zstd', 'bzip2'])('what %s packs', async (program) => {
    const magics = { xz: 'fd377a585a0000', zstd: '28b52ffd', bzip2: '425a6839314159265359' }
    await leavesAlone(Buffer.concat([Buffer.from(magics[program as 'xz'], 'hex'), text]), 'format')
  })

  it('a deeper gzip than is opened', async () => {
    await leavesAlone(
      repacked(text, 5, (bytes) => gzipSync(bytes)),
      'format',
    )
  })

  it('a text that is too large', async () => {
    const large = Buffer.concat([Buffer.alloc(8 * 1024 * 1024, 'x'), text])
    await leavesAlone(large, 'size')
    await leavesAlone(gzipSync(large), 'size')
    await leavesAlone(gzipSync(noise(20_000).map((byte) => byte | 1)), 'size', { limits: { text: 10_000 } })
    // Many empty members: nothing comes out of them, and they are held meanwhile.
    await leavesAlone(
      repacked(gzipSync(''), 11, (bytes) => Buffer.concat([bytes, bytes])),
      'size',
      { limits: { text: 10_000 } },
    )
    expect((await rewrite(large.subarray(text.length), { atOnce: () => 100_000 })).outcome).toEqual(oneUrl)
  })

  it('a large member of a tar, and the others are rewritten', async () => {
    const large = Buffer.concat([text, Buffer.alloc(10_000, 'x')])
    const { bytes } = await rewrite(await tarOf(text, large, text), { limits: { text: 10_000 } })
    expect(bytes.equals(await tarOf(rewritten, large, rewritten))).toBe(true)
  })

  it('what only begins like a gzip', async () => {
    await leavesAlone(Buffer.concat([Buffer.from('1f8b08', 'hex'), noise(100_000)]), 'format')
    await leavesAlone(Buffer.from('1f8b08', 'hex'), 'format')
    // A text that is cut: clients see what they saw without us.
    await leavesAlone(gzipSync(text).subarray(0, -5), 'format')
    await leavesAlone(Buffer.concat([gzipSync(text), Buffer.from('garbage')]), 'format')
  })

  it('an empty tar', async () => {
    await leavesAlone(Buffer.alloc(10_240), 'format')
  })
})

describe('what fails', () => {
  it('a tar.gz that is cut anywhere, or has something behind its end', async () => {
    const whole = gzipSync(await tarOf(noise(3000), text, noise(200_000)))
    for (let length = 3000; length < whole.length; length += 9973) {
      expect(await failure(whole.subarray(0, length))).toBe('REWRITE_FAILED')
    }
    for (const missing of [1, 4, 8, 9, 12]) {
      expect(await failure(whole.subarray(0, -missing), { atOnce: () => 1000 })).toBe('REWRITE_FAILED')
    }
    expect(await failure(Buffer.concat([whole, Buffer.from('garbage')]))).toBe('REWRITE_FAILED')
  })

  it('a bomb, however deep it lies', async () => {
    const bomb = await tarOf(text, Buffer.alloc(3_000_000))
    const limits = { expanded: 2_000_000 }
    for (const times of [1, 2, 3]) {
      const packed = repacked(bomb, times, (bytes) => gzipSync(bytes))
      expect(await failure(packed, { limits })).toBe('REWRITE_FAILED')
      expect((await rewrite(packed)).outcome).toEqual(oneUrl)
    }
  })

  it('headers of a member that never end', async () => {
    const tar = pack()
    for (let i = 0; i < 3; i += 1) tar.entry({ name: 'x', pax: { comment: 'x'.repeat(20_000) } }, 'x')
    tar.finalize()
    const whole = await buffer(tar)
    expect(await failure(whole, { limits: { listing: 10_000 } })).toBe('REWRITE_FAILED')
    expect((await rewrite(whole)).bytes.equals(whole)).toBe(true)
    const longName = (await tarOf(Buffer.alloc(0))).subarray(0, 512)
    longName.write('L', 156)
    longName.write('000000\0 ', 148)
    const sum = longName.reduce(
      (total, byte) => total + byte,
      8 * 0x20 - [...'000000\0 '].reduce((n, c) => n + c.charCodeAt(0), 0),
    )
    longName.write(sum.toString(8).padStart(6, '0'), 148)
    expect(
      await failure(
        repacked(longName, 8, (bytes) => Buffer.concat([bytes, bytes])),
        { limits: { listing: 10_000 } },
      ),
    ).toBe('REWRITE_FAILED')
  })
})

describe.skipIf(missing('zstd').length > 0)(title('zstd', 'zstd'), () => {
  it('stays as it is', async () => {
    await leavesAlone(execFileSync('zstd', ['-c'], { input: await tarOf(text) }), 'format')
    await leavesAlone(execFileSync('zstd', ['-c'], { input: text }), 'format')
  })
})

describe('the faults of the original', async () => {
  it.each([
    ['a text', text],
    ['a tar', await tarOf(noise(300_000), text)],
    ['a tar.gz', gzipSync(await tarOf(noise(300_000), text))],
    ['a gzip in a gzip', gzipSync(gzipSync(await tarOf(noise(300_000), text)))],
    ['a binary', noise(300_000)],
  ])('are thrown as they are: %s', async (_, bytes) => {
    for (const after of [0, 10, 600, bytes.length >> 1, bytes.length - 1, bytes.length]) {
      if (after > bytes.length) continue
      const fault = new Error('cut')
      const body = {
        read: async (into: Uint8Array, position: number) => {
          if (position >= after) throw fault
          const part = bytes.subarray(position, Math.min(after, position + into.length))
          into.set(part)
          return part.length
        },
        close: () => {},
      }
      const { chunks } = start(body, bytes.length)
      const received: Uint8Array[] = []
      const thrown = await (async () => {
        for await (const chunk of chunks) received.push(chunk)
      })().catch((error: unknown) => error)
      expect([after, thrown]).toEqual([after, fault])
      // Nothing of the end was out.
      const complete = await rewrite(bytes)
      if (complete.outcome.kind === 'rewritten') {
        expect(Buffer.concat(received).length).toBeLessThan(complete.bytes.length)
      }
    }
  })
})
