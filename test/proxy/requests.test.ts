import { describe, expect, it } from 'vitest'
import { inFront } from '../support/in-process.js'
import { behindSocket } from './origin.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

const theirs = {
  accept: 'application/gzip',
  'accept-encoding': 'gzip, br',
  'user-agent': 'curl/8',
  authorization: 'Bearer secret',
  cookie: 'a=1',
  'x-custom': 'yes',
  'cache-control': 'no-cache',
  range: 'bytes=0-1',
  'if-none-match': '"x"',
  'if-match': '*',
  'if-range': '"x"',
  'if-modified-since': 'Mon, 01 Jan 2024 00:00:00 GMT',
  'if-unmodified-since': 'Mon, 01 Jan 2090 00:00:00 GMT',
  connection: 'x-hop, close',
  'x-hop': '1',
  te: 'trailers',
  'proxy-authorization': 'Basic eA==',
  via: '1.1 front',
}

/** What the remote sees, as `Name: value`, without what every HTTP request over a kept connection has. */
const seen = (rawHeaders: readonly string[] = []) => {
  const lines: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!/^(host|connection)$/i.test(rawHeaders[i] ?? '')) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  return lines.sort()
}

const ours = [
  'Accept-Encoding: identity',
  'User-Agent: larder/0.0.0-test',
  expect.stringMatching(/^Via: 1\.1 front, 1\.1 larder-\w+$/),
]

describe('U1: what the remote sees', () => {
  it.each([
    ['by default', {}, [...ours, 'accept: application/gzip']],
    [
      'what is listed',
      { forwardRequestHeaders: ['X-Custom', 'authorization'] },
      [...ours, 'authorization: Bearer secret', 'x-custom: yes'],
    ],
    ['nothing', { forwardRequestHeaders: [] }, ours],
    [
      'all of them that are end to end',
      { forwardRequestHeaders: 'all' },
      [
        ...['Accept-Encoding: identity', ours[2]],
        ...['accept: application/gzip', 'authorization: Bearer secret', 'cache-control: no-cache', 'cookie: a=1'],
        ...['user-agent: curl/8', 'x-custom: yes'],
      ],
    ],
    [
      'profile rfc9111',
      { profile: 'rfc9111' },
      [
        ...['Accept-Encoding: identity', ours[2]],
        ...['accept: application/gzip', 'authorization: Bearer secret', 'cache-control: no-cache', 'cookie: a=1'],
        ...['user-agent: curl/8', 'x-custom: yes'],
      ],
    ],
  ])('%s', async (_, settings, expected) => {
    const { origin, larder } = await behindSocket(settings)
    origin.put('/a', 'body')
    await larder.get('/a', theirs)
    await larder.settled()
    await larder.head('/b', theirs)
    const [get, head] = origin.requests
    expect(seen(get?.rawHeaders)).toEqual(expected)
    expect(seen(head?.rawHeaders)).toEqual(expected)
    expect([get?.method, head?.method, get?.headers.host]).toEqual(['GET', 'HEAD', origin.host])
  })

  it('who sends little: no more than ours', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    await larder.get('/a')
    expect(seen(origin.requests[0]?.rawHeaders)).toEqual([
      ours[0],
      ours[1],
      expect.stringMatching(/^Via: 1\.1 larder-\w+$/),
    ])
  })

  it('a request that came through here before: 508, and nothing reaches the remote again', async () => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url)
    const own = (await larder.warm('/a')).header('via') ?? ''
    for (const via of [own, `1.1 other, ${own}`, `${own}, 1.1 other`]) {
      const { status, header, body } = await larder.get('/b', { via })
      expect([status, header('x-larder-error'), body.length]).toEqual([508, 'LOOP_DETECTED', 0])
    }
    expect(remote.requests).toHaveLength(1)
    remote.answer('/b', {})
    expect((await larder.get('/b', { via: '1.1 larder-00000000' })).status).toBe(200)
  })

  it('a remote that leads back to ourselves is asked once, and answers 508', async () => {
    const larder = await inFront('http://127.0.0.1:9')
    await larder.reconfigure(`${larder.url}/repository/raw`)
    const { status } = await larder.get('/a')
    expect([status, (await larder.accessLog(2)).map(({ status }) => status)]).toEqual([508, [508, 508]])
  })
})

describe('U2: transient trouble is tried again', () => {
  const retry = { attempts: 3, budget: '5s' }
  const inTwoSeconds = () => new Date(Date.now() + 2_000).toUTCString()

  it.each([408, 429, 500, 502, 503, 504])('%i twice, then well: the client hears nothing of it', async (status) => {
    remote.answer('/a', { status }, { status }, { body: 'well' })
    const larder = await inFront(remote.url, { retry })
    const answer = await larder.get('/a')
    expect([answer.status, answer.body.toString(), remote.count('/a')]).toEqual([200, 'well', 3])
    expect(await larder.metric('larder_retries_total', { repository: 'raw' })).toBe(2)
  })

  it.each([400, 401, 403, 404, 405, 410, 501, 505])('%i once', async (status) => {
    remote.answer('/a', { status }, { body: 'well' })
    const larder = await inFront(remote.url, { retry })
    await larder.get('/a')
    expect(remote.count('/a')).toBe(1)
  })

  it.each([
    ['GET', 200, 'GET'],
    ['HEAD', 200, 'HEAD'],
  ])('no more often than attempts says: %s', async (method) => {
    remote.answer('/a', { status: 503 })
    const larder = await inFront(remote.url, { retry })
    const { status } = await larder.get('/a', {}, { method })
    expect([status, remote.count('/a', method)]).toEqual([503, 3])
  })

  it('a dead remote, and one that resets before its head', async () => {
    const { origin, larder } = await behindSocket({ retry })
    const body = origin.put('/a', 'body')
    origin.plan('/a', { reset: 0, framing: 'chunked' }, 1)
    expect((await larder.warm('/a')).body.equals(body)).toBe(true)
    await origin.stop()
    const { status, header } = await larder.get('/b')
    expect([status, header('x-larder-error')]).toEqual([502, 'UPSTREAM_UNREACHABLE'])
    expect(await larder.metric('larder_retries_total', { repository: 'raw' })).toBeGreaterThanOrEqual(2)
  })

  it.each([
    ['503, in seconds', 503, () => '1'],
    ['429, in seconds', 429, () => '1'],
    ['503, by a date', 503, inTwoSeconds],
    ['429, by a date', 429, inTwoSeconds],
  ])('Retry-After is honoured: %s', async (_, status, value) => {
    const larder = await inFront(remote.url, { retry })
    remote.answer('/a', { status, headers: { 'Retry-After': value() } }, { body: 'well' })
    const started = Date.now()
    expect((await larder.get('/a')).status).toBe(200)
    // A date has whole seconds: of two, more than one is left.
    expect(Date.now() - started).toBeGreaterThanOrEqual(950)
  })

  it.each([
    ['longer than the budget', { attempts: 3, budget: '5s' }, '6'],
    ['a date too far ahead', { attempts: 3, budget: '5s' }, new Date(Date.now() + 60_000).toUTCString()],
  ])('Retry-After %s: told to the client at once', async (_, patience, value) => {
    remote.answer('/a', { status: 503, headers: { 'Retry-After': value } })
    const larder = await inFront(remote.url, { retry: patience })
    const { status, header } = await larder.get('/a')
    expect([status, remote.count('/a')]).toEqual([503, 1])
    expect(Number(header('retry-after'))).toBeGreaterThanOrEqual(6)
  })

  it('a budget of nothing: one try', async () => {
    remote.answer('/a', { status: 503 })
    const larder = await inFront(remote.url, { retry: { attempts: 3, budget: '0s' } })
    await larder.get('/a')
    expect(remote.count('/a')).toBe(1)
  })

  it('a copy at hand: one try', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=0' } }, { status: 503 })
    const larder = await inFront(remote.url, { retry })
    await larder.warm('/a')
    expect((await larder.get('/a')).status).toBe(200)
    expect(remote.count('/a')).toBe(2)
  })
})
