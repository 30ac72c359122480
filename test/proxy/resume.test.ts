import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type InProcess, inFront } from '../support/in-process.js'
import type { Fault, OriginFile } from '../support/origin.js'
import { noise, until } from '../support/stage.js'
import { rawServer } from '../upstream/servers.js'
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

  it('cut before its first byte, it starts over, though it changed meanwhile', async () => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 2, budget: '5s', resumes: 0 } })
    origin.put('/a', noise(size))
    const gate = origin.hold('/a', 0, { cut: 0 }, 1)
    const answer = larder.warm('/a')
    await gate.reached
    const changed = origin.put('/a', noise(size + 1))
    gate.letGo()
    const { status, ended, body, header } = await answer
    expect([status, ended, body.equals(changed), header('etag')]).toEqual([
      200,
      'end',
      true,
      origin.files.get('/a')?.etag,
    ])
    expect(origin.requests[1]?.headers.range).toBeUndefined()
    expect(await hit(larder)).toBe(true)
  })

  it('all of it here but the last chunk: a 416 that names its size proves it whole', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(size), { etag: '"1"' })
    origin.plan('/a', { cut: size, framing: 'chunked' }, 1)
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, got.equals(body)]).toEqual(['end', true])
    const [, { range, 'if-range': ifRange } = {}] = origin.requests.map(({ headers }) => headers)
    expect([range, ifRange]).toEqual([`bytes=${size}-`, '"1"'])
    expect(await hit(larder)).toBe(true)
  })

  it.each([
    ['of another size', 'bytes */9', '"1"'],
    ['of another version', 'bytes */5', '"2"'],
    ['without a size', undefined, '"1"'],
  ])('a 416 %s proves nothing: reset, and nothing stored', async (_, contentRange, etag) => {
    const server = createServer((request, response) => {
      if (request.headers.range !== undefined) {
        response.writeHead(416, { ETag: etag, ...(contentRange && { 'Content-Range': contentRange }) }).end()
        return
      }
      response.writeHead(200, { ETag: '"1"' }).write('01234')
      setTimeout(() => response.socket?.destroy(), 50)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const larder = await inFront(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect((await larder.warm('/a')).ended).toBe('broken')
    expect(await hit(larder)).toBe(false)
  })

  it.each([
    ['fills', {}],
    ['bypasses', { 'Cache-Control': 'no-store' }],
  ])('%s: a client that takes nothing for longer than the stall timeout is no stall', async (_, headers) => {
    const { origin, larder } = await behindSocket({ timeout: { stall: '200ms' } })
    const body = origin.put('/a', noise(20_000_000), { headers })
    const client = await larder.open('/a')
    await client.firstByte
    client.pause()
    await sleep(1_000)
    client.resume()
    const { ended, body: got } = await client.finished
    expect([ended, got.equals(body), origin.count('/a')]).toEqual(['end', true, 1])
    expect(await larder.metric('larder_resumes_total', { repository: 'raw' })).toBe(0)
  })

  it('U4: more bytes than promised are no cut: reset, not asked for again, and nothing stored', async () => {
    const server = await rawServer('HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 5\r\n\r\nhello world')
    const larder = await inFront(server.url, { retry: { attempts: 3, budget: '5s', resumes: 5 } })
    expect((await larder.warm('/a')).body.toString()).not.toBe('hello')
    expect(server.heads).toHaveLength(1)
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

  it.each<[name: string, fault: Fault]>([
    ['resets', { reset: 0 }],
    ['has trouble of its own', { status: 503 }],
  ])('the remote that is asked for the rest %s: that is one cut more', async (_, fault) => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 1, budget: '5s', resumes: 2 } })
    const body = origin.put('/a', noise(size))
    origin.plan('/a', { cut }, 1)
    origin.plan('/a', fault, 1)
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(origin.requests[2]?.headers.range).toBe(`bytes=${cut}-`)
    expect(await larder.metric('larder_resumes_total', { repository: 'raw' })).toBe(2)
  })

  it('the remote never has the rest: after `resumes` it is over', async () => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 1, budget: '5s', resumes: 2 } })
    origin.put('/a', noise(size))
    origin.plan('/a', { cut }, 1)
    origin.plan('/a', { status: 503 })
    expect((await larder.get('/a')).ended).toBe('broken')
    expect(origin.count('/a')).toBe(3)
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
