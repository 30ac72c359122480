import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type InProcess, inFront } from '../support/in-process.js'
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

  it('O3: the log tells of a failed fill without the values of its query', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(size))
    origin.plan('/a', { cut: 10_000 })
    expect((await larder.get('/a?token=SECRET&x')).ended).toBe('broken')
    const told = larder.logs.find(({ msg }) => msg === 'fill failed')
    expect(told).toMatchObject({ key: 'raw/a?token=&x' })
    expect(JSON.stringify(larder.logs)).not.toContain('SECRET')
  })

  it('a remote that stalls is left and resumed', async () => {
    const { origin, larder } = await behindSocket({ timeout: { stall: '100ms' } })
    const body = origin.put('/a', noise(size))
    origin.plan('/a', { stall: { after: cut } }, 1)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect(origin.requests[1]?.headers.range).toBe(`bytes=${cut}-`)
  })

  it('a part that ends before its Content-Range does is no end of the body', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size), { etag: '"1"' })
    origin.plan('/a', { cut, framing: 'chunked' }, 1)
    origin.plan('/a', { cut, framing: 'close' }, 1)
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, got.length, got.equals(body)]).toEqual(['end', size, true])
    expect(origin.requestsFor('/a').map(({ headers }) => headers.range)).toEqual([
      undefined,
      `bytes=${cut}-`,
      `bytes=${2 * cut}-`,
    ])
    expect(await hit(larder)).toBe(true)
  })

  it('again from 0, but now only the connection tells the end of a body without length: reset, and nothing stored', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(size), { etag: '"1"', ranges: false })
    origin.plan('/a', { cut, framing: 'chunked' }, 1)
    origin.plan('/a', { cut: 2 * cut, framing: 'close' }, 1)
    expect((await larder.warm('/a')).ended).toBe('broken')
    expect(await hit(larder)).toBe(false)
  })

  it('a part of a size nobody tells proves no end: reset, and nothing stored', async () => {
    let asked = 0
    const server = createServer((request, response) => {
      asked += 1
      response.setHeader('ETag', '"1"')
      if (request.headers.range !== undefined) {
        response.writeHead(206, { 'Content-Range': 'bytes 5-9/*', 'Content-Length': '5' }).end('56789')
        return
      }
      response.write('01234')
      setTimeout(() => response.socket?.destroy(), 50)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const larder = await inFront(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect((await larder.warm('/a')).ended).toBe('broken')
    expect(asked).toBe(2)
    expect(await hit(larder)).toBe(false)
  })

  it('a spare copy is no reason to try less once its successor is coming in', async () => {
    const { origin, larder } = await behindSocket({ maxAge: '0s', retry: { attempts: 3, budget: '5s', resumes: 2 } })
    origin.put('/a', 'old')
    await larder.warm('/a')
    const body = origin.put('/a', noise(size))
    origin.plan('/a', { cut }, 1)
    origin.plan('/a', { status: 503 }, 1)
    const { ended, body: got } = await larder.get('/a')
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(origin.count('/a')).toBe(4)
  })

  it('C6: a bypass that was resumed ends with its client too', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(size), { headers: { 'Cache-Control': 'no-store' } })
    origin.plan('/a', { cut }, 1)
    origin.plan('/a', { stall: { after: cut } }, 1)
    const client = await larder.open('/a')
    await until(() => client.received() === 2 * cut, 'the client has what came')
    expect(origin.connections).toBe(1)
    client.destroy()
    await until(() => origin.connections === 0, 'the remote is let go')
  })
})
