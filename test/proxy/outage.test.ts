import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()
const breaker = { failures: 3, openFor: '15s', maxOpenFor: '60s' }
const stateOf = { repository: 'raw', remote: remote.url }

/** With its breaker opened by three misses; all other paths answer well. */
async function opened(settings: Record<string, unknown> = {}) {
  const clock = stopClock()
  remote.answer('*', { headers: { ETag: '"e"', 'Cache-Control': 'max-age=10' } })
  const larder = await inFront(remote.url, { breaker, ...settings })
  await larder.warm('/stored')
  await clock.pass(15)
  remote.answer('/failing', { status: 503 })
  for (let i = 0; i < 3; i += 1) expect((await larder.get('/failing')).header('x-larder-error')).not.toMatch(/BREAKER/)
  const before = remote.requests.length
  return { clock, larder, sent: () => remote.requests.length - before }
}

describe('U7: a breaker that opened', () => {
  it.each(['GET', 'HEAD'])('a miss (%s): an empty 503 at once, and nothing goes out', async (method) => {
    const { larder, sent } = await opened()
    const { status, body, header } = await larder.get('/another', {}, { method })
    expect([status, body.length, header('x-larder-error')]).toEqual([503, 0, 'UPSTREAM_BREAKER_OPEN'])
    expect([header('retry-after'), header('cache-status')]).toEqual(['10', 'larder; detail=UPSTREAM_BREAKER_OPEN'])
    expect(sent()).toBe(0)
  })

  it('K3: a stale copy is served at once, for HEAD and ranges too', async () => {
    const { larder, sent } = await opened()
    const { status, body, header } = await larder.get('/stored')
    expect([status, body.toString(), header('cache-status'), header('age')]).toEqual([
      200,
      'body',
      'larder; hit; ttl=-5',
      '15',
    ])
    expect((await larder.head('/stored')).header('cache-status')).toBe('larder; hit; ttl=-5')
    expect((await larder.get('/stored', { range: 'bytes=1-2' })).body.toString()).toBe('od')
    expect(sent()).toBe(0)
    const [last] = (await larder.accessLog(7)).slice(-1)
    expect(last?.outcome).toBe('stale')
  })

  it('K3: maxStale bounds that too', async () => {
    const { larder, sent } = await opened({ maxStale: '4s' })
    expect((await larder.get('/stored')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
    expect(sent()).toBe(0)
  })

  it('K2: nothing is validated behind an answer', async () => {
    const { larder, sent } = await opened({ staleWhileRevalidate: '1h' })
    expect((await larder.get('/stored')).header('cache-status')).toBe('larder; hit; ttl=-5')
    await larder.settled()
    expect(sent()).toBe(0)
  })

  it('is logged and counted once, and so is its closing', async () => {
    const { clock, larder } = await opened()
    const told = (msg: RegExp) => larder.logs.filter((line) => msg.test(String(line.msg)))
    expect(told(/breaker open/)).toMatchObject([{ repository: 'raw', remote: remote.url, retryInSeconds: 15 }])
    expect(await larder.metric('larder_breaker_state', stateOf)).toBe(2)
    await clock.pass(15)
    await larder.get('/failing')
    await clock.pass(30)
    expect((await larder.get('/a')).status).toBe(200)
    expect([told(/breaker open/).length, told(/breaker closed/).length]).toEqual([1, 1])
    expect(await larder.metric('larder_breaker_openings_total', stateOf)).toBe(1)
    expect(await larder.metric('larder_breaker_state', stateOf)).toBe(0)
  })

  it('one probe goes out when its time is over; meanwhile nobody waits for it', async () => {
    const { clock, larder, sent } = await opened()
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    remote.answer('/probe', async () => {
      await held
      return {}
    })
    await clock.pass(15)
    const probe = larder.get('/probe')
    await until(() => sent() === 1, 'the probe is out')
    expect(await larder.metric('larder_breaker_state', stateOf)).toBe(1)
    expect((await larder.get('/another')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
    expect((await larder.get('/stored')).header('cache-status')).toBe('larder; hit; ttl=-20')
    expect(sent()).toBe(1)
    answer()
    expect((await probe).status).toBe(200)
    expect((await larder.get('/another')).status).toBe(200)
  })

  it('a probe that fails doubles the time', async () => {
    const { clock, larder, sent } = await opened()
    await clock.pass(15)
    expect((await larder.get('/failing')).header('x-larder-error')).toBe('UPSTREAM_OVERLOADED')
    await clock.pass(29)
    expect((await larder.get('/a')).header('retry-after')).toBe('1')
    expect(sent()).toBe(1)
    await clock.pass(1)
    expect((await larder.get('/a')).status).toBe(200)
  })

  it('survives a reload that leaves its remote and policy alone, and no other', async () => {
    const { larder } = await opened()
    await larder.reconfigure(remote.url, { breaker, maxAge: '1h' })
    expect((await larder.get('/a')).status).toBe(503)
    await larder.reconfigure(remote.url, { breaker: { ...breaker, failures: 4 } })
    expect((await larder.get('/a')).status).toBe(200)
    await larder.reconfigure('http://127.0.0.1:9', { breaker })
    expect(await larder.metric('larder_breaker_state', stateOf)).toBe(0)
    expect(await larder.metric('larder_breaker_state', { remote: 'http://127.0.0.1:9' })).toBe(0)
  })
})

describe('U7: what opens a breaker', () => {
  it.each([400, 401, 403, 404, 408, 410, 429, 501])('%i never does', async (status) => {
    remote.answer('*', { status })
    const larder = await inFront(remote.url, { breaker })
    for (let i = 0; i < 5; i += 1) await larder.get(`/${i}`)
    expect(remote.requests).toHaveLength(5)
  })

  it.each([500, 502, 503, 504, 520])('%i does', async (status) => {
    remote.answer('*', { status })
    const larder = await inFront(remote.url, { breaker })
    for (let i = 0; i < 5; i += 1) await larder.get(`/${i}`)
    expect(remote.requests).toHaveLength(3)
  })

  it.each(['GET', 'HEAD'])('a remote that is not there does (%s)', async (method) => {
    const larder = await inFront('http://127.0.0.1:9', { breaker })
    const codes = []
    for (let i = 0; i < 4; i += 1) codes.push((await larder.get(`/${i}`, {}, { method })).header('x-larder-error'))
    expect(codes).toEqual([...Array(3).fill('UPSTREAM_UNREACHABLE'), 'UPSTREAM_BREAKER_OPEN'])
  })

  it('one success between begins the row anew', async () => {
    remote.answer('/ok', {})
    remote.answer('/failing', { status: 500 })
    const larder = await inFront(remote.url, { breaker })
    for (const path of ['/failing', '/failing', '/ok', '/failing', '/failing', '/failing']) await larder.get(path)
    expect(remote.requests).toHaveLength(6)
    expect((await larder.get('/failing')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
  })

  it('what retries heal does not, however often', async () => {
    const flaky = { status: 503 }
    remote.answer('*', flaky, flaky, {}, flaky, flaky, {}, flaky, flaky, {}, flaky, flaky, {})
    const larder = await inFront(remote.url, { breaker, retry: { attempts: 3, budget: '20s' } })
    for (let i = 0; i < 4; i += 1) expect((await larder.get(`/${i}`)).status).toBe(200)
    expect(remote.requests).toHaveLength(12)
  })

  it('a client that leaves says nothing of the remote', async () => {
    const { origin, larder } = await behindSocket({ breaker: { ...breaker, failures: 1 } })
    origin.put('/a', 'body', { headers: { 'Cache-Control': 'no-store' } })
    // Known as uncacheable, so that the next requests are its clients' own.
    await larder.get('/a')
    const gate = origin.hold('/a', -1, {}, 1)
    const client = request(larder.at('/a'), { agent: false }).on('error', () => {})
    client.end()
    await gate.reached
    client.destroy()
    await until(() => origin.connections === 0, 'the remote is let go')
    expect(await larder.metric('larder_breaker_state', { repository: 'raw' })).toBe(0)
  })
})

describe('U7: while a breaker is open', () => {
  it('C6: a fill that was under way is joined', async () => {
    const { origin, larder } = await behindSocket({ breaker })
    const body = origin.put('/a', Buffer.alloc(200_000, 'x'))
    const gate = origin.hold('/a', 100_000)
    const first = await larder.open('/a')
    await gate.reached
    origin.plan('/b', { status: 500 })
    for (let i = 0; i < 4; i += 1) await larder.get('/b')
    expect((await larder.get('/b')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
    const second = await larder.open('/a')
    gate.letGo()
    const ends = await Promise.all([first.finished, second.finished])
    expect(ends.map(({ body: got }) => got.equals(body))).toEqual([true, true])
  })

  it('U2: those who wait for their next try hear at once', async () => {
    remote.answer('/patient', { status: 503, headers: { 'Retry-After': '60' } }, {})
    remote.answer('/failing', { status: 500 })
    const retry = { attempts: 2, budget: '2m' }
    const larder = await inFront(remote.url, { breaker: { ...breaker, failures: 1 }, retry })
    const patient = larder.get('/patient')
    await until(() => remote.count('/patient') === 1, 'the first try is over')
    await larder.get('/failing')
    expect((await patient).header('x-larder-error')).toBe('UPSTREAM_OVERLOADED')
    expect(remote.count('/patient')).toBe(1)
  })
})

describe('U7: blocked', () => {
  it('copies are served, misses are an empty 503, and nothing goes out', async () => {
    const clock = stopClock()
    remote.answer('*', { headers: { 'Cache-Control': 'max-age=10' } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await larder.reconfigure(remote.url, { blocked: true })
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=10')
    await clock.pass(100)
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=-90')
    expect((await larder.head('/a')).status).toBe(200)
    for (const method of ['GET', 'HEAD']) {
      const { status, header } = await larder.get('/b', {}, { method })
      expect([status, header('x-larder-error'), header('retry-after')]).toEqual([503, 'UPSTREAM_BLOCKED', '1'])
    }
    expect(remote.requests).toHaveLength(1)
    await larder.reconfigure(remote.url)
    expect((await larder.get('/b')).status).toBe(200)
  })

  it('K3: within maxStale only', async () => {
    const clock = stopClock()
    remote.answer('*', { headers: { 'Cache-Control': 'max-age=10' } })
    const settings = { maxStale: '60s' }
    const larder = await inFront(remote.url, settings)
    await larder.warm('/a')
    await larder.reconfigure(remote.url, { ...settings, blocked: true })
    await clock.pass(70)
    expect((await larder.get('/a')).status).toBe(200)
    await clock.pass(1)
    expect((await larder.get('/a')).header('x-larder-error')).toBe('UPSTREAM_BLOCKED')
  })
})
