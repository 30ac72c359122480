import { describe, expect, it } from 'vitest'
import type { InProcess } from '../support/in-process.js'
import type { Fault, OriginFile } from '../support/origin.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

type FileDetails = Omit<OriginFile, 'body'>

const hit = async (larder: InProcess) => /^larder; hit/.test((await larder.get('/a')).header('cache-status') ?? '')
const lastByteChanged = (body: Buffer) => Buffer.concat([body.subarray(0, -1), Buffer.of((body.at(-1) ?? 0) ^ 1)])

describe('U3: a cut body is resumed', () => {
  const size = 1_000_000
  const cut = 300_000

  it.each([
    ['closed', { cut }],
    ['reset', { reset: cut }],
    ['closed in chunks', { cut, framing: 'chunked' }],
    ['closed twice', { cut }, 2],
  ] as [string, Fault, number?][])('%s: Range and If-Range from the very byte', async (_, fault, times = 1) => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size))
    origin.plan('/a', fault, times)
    const { status, ended, body: got } = await larder.warm('/a')
    expect([status, ended, got.equals(body)]).toEqual([200, 'end', true])
    expect(await hit(larder)).toBe(true)
    expect(await larder.metric('larder_resumes_total', { repository: 'raw' })).toBe(times)
    const resumed = origin.requestsFor('/a').slice(1)
    expect(resumed).toHaveLength(times)
    let reached = 0
    for (const { headers } of resumed) {
      expect(headers['if-range']).toBe(origin.files.get('/a')?.etag)
      const from = Number(/^bytes=(\d+)-$/.exec(String(headers.range))?.[1])
      expect(from).toBeGreaterThan(reached)
      if (!('reset' in fault)) expect(from).toBe(reached + cut)
      reached = from
    }
  })

  it('by date where there is no ETag', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size), { etag: false })
    origin.plan('/a', { cut }, 1)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    const { range, 'if-range': ifRange } = origin.requests[1]?.headers ?? {}
    expect([range, ifRange]).toEqual([`bytes=${cut}-`, 'Mon, 01 Jan 2024 00:00:00 GMT'])
  })

  it.each([
    ['no validator', { etag: false, lastModified: false }],
    ['a weak ETag', { etag: 'W/"x"', lastModified: false }],
    ['no ranges', { ranges: false }],
  ] as const)('%s: fetched again from 0 and compared', async (_, rest) => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size), rest)
    origin.plan('/a', { cut }, 1)
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(await hit(larder)).toBe(true)
    expect(origin.count('/a')).toBe(2)
  })

  const other = noise(size)
  it.each([
    ['other bytes, known by the ETag', {}, () => other],
    ['other bytes, and nothing to know them by', { etag: false, lastModified: false }, () => other],
    ['a longer body that begins alike', { ranges: false }, (body) => Buffer.concat([body, other])],
    ['one of the same length that begins alike', { ranges: false }, lastByteChanged],
    [
      'one that begins alike, known by the ETag alone',
      { ranges: false, etag: '"1"' },
      lastByteChanged,
      { ranges: false, etag: '"2"' },
    ],
  ] as [string, FileDetails, (body: Buffer) => Buffer, FileDetails?][])(
    'it changed meanwhile (%s): reset, and nothing stored',
    async (_, rest, change, again) => {
      const { origin, larder } = await behindSocket()
      const body = origin.put('/a', noise(size), rest)
      const gate = origin.hold('/a', cut, { cut }, 1)
      const client = await larder.open('/a')
      await until(() => client.received() === cut, 'the client has what came')
      const changed = origin.put('/a', change(body), again ?? rest)
      gate.letGo()
      const { ended, body: got } = await client.finished
      expect([ended, body.subarray(0, got.length).equals(got)]).toEqual(['broken', true])
      await larder.settled()
      expect((await larder.warm('/a')).body.equals(changed)).toBe(true)
    },
  )

  it('again and again: after `resumes` it is over', async () => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 1, budget: '5s', resumes: 2 } })
    origin.put('/a', noise(size))
    origin.plan('/a', { cut: 10_000 })
    const { ended, body } = await larder.get('/a')
    expect([ended, body.length <= 30_000]).toEqual(['broken', true])
    expect(origin.count('/a')).toBe(3)
  })

  it('a remote that stalls is left and resumed', async () => {
    const { origin, larder } = await behindSocket({ timeout: { stall: '100ms' } })
    const body = origin.put('/a', noise(size))
    origin.plan('/a', { stall: { after: cut } }, 1)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect(origin.requests[1]?.headers.range).toBe(`bytes=${cut}-`)
  })
})
