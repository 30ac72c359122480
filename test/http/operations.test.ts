import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { mswRemote } from '../proxy/remote.js'
import { get } from '../support/http.js'
import { inFront, raw } from '../support/in-process.js'
import { noise, until } from '../support/stage.js'

const remote = mswRemote()

describe('O1: health', () => {
  it('alive and ready', async () => {
    const larder = await inFront(remote.url)
    const healthz = await get(`${larder.url}/healthz`)
    const readyz = await get(`${larder.url}/readyz`)
    expect([healthz.status, JSON.parse(healthz.body.toString())]).toEqual([200, { status: 'ok' }])
    expect([readyz.status, JSON.parse(readyz.body.toString())]).toEqual([200, { status: 'ok', degraded: [] }])
    expect((await get(`${larder.url}/healthz`, { method: 'HEAD' })).status).toBe(200)
    expect((await get(`${larder.url}/nothing`)).status).toBe(404)
  })

  it('Redis down: degraded, and still ready', async () => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url, {}, { REDIS_URL: 'redis://127.0.0.1:1' })
    expect((await larder.get('/a')).status).toBe(200)
    const { status, body } = await get(`${larder.url}/readyz`)
    expect([status, JSON.parse(body.toString())]).toEqual([200, { status: 'degraded', degraded: ['redis'] }])
    expect(await larder.metric('larder_degraded')).toBe(1)
    expect(await larder.metric('larder_redis_up')).toBe(0)
  })

  it('stopping: 503 on a connection that is still open, while transfers end', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(100_000))
    const gate = origin.hold('/a', 50_000)
    const transfer = await larder.open('/a')
    await transfer.firstByte
    let stopped: Promise<void> | undefined
    const kept = keptAlive(larder.url)
    expect(await kept.ask('/readyz')).toContain(' 200 ')
    // Only a connection that is busy outlives the stop.
    const answer = kept.ask('/readyz', () => {
      stopped = larder.stop()
    })
    expect(await answer).toContain(' 503 ')
    gate.letGo()
    expect((await transfer.finished).body.equals(body)).toBe(true)
    await stopped
  })
})

describe('O2: metrics', () => {
  it('are right after a known sequence of requests', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=60' }, body: '0123456789' })
    remote.answer('/gone', { status: 404 })
    remote.answer('/secret', { headers: { 'Cache-Control': 'no-store' } })
    remote.answer('/bad', { status: 500 })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await larder.get('/a')
    await larder.get('/a', { range: 'bytes=0-3' })
    await larder.head('/a')
    await larder.get('/gone')
    await larder.get('/gone')
    await larder.warm('/secret')
    await larder.get('/bad')
    await larder.get('/a', {}, { method: 'DELETE' })
    const requests = (method: string, status: number, outcome: string) =>
      larder.metric('larder_requests_total', {
        repository: 'raw',
        method,
        status: `${status}`,
        outcome,
        collapsed: 'false',
      })
    expect(await requests('GET', 200, 'miss')).toBe(1)
    expect(await requests('GET', 200, 'hit')).toBe(1)
    expect(await requests('GET', 206, 'hit')).toBe(1)
    expect(await requests('HEAD', 200, 'hit')).toBe(1)
    expect(await requests('GET', 404, 'miss')).toBe(1)
    expect(await requests('GET', 404, 'negative')).toBe(1)
    expect(await requests('GET', 200, 'bypass')).toBe(1)
    expect(await requests('GET', 502, 'error')).toBe(1)
    expect(await requests('DELETE', 405, 'error')).toBe(1)
    const repository = 'raw'
    expect(await larder.metric('larder_sent_bytes_total', { repository })).toBe(10 + 10 + 4 + 4)
    expect(await larder.metric('larder_upstream_bytes_total', { repository })).toBe(10 + 4)
    expect(await larder.metric('larder_upstream_requests_total', { repository, result: '2xx' })).toBe(2)
    expect(await larder.metric('larder_upstream_requests_total', { repository, result: '4xx' })).toBe(1)
    expect(await larder.metric('larder_upstream_requests_total', { repository, result: '5xx' })).toBe(1)
    expect(await larder.metric('larder_upstream_head_seconds_count', { repository })).toBe(4)
    expect(await larder.metric('larder_fills_total', { repository, result: 'complete' })).toBe(1)
    expect(await larder.metric('larder_request_duration_seconds_count', { repository, outcome: 'hit' })).toBe(3)
    expect(await larder.metric('larder_store_records')).toBe(1)
    expect(await larder.metric('larder_store_bytes')).toBe(10)
  })

  it('have no label a client chooses', async () => {
    remote.answer('*', { status: 404 })
    const larder = await inFront(remote.url)
    await get(`${larder.url}/repository/intruder-repository/intruder-path`)
    await larder.get('/intruder-path?intruder-query=1', {
      'x-request-id': 'intruder-id',
      'user-agent': 'intruder-agent',
    })
    await larder.get('/a', {}, { method: 'PROPFIND' })
    await raw(
      larder.url,
      'GET http://intruder-host.test/repository/raw/x HTTP/1.1\r\nHost: intruder-host\r\nConnection: close\r\n\r\n',
    )
    const text = (await get(`${larder.url}/metrics`)).body.toString()
    expect(text).toContain('larder_requests_total')
    expect(text).not.toMatch(/intruder|PROPFIND/)
    expect(await larder.metric('larder_requests_total', { method: 'other', repository: 'raw' })).toBe(1)
  })
})

describe('O3: the access log', () => {
  it('has one line a request with all there is to know', async () => {
    remote.answer('/a', { body: '0123456789' })
    const larder = await inFront(remote.url)
    await larder.warm('/a', { 'x-request-id': 'mine' })
    const [line] = await larder.accessLog(1)
    expect(line).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      msg: 'access',
      requestId: 'mine',
      client: '127.0.0.1',
      method: 'GET',
      repository: 'raw',
      path: '/repository/raw/a',
      status: 200,
      outcome: 'miss',
      bytes: 10,
      ms: expect.any(Number),
    })
  })

  it('shows no query value, and nothing a client sends breaks a line', async () => {
    remote.answer('*', { status: 404 })
    const larder = await inFront(remote.url)
    const close = 'Host: x\r\nConnection: close\r\n'
    const lines = [
      `GET /repository/raw/a?sig=SECRET&x=SECRET&y HTTP/1.1\r\n${close}\r\n`,
      `GET /repository/raw/"},{"msg":"forged HTTP/1.1\r\n${close}\r\n`,
      `GET /repository/ra"w/x HTTP/1.1\r\n${close}\r\n`,
      `GET /repository/raw/b HTTP/1.1\r\n${close}X-Request-Id: "}\\\r\nUser-Agent: "}\r\nAccept: \x80"\r\n\r\n`,
      `GET http://user:SECRET@host/repository/raw/c HTTP/1.1\r\n${close}\r\n`,
    ]
    for (const line of lines) await raw(larder.url, line)
    const logged = await larder.accessLog(lines.length)
    expect(logged).toHaveLength(lines.length)
    expect(logged.map(({ msg }) => msg)).toEqual(lines.map(() => 'access'))
    expect(logged[0]?.path).toBe('/repository/raw/a?sig=&x=&y')
    expect(JSON.stringify([logged, larder.logs])).not.toContain('SECRET')
  })

  it('tells who ended an answer early', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(1_000_000))
    const gate = origin.hold('/a', 500_000)
    const client = await larder.open('/a')
    await until(() => client.received() === 500_000, 'half of it is here')
    client.destroy()
    const [line] = await larder.accessLog(1)
    expect(line).toMatchObject({ client: '127.0.0.1', status: 200, outcome: 'miss', abortedBy: 'client' })
    gate.letGo()
    await larder.settled()
    expect(await larder.metric('larder_aborted_total', { repository: 'raw', by: 'client' })).toBe(1)
  })
})

/** A connection that is used again; `inBetween` runs when half of the request is sent. */
function keptAlive(url: string) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  return {
    async ask(path: string, inBetween?: () => void): Promise<string> {
      socket.write(`GET ${path} HTTP/1.1\r\n`)
      if (inBetween) {
        await sleep(20)
        inBetween()
      }
      socket.write('Host: x\r\n\r\n')
      const [text] = (await once(socket, 'data')) as [string]
      return text
    },
  }
}
