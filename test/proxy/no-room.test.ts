import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import type { InProcess } from '../support/in-process.js'
import type { Fault, Origin, OriginFile } from '../support/origin.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

const mebibyte = 1024 * 1024

/** Where bodies come in there is a file instead of a directory; the first body that meets it closes the store. */
async function withoutRoom(settings = {}): Promise<{ origin: Origin; larder: InProcess }> {
  const stage = await behindSocket(settings)
  const staging = join(stage.larder.data, 'staging')
  await rm(staging, { recursive: true })
  await writeFile(staging, '')
  stage.origin.put('/first', noise(100_000))
  await stage.larder.warm('/first')
  await until(() => stage.larder.logs.some(({ msg }) => String(msg).startsWith('cannot store')), 'the log tells of it')
  return stage
}

const outcomes = async (larder: InProcess, lines: number) => (await larder.accessLog(lines)).map((line) => line.outcome)

describe('K7: a store that takes nothing', () => {
  it('a client is streamed through by one request, and is told that nothing is stored', async () => {
    const { origin, larder } = await withoutRoom()
    const body = origin.put('/a', noise(3 * mebibyte))
    for (const asked of [1, 2]) {
      const answer = await larder.warm('/a')
      expect([answer.status, answer.ended, answer.body.equals(body)]).toEqual([200, 'end', true])
      expect(answer.header('cache-status')).toBe('larder; fwd=uri-miss')
      expect(answer.header('content-length')).toBe(String(body.length))
      expect(origin.count('/a')).toBe(asked)
    }
    expect(await outcomes(larder, 3)).toEqual(['miss', 'bypass', 'bypass'])
    expect(await larder.metric('larder_fills_total', { result: 'no-room' })).toBe(3)
    expect(await larder.metric('larder_fills_total', { result: 'failed' })).toBe(0)
  })

  it('the first body that meets it loses nothing', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(mebibyte))
    await rm(join(larder.data, 'staging'), { recursive: true })
    const answers = await Promise.all([1, 2, 3].map(() => larder.get('/a')))
    expect(answers.map(({ ended, body: got }) => [ended, got.equals(body)])).toEqual(Array(3).fill(['end', true]))
    expect(larder.logs.filter(({ msg }) => String(msg).startsWith('cannot store'))).toHaveLength(1)
  })

  it('O1: it is said, and the log tells of it once', async () => {
    const { origin, larder } = await withoutRoom()
    origin.put('/a', noise(mebibyte))
    await Promise.all(Array.from({ length: 20 }, () => larder.get('/a')))
    const ready = await get(`${larder.url}/readyz`)
    expect([ready.status, JSON.parse(ready.body.toString())]).toEqual([
      200,
      { status: 'degraded', degraded: ['disk not writable'] },
    ])
    expect(await larder.metric('larder_degraded')).toBe(1)
    expect(await larder.metric('larder_degraded_by', { reason: 'disk not writable' })).toBe(1)
    expect(await larder.metric('larder_degraded_by', { reason: 'disk full' })).toBe(0)
    expect(larder.logs.filter(({ level }) => Number(level) >= 40)).toHaveLength(1)
  })

  it('small bodies need no file: they are shared, though not stored', async () => {
    const { origin, larder } = await withoutRoom()
    const body = origin.put('/a', noise(16 * 1024))
    const gate = origin.hold('/a', 1000, {}, 1)
    const clients = await Promise.all(Array.from({ length: 5 }, () => larder.open('/a')))
    gate.letGo()
    for (const { finished } of clients) expect((await finished).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(1)
    await larder.settled()
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; fwd=uri-miss')
    expect(origin.count('/a')).toBe(2)
  })

  it.each(['length', 'chunked'] as const)(
    'many clients of one large body (%s): right bytes for each, by one request each at most',
    async (framing) => {
      const { origin, larder } = await withoutRoom()
      const body = origin.put('/a', noise(3 * mebibyte))
      origin.plan('/a', framing === 'chunked' ? { framing } : {})
      const gate = origin.hold('/a', 10_000, framing === 'chunked' ? { framing } : {}, 1)
      const clients = await Promise.all(Array.from({ length: 20 }, () => larder.open('/a')))
      gate.letGo()
      for (const { finished } of clients) {
        const { ended, body: got } = await finished
        expect([ended, got.equals(body)]).toEqual(['end', true])
      }
      expect(origin.count('/a')).toBeLessThanOrEqual(20)
    },
  )

  it('C5: ranges and conditions are answered as ever, the range by a range', async () => {
    const { origin, larder } = await withoutRoom()
    const body = origin.put('/a', noise(3 * mebibyte))
    const range = await larder.get('/a', { range: `bytes=${2 * mebibyte}-` })
    expect([range.status, range.body.equals(body.subarray(2 * mebibyte))]).toEqual([206, true])
    expect(origin.requests.at(-1)?.headers).toMatchObject({
      range: `bytes=${2 * mebibyte}-`,
      'if-range': origin.files.get('/a')?.etag,
    })
    const parts = await larder.get('/a', { range: 'bytes=2000000-2000009,10-19' })
    expect(parts.status).toBe(206)
    expect(parts.body.includes(body.subarray(2_000_000, 2_000_010))).toBe(true)
    expect(parts.body.includes(body.subarray(10, 20))).toBe(true)
    const etag = String(origin.files.get('/a')?.etag)
    expect((await larder.get('/a', { 'if-none-match': etag })).status).toBe(304)
    expect((await larder.head('/a')).header('content-length')).toBe(String(body.length))
  })

  it('a range of a body whose length the remote does not tell is answered whole', async () => {
    const { origin, larder } = await withoutRoom()
    const body = origin.put('/a', noise(mebibyte))
    origin.plan('/a', { framing: 'chunked' })
    const { status, ended, body: got } = await larder.get('/a', { range: 'bytes=500000-' })
    expect([status, ended, got.equals(body)]).toEqual([200, 'end', true])
  })

  it('U4: a body that is not what its head promised is still withheld', async () => {
    const { origin, larder } = await withoutRoom()
    origin.put('/a', noise(mebibyte), { etag: '"0123456789abcdef0123456789abcdef"' })
    expect((await larder.get('/a')).ended).toBe('broken')
  })

  it('U3: a cut body is resumed', async () => {
    const { origin, larder } = await withoutRoom()
    const body = origin.put('/a', noise(2 * mebibyte))
    origin.plan('/a', { cut: 700_000 }, 1)
    const { ended, body: got } = await larder.get('/a')
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(origin.requests.at(-1)?.headers.range).toBe('bytes=700000-')
  })

  it('a leaving client ends its request at the remote', async () => {
    const { origin, larder } = await withoutRoom()
    origin.put('/a', noise(mebibyte))
    const gate = origin.hold('/a', 500_000)
    const client = await larder.open('/a')
    await until(() => client.received() === 500_000, 'the client has what came')
    const before = origin.connections
    client.destroy()
    await until(() => origin.connections < before, 'the remote is let go')
    gate.letGo()
  })

  it('it is tried again after a while, and then stored', async () => {
    const { origin, larder } = await withoutRoom()
    await rm(join(larder.data, 'staging'))
    const body = origin.put('/a', noise(mebibyte))
    await expect.poll(() => larder.logs.some(({ msg }) => msg === 'storing again'), { timeout: 30_000 }).toBe(true)
    expect((await larder.warm('/a')).header('cache-status')).toBe('larder; fwd=uri-miss; stored')
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(1)
    expect(await larder.metric('larder_degraded')).toBe(0)
  })
})

/** A fill of 16 MiB that will find room for 1 MiB, held before that, with one client who takes nothing and one who does. */
async function midway(rest: Omit<OriginFile, 'body'> = {}) {
  const { origin, larder } = await behindSocket({ maxSize: '1MiB' })
  const body = origin.put('/a', noise(16 * mebibyte), rest)
  const gate = origin.hold('/a', mebibyte / 2, { framing: 'chunked' }, 1)
  const slow = await larder.open('/a')
  slow.pause()
  const fast = await larder.open('/a')
  await fast.firstByte
  return { origin, larder, body, gate, slow, fast }
}

describe('K7: the room runs out midway', () => {
  it.each<[string, Omit<OriginFile, 'body'>, boolean]>([
    ['by Range and If-Range', {}, true],
    ['by date where there is no ETag', { etag: false }, true],
    ['from 0 where there is no strong validator', { etag: 'W/"1"', lastModified: false }, false],
    ['from 0 where the remote knows no ranges', { ranges: false }, true],
  ])('each goes on alone from where it is: %s', async (_, rest, asksRange) => {
    const { origin, larder, body, gate, slow, fast } = await midway(rest)
    gate.letGo()
    slow.resume()
    for (const { finished } of [fast, slow]) {
      const { ended, body: got } = await finished
      expect([ended, got.equals(body)]).toEqual(['end', true])
    }
    expect(origin.count('/a')).toBe(2)
    expect(origin.requests[1]?.headers.range !== undefined).toBe(asksRange)
    await larder.settled()
    expect((await larder.get('/a')).header('cache-status')).not.toContain('hit')
    expect(await larder.metric('larder_fills_total', { result: 'no-room' })).toBeGreaterThan(0)
  })

  it('who comes later begins anew', async () => {
    const { larder, body, gate, slow, fast } = await midway()
    gate.letGo()
    expect((await fast.finished).body.equals(body)).toBe(true)
    await larder.settled()
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    slow.resume()
    for (const { finished } of [fast, slow]) expect((await finished).body.equals(body)).toBe(true)
  })

  it('the remote has another version by now: a reset, never a mixture', async () => {
    const { origin, body, gate, slow, fast } = await midway()
    origin.put('/a', noise(16 * mebibyte))
    gate.letGo()
    slow.resume()
    const ends = await Promise.all([fast.finished, slow.finished])
    for (const { ended, body: got } of ends) {
      expect(body.subarray(0, got.length).equals(got)).toBe(true)
      expect(got.length === body.length).toBe(ended === 'end')
    }
    expect(ends.some(({ ended }) => ended === 'broken')).toBe(true)
  })

  it.each<[string, Fault]>([
    ['is cut', { cut: 100_000 }],
    ['is refused for now', { status: 503 }],
  ])('what one alone gets %s: it is taken up again', async (_, fault) => {
    const { origin, body, gate, slow, fast } = await midway()
    origin.plan('/a', fault, 1)
    gate.letGo()
    slow.resume()
    for (const { finished } of [fast, slow]) expect((await finished).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(3)
  })
})
