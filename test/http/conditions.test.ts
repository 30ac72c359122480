import { beforeEach, describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { mswRemote, type Remote } from '../proxy/remote.js'
import { inFront } from '../support/in-process.js'
import { noise } from '../support/stage.js'

const remote: Remote = mswRemote()

const etag = '"abc"'
const modified = 'Mon, 01 Jan 2024 00:00:00 GMT'
const before = 'Sun, 31 Dec 2023 23:59:59 GMT'
const after = 'Mon, 01 Jan 2024 00:00:01 GMT'

type Case = readonly [name: string, headers: Record<string, string>, get: number, head: number]

const cases: readonly Case[] = [
  ['If-None-Match, the same', { 'if-none-match': etag }, 304, 304],
  ['If-None-Match, its weak form', { 'if-none-match': 'W/"abc"' }, 304, 304],
  ['If-None-Match, in a list', { 'if-none-match': '"x", "abc"' }, 304, 304],
  ['If-None-Match, any', { 'if-none-match': '*' }, 304, 304],
  ['If-None-Match, another', { 'if-none-match': '"x"' }, 200, 200],
  ['If-None-Match, another, over a date', { 'if-none-match': '"x"', 'if-modified-since': after }, 200, 200],
  ['If-Modified-Since, the instant', { 'if-modified-since': modified }, 304, 304],
  ['If-Modified-Since, a second later', { 'if-modified-since': after }, 304, 304],
  ['If-Modified-Since, a second before', { 'if-modified-since': before }, 200, 200],
  ['If-Modified-Since, nonsense', { 'if-modified-since': 'yesterday' }, 200, 200],
  ['If-Match, the same', { 'if-match': etag }, 200, 200],
  ['If-Match, any', { 'if-match': '*' }, 200, 200],
  ['If-Match, another', { 'if-match': '"x"' }, 412, 412],
  ['If-Match, the weak form', { 'if-match': 'W/"abc"' }, 412, 412],
  ['If-Unmodified-Since, the instant', { 'if-unmodified-since': modified }, 200, 200],
  ['If-Unmodified-Since, a second before', { 'if-unmodified-since': before }, 412, 412],
  ['a range, unless it changed (Maven)', { 'if-unmodified-since': before, range: 'bytes=1-2' }, 412, 412],
  ['a range', { range: 'bytes=1-2' }, 206, 200],
  ['a range and If-Match', { range: 'bytes=1-2', 'if-match': etag }, 206, 200],
  ['a range and If-None-Match, the same', { range: 'bytes=1-2', 'if-none-match': etag }, 304, 304],
  ['a range outside', { range: 'bytes=10-' }, 416, 200],
  ['If-Range, the same', { range: 'bytes=1-2', 'if-range': etag }, 206, 200],
  ['If-Range, another', { range: 'bytes=1-2', 'if-range': '"x"' }, 200, 200],
  ['If-Range, the weak form', { range: 'bytes=1-2', 'if-range': 'W/"abc"' }, 200, 200],
  ['If-Range, the instant', { range: 'bytes=1-2', 'if-range': modified }, 206, 200],
  ['If-Range, a later date', { range: 'bytes=1-2', 'if-range': after }, 200, 200],
  ['If-Range, another, and a range outside', { range: 'bytes=10-', 'if-range': '"x"' }, 200, 200],
  ['another unit', { range: 'lines=1-2' }, 200, 200],
  ['a range that is none', { range: 'bytes=2-1' }, 200, 200],
]

describe('C5: conditions, cold and warm', () => {
  beforeEach(() => remote.answer('/a', { headers: { ETag: etag, 'Last-Modified': modified }, body: '0123456789' }))

  it.each(cases)('%s', async (_, headers, get, head) => {
    const larder = await inFront(remote.url)
    const coldHead = await larder.head('/a', headers)
    const cold = await larder.warm('/a', headers)
    const warm = await larder.get('/a', headers)
    const warmHead = await larder.head('/a', headers)
    expect([cold, warm, coldHead, warmHead].map(({ status }) => status)).toEqual([get, get, head, head])
    for (const answer of [cold, warm]) {
      const bodies: Record<number, string> = { 200: '0123456789', 206: '12', 304: '', 412: '', 416: '' }
      expect([answer.body.toString(), answer.ended]).toEqual([bodies[get], 'end'])
      if (get === 304) expect([answer.header('etag'), answer.header('content-type')]).toEqual([etag, undefined])
      if (get === 206) expect(answer.header('content-range')).toBe('bytes 1-2/10')
      if (get === 416) expect(answer.header('content-range')).toBe('bytes */10')
    }
    expect(remote.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
    for (const { headers: sent } of remote.requests) {
      expect([...sent.keys()].filter((name) => /^(if-|range)/.test(name))).toEqual([])
    }
  })
})

describe('C5: ranges, cold and warm', () => {
  it.each([
    ['inline', 10_000],
    ['a blob', 100_000],
  ])('single, suffix, open: %s', async (_, size) => {
    const { origin, larder } = await behindSocket()
    const table: [string, number, number][] = [
      ['bytes=0-0', 0, 0],
      ['bytes=0-', 0, size - 1],
      ['bytes=100-199', 100, 199],
      [`bytes=${size - 1}-`, size - 1, size - 1],
      [`bytes=${size - 1}-${size * 2}`, size - 1, size - 1],
      ['bytes=-1', size - 1, size - 1],
      [`bytes=-${size * 2}`, 0, size - 1],
    ]
    for (const [i, [range, start, end]] of table.entries()) {
      const body = origin.put(`/${i}`, noise(size))
      const cold = await larder.warm(`/${i}`, { range })
      const warm = await larder.get(`/${i}`, { range })
      for (const { status, header, body: got } of [cold, warm]) {
        expect([range, status, header('content-range')]).toEqual([range, 206, `bytes ${start}-${end}/${size}`])
        expect(header('content-length')).toBe(String(end - start + 1))
        expect(got.equals(body.subarray(start, end + 1))).toBe(true)
      }
      expect((await larder.get(`/${i}`)).body.equals(body)).toBe(true)
      expect(origin.count(`/${i}`)).toBe(1)
      expect(origin.requestsFor(`/${i}`)[0]?.headers.range).toBeUndefined()
    }
  })

  it.each([
    ['inline', 1000],
    ['a blob', 100_000],
  ])('several: multipart/byteranges (RFC 9110 §14.6), %s', async (_, size) => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size), { headers: { 'Content-Type': 'text/plain; n=é' } })
    const cold = await larder.warm('/a', { range: 'bytes=0-9, 100-199, -5' })
    const warm = await larder.get('/a', { range: 'bytes=0-9, 100-199, -5' })
    const type = (await larder.get('/a')).header('content-type')
    for (const answer of [cold, warm]) {
      expect([answer.status, answer.header('content-range'), answer.ended]).toEqual([206, undefined, 'end'])
      expect(answer.header('content-length')).toBe(String(answer.body.length))
      const [, boundary] = /^multipart\/byteranges; boundary=(\S+)$/.exec(answer.header('content-type') ?? '') ?? []
      const part = (start: number, end: number) =>
        `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${start}-${end}/${size}\r\n\r\n` +
        body.subarray(start, end + 1).toString('latin1')
      const wanted = `${part(0, 9)}${part(100, 199)}${part(size - 5, size - 1)}\r\n--${boundary}--\r\n`
      expect(answer.body.toString('latin1')).toBe(wanted)
    }
    expect(origin.count('/a')).toBe(1)
  })

  it('many, or more than it is worth: 200', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(1000))
    await larder.warm('/a')
    const many = Array.from({ length: 17 }, (_, i) => `${i * 10}-${i * 10}`).join(',')
    for (const range of [`bytes=${many}`, 'bytes=0-,0-,0-'])
      expect((await larder.get('/a', { range })).status).toBe(200)
    expect((await larder.get('/a', { range: 'bytes=0-9,10-19' })).header('content-range')).toBe('bytes 0-19/1000')
    expect(origin.count('/a')).toBe(1)
  })

  it.each([
    ['a range', 'bytes=10-19', 206],
    ['a suffix', 'bytes=-10', 206],
    ['outside', 'bytes=50000-', 416],
  ])('a cold key of unknown length, %s: waits for the end and is right', async (_, range, status) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(50_000))
    origin.plan('/a', { framing: 'chunked' })
    const cold = await larder.warm('/a', { range })
    const warm = await larder.get('/a', { range })
    expect([cold.status, cold.header('content-range')]).toEqual([status, warm.header('content-range')])
    expect(cold.body.equals(warm.body)).toBe(true)
    expect(origin.count('/a')).toBe(1)
  })

  it('of what may not be shared: the whole of it', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'no-store', ETag: etag } })
    const larder = await inFront(remote.url)
    for (let i = 1; i <= 2; i += 1) {
      const { status, body } = await larder.get('/a', { range: 'bytes=1-2' })
      expect([status, body.toString(), remote.count('/a')]).toEqual([200, 'body', i])
    }
    expect((await larder.get('/a', { 'if-none-match': etag })).status).toBe(304)
  })
})
