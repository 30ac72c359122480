import { describe, expect, it, onTestFinished } from 'vitest'
import { type Ending, get, open, rawEnding } from './http.js'
import { type Fault, type Origin, startOrigin } from './origin.js'
import { noise } from './stage.js'

async function serve(): Promise<{ origin: Origin; body: Buffer; url: string }> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  const body = origin.put('/a', noise(300_000))
  return { origin, body, url: `${origin.url}/a` }
}

// The end-to-end tests rest on these: a client that could not tell how a body ended would prove nothing.
describe('the origin and the client of the tests', () => {
  it.each<[name: string, fault: Fault, ended: Ending, size: number | undefined]>([
    ['well', {}, 'end', 300_000],
    ['chunked', { framing: 'chunked' }, 'end', 300_000],
    ['close-delimited', { framing: 'close' }, 'end', 300_000],
    ['cut', { cut: 1000 }, 'broken', 1000],
    ['cut before the body', { cut: 0 }, 'broken', 0],
    ['cut within chunks', { cut: 1000, framing: 'chunked' }, 'broken', 1000],
    ['reset', { reset: 1000 }, 'broken', undefined],
    ['reset within chunks', { reset: 1000, framing: 'chunked' }, 'broken', undefined],
    ['a length too long', { wrongLength: 300_001 }, 'broken', 300_000],
    ['a stall that ends', { stall: { after: 1000, ms: 10 } }, 'end', 300_000],
    ['slow', { rate: 10_000_000 }, 'end', 300_000],
  ])('%s', async (_, fault, ended, size) => {
    const { origin, body, url } = await serve()
    origin.plan('/a', fault, 1)
    const answer = await get(url)
    expect(answer.ended).toBe(ended)
    expect(answer.body.equals(body.subarray(0, answer.body.length))).toBe(true)
    if (size !== undefined) expect(answer.body.length).toBe(size)
    expect(await get(url)).toMatchObject({ status: 200, ended: 'end' })
    expect(origin.count('/a', 'GET')).toBe(2)
  })

  it.each<[name: string, headers: Record<string, string>, status: number, length: number]>([
    ['a range', { Range: 'bytes=10-19' }, 206, 10],
    ['a suffix', { Range: 'bytes=-5' }, 206, 5],
    ['an open range', { Range: 'bytes=299990-' }, 206, 10],
    ['past the end', { Range: 'bytes=300000-' }, 416, 0],
    ['a range of another version', { Range: 'bytes=10-19', 'If-Range': '"other"' }, 200, 300_000],
    ['another version wanted', { 'If-Match': '"other"' }, 412, 0],
    ['not modified since', { 'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' }, 304, 0],
    ['modified since', { 'If-Modified-Since': 'Sun, 31 Dec 2023 00:00:00 GMT' }, 200, 300_000],
  ])('%s', async (_, headers, status, length) => {
    const { url } = await serve()
    const answer = await get(url, { headers })
    expect([answer.status, answer.body.length]).toEqual([status, length])
    if (answer.status === 200) {
      const again = await get(url, { headers: { 'If-None-Match': answer.header('etag') ?? '' } })
      expect(again.status).toBe(304)
    }
  })

  it('holds until it is let go', async () => {
    const { origin, body, url } = await serve()
    const gate = origin.hold('/a', 1000)
    const held = await open(url)
    await gate.reached
    await held.firstByte
    expect(held.received()).toBe(1000)
    gate.letGo()
    expect((await held.finished).body.equals(body)).toBe(true)
  })

  it('dies and comes back on the same port', async () => {
    const { origin, body, url } = await serve()
    const gate = origin.hold('/a', 1000)
    const held = await open(url)
    await gate.reached
    await origin.stop()
    expect((await held.finished).ended).toBe('broken')
    await expect(get(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await origin.start()
    expect((await get(url)).body.equals(body)).toBe(true)
  })

  it.each<[name: string, fault: Fault, ending: string]>([
    ['well', {}, 'fin'],
    ['cut', { cut: 1000 }, 'fin'],
    ['reset', { reset: 1000 }, 'reset'],
    ['reset at once', { reset: 0 }, 'reset'],
  ])('a plain reader sees how the connection ended: %s', async (_, fault, ending) => {
    const { origin, url } = await serve()
    origin.plan('/a', fault)
    expect(await rawEnding(url)).toBe(ending)
  })

  it('uses its plans up in order', async () => {
    const { origin, url } = await serve()
    origin.plan('/a', { status: 503 }, 2)
    origin.plan('/a', { status: 429 }, 1)
    const statuses: number[] = []
    for (let i = 0; i < 4; i += 1) statuses.push((await get(url)).status)
    expect(statuses).toEqual([503, 503, 429, 200])
  })
})
