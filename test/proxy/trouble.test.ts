import { describe, expect, it, onTestFinished } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteAnswer } from './remote.js'

const remote = mswRemote()
const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }

/** A copy that turned stale `past` seconds ago. */
async function withStaleCopy(
  settings: Record<string, unknown>,
  past: number,
  ...then: [RemoteAnswer, ...RemoteAnswer[]]
) {
  const clock = stopClock()
  remote.answer('/a', { headers }, ...then)
  const larder = await inFront(remote.url, settings)
  await larder.warm('/a')
  await clock.pass(10 + past)
  return { clock, larder }
}

describe('K3: a copy is held, and the remote is in trouble', () => {
  it.each([500, 502, 503, 504, 408, 429, 401, 407, 403, 404, 410])(
    '%i: the copy, and the remote is left alone for a while',
    async (status) => {
      const { clock, larder } = await withStaleCopy({}, 5, { status })
      const first = await larder.get('/a')
      expect([first.status, first.body.toString()]).toEqual([200, 'body'])
      expect(first.header('cache-status')).toBe(`larder; fwd=stale; fwd-status=${status}`)
      expect(first.header('age')).toBe('15')
      const second = await larder.get('/a')
      expect([second.body.toString(), second.header('cache-status')]).toEqual(['body', 'larder; hit; ttl=-5'])
      expect((await larder.head('/a')).status).toBe(200)
      expect(remote.count('/a')).toBe(2)
      await clock.pass(11)
      await larder.get('/a')
      expect(remote.count('/a')).toBe(3)
    },
  )

  it('dead: the copy', async () => {
    const { larder } = await withStaleCopy({ retry: { attempts: 3, budget: '5s' } }, 5, {})
    remote.die()
    const { status, header } = await larder.get('/a')
    expect([status, header('cache-status')]).toEqual([200, 'larder; fwd=stale'])
    expect(remote.count('/a')).toBe(2)
    expect((await larder.get('/a', { 'if-none-match': '"e"' })).status).toBe(304)
    expect((await larder.get('/a', { range: 'bytes=1-2' })).body.toString()).toBe('od')
    expect(remote.count('/a')).toBe(2)
  })

  it('400 is no trouble: the client hears of it', async () => {
    const { larder } = await withStaleCopy({}, 5, { status: 400 })
    expect((await larder.get('/a')).status).toBe(400)
  })

  it.each([
    ['the last second', 59, 200],
    ['the instant', 60, 200],
    ['a second later', 61, 502],
  ])('maxStale: 60s, %s', async (_, past, status) => {
    const { larder } = await withStaleCopy({ maxStale: '60s' }, past, { status: 500 })
    expect((await larder.get('/a')).status).toBe(status)
    expect(remote.count('/a')).toBe(2)
  })

  it.each([
    [401, 502],
    [403, 403],
    [404, 404],
    [410, 410],
    [429, 503],
    [500, 200],
    [503, 200],
  ])('keepOnUpstreamMissing: false, %i: %i', async (theirs, ours) => {
    const { larder } = await withStaleCopy({ keepOnUpstreamMissing: false }, 5, { status: theirs })
    expect((await larder.get('/a')).status).toBe(ours)
  })

  it('the copy is as good as new once the remote answers again', async () => {
    const { clock, larder } = await withStaleCopy({}, 5, { status: 404 }, { status: 304, headers })
    expect((await larder.get('/a')).status).toBe(200)
    await clock.pass(11)
    expect((await larder.warm('/a')).header('cache-status')).toBe('larder; fwd=stale; fwd-status=304')
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=10')
    expect(remote.count('/a')).toBe(3)
  })

  it('a body that breaks off while it replaces a copy leaves the copy', async () => {
    const { clock, larder } = await withStaleCopy(
      {},
      5,
      { headers: { ...headers, ETag: '"f"', 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' } },
      { status: 500 },
    )
    expect((await larder.get('/a')).ended).toBe('broken')
    await larder.settled()
    await clock.pass(11)
    const { status, body } = await larder.get('/a')
    expect([status, body.toString()]).toEqual([200, 'body'])
  })
})

describe('K4: what is remembered as absent', () => {
  it.each([
    [404, 60],
    [410, 60],
    [403, 10],
  ])('%i, for %i s', async (status, seconds) => {
    const clock = stopClock()
    remote.answer('/a', { status }, { body: 'here now' })
    const larder = await inFront(remote.url)
    expect((await larder.get('/a')).header('cache-status')).toBe(`larder; fwd=uri-miss; fwd-status=${status}`)
    await clock.pass(seconds - 1)
    const again = await larder.get('/a')
    expect([again.status, again.body.length]).toEqual([status, 0])
    expect(again.header('cache-status')).toMatch(/^larder; hit; ttl=[01]$/)
    expect((await larder.head('/a')).status).toBe(status)
    expect(remote.count('/a')).toBe(1)
    await clock.pass(2)
    expect((await larder.get('/a')).body.toString()).toBe('here now')
    expect(remote.count('/a')).toBe(2)
  })

  it.each([400, 401, 408, 418, 429, 500, 502, 503, 504])('%i never', async (status) => {
    remote.answer('/a', { status }, { body: 'here now' })
    const larder = await inFront(remote.url)
    await larder.get('/a')
    expect((await larder.get('/a')).body.toString()).toBe('here now')
    expect(remote.count('/a')).toBe(2)
  })

  it.each([
    [404, { ttl: '0s' }],
    [403, { forbiddenTtl: '0s' }],
  ])('%i: not at all with %j', async (status, negative) => {
    remote.answer('/a', { status })
    const larder = await inFront(remote.url, { negative })
    await larder.get('/a')
    await larder.get('/a')
    expect(remote.count('/a')).toBe(2)
  })

  it('an absence that HEAD found counts for GET', async () => {
    remote.answer('/a', { status: 404 })
    const larder = await inFront(remote.url)
    await larder.head('/a')
    expect((await larder.get('/a')).status).toBe(404)
    expect(remote.requests.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it.each(['text/odd', 'text/odd, */*;q=0', 'text/odd, */*; q=0.00'])(
    'what one that takes only some media types is refused is no absence for others: %s',
    async (odd) => {
      remote.answer('/a', ({ headers }) => (headers.get('accept') === odd ? { status: 404 } : {}))
      const larder = await inFront(remote.url)
      const ask = async (accept: string) => (await larder.get('/a', { accept })).status
      expect([await ask(odd), await ask('*/*')]).toEqual([404, 200])
    },
  )

  it.each(['*/*', 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', 'a/b,*/*;q=0.8'])(
    'an absence for one that takes anything is one for all: %s',
    async (accept) => {
      remote.answer('/a', { status: 404 })
      const larder = await inFront(remote.url)
      await larder.get('/a', { accept })
      expect((await larder.get('/a')).status).toBe(404)
      expect(remote.count('/a')).toBe(1)
    },
  )

  it('another query is another key', async () => {
    remote.answer('/a', { status: 404 })
    const larder = await inFront(remote.url)
    for (const path of ['/a', '/a?x=1', '/a?', '/a', '/a?x=1']) await larder.get(path)
    expect(remote.requests.map(({ target }) => target)).toEqual(['/a', '/a?x=1', '/a?'])
  })

  it.each([404, 403])('%i to one client’s credentials is no absence for others', async (status) => {
    remote.answer('/a', ({ headers }) => (headers.get('authorization') === 'Bearer good' ? {} : { status }))
    const larder = await inFront(remote.url, { forwardRequestHeaders: ['authorization'] })
    const ask = async (authorization?: string) =>
      (await larder.get('/a', authorization === undefined ? {} : { authorization })).status
    expect([await ask('Bearer bad'), await ask('Bearer good'), await ask(), await ask('Bearer good')]).toEqual([
      status,
      200,
      status,
      200,
    ])
    expect(await ask()).toBe(status)
    expect(remote.count('/a')).toBe(4)
  })
})

describe('what was learnt of a remote', () => {
  it('K4: says nothing of another that took its place', async () => {
    const { origin, larder } = await behindSocket()
    expect((await larder.get('/a')).status).toBe(404)
    const other = await startOrigin()
    onTestFinished(() => other.stop())
    other.put('/a', 'body')
    await larder.reconfigure(other.url)
    expect((await larder.get('/a')).status).toBe(200)
    expect([origin.count('/a'), other.count('/a')]).toEqual([1, 1])
  })

  it('K3: an absence found behind an answer is told, where copies are not kept', async () => {
    const clock = stopClock()
    const settings = { maxAge: '1s', staleWhileRevalidate: '10s', keepOnUpstreamMissing: false }
    remote.answer('/a', { body: 'gone soon' }, { status: 404 }, { status: 404 })
    const larder = await inFront(remote.url, settings)
    await larder.warm('/a')
    await clock.pass(5)
    expect((await larder.get('/a')).status).toBe(200)
    await larder.settled()
    await clock.pass(7)
    expect((await larder.get('/a')).status).toBe(404)
  })

  it('C9: the log has the reason behind the code', async () => {
    const larder = await inFront('http://127.0.0.1:9')
    const { status } = await larder.get('/a?token=secret')
    const told = larder.logs.find(({ msg }) => msg === 'remote in trouble')
    expect([status, told?.code, told?.target]).toEqual([502, 'UPSTREAM_UNREACHABLE', '/a?token='])
    expect(JSON.stringify(told)).toContain('refused the connection')
    expect(JSON.stringify(larder.logs)).not.toContain('secret')
  })
})
