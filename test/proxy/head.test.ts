import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { noise } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteRequest } from './remote.js'

const remote = mswRemote()
const methods = () => remote.requests.map(({ method }) => method)
const validators = ({ header }: { header(name: string): string | undefined }) =>
  ['etag', 'last-modified', 'content-length', 'content-type', 'content-encoding'].map(header)

describe('C4: HEAD', () => {
  it('of a cold key: one HEAD to the remote, no GET, and the validators GET will have', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(100_000), { headers: { 'Content-Type': 'application/gzip' } })
    const head = await larder.head('/a')
    expect([head.status, head.body.length, head.ended]).toEqual([200, 0, 'end'])
    expect(origin.requests.map(({ method }) => method)).toEqual(['HEAD'])
    expect(head.rawHeaders).toContain('ETag')
    expect(head.header('cache-status')).toBe('larder; fwd=uri-miss')
    const get = await larder.warm('/a')
    const warm = await larder.head('/a')
    expect(validators(head)).toEqual(validators(get))
    expect(validators(warm)).toEqual(validators(get))
    expect(validators(head)[2]).toBe('100000')
    expect(origin.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET'])
  })

  it.each([403, 405, 501])('refused with %i: one GET of the first byte finds out', async (refuseHead) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(100_000))
    origin.plan('/a', { refuseHead })
    const head = await larder.head('/a')
    expect([head.status, head.header('content-length'), head.header('content-range')]).toEqual([
      200,
      '100000',
      undefined,
    ])
    expect(origin.requests.map(({ method, headers }) => [method, headers.range])).toEqual([
      ['HEAD', undefined],
      ['GET', 'bytes=0-0'],
    ])
    expect(validators(head)).toEqual(validators(await larder.get('/a')))
  })

  it.each([
    ['an empty file', 0, {}],
    ['a remote without ranges', 50_000, { ranges: false }],
  ])('refused, %s: still found out', async (_, size, rest) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(size), rest)
    origin.plan('/a', { refuseHead: 405 })
    const head = await larder.head('/a')
    expect([head.status, head.header('content-length')]).toEqual([200, String(size)])
    expect(origin.requests).toHaveLength(2)
  })

  it.each([
    [403, 403],
    [404, 404],
    [500, 502],
  ])('refused, and the GET says %i: %i, empty', async (theirs, ours) => {
    remote.answer('/a', { status: 405 }, { status: theirs, body: '<Error/>' })
    const larder = await inFront(remote.url)
    const { status, body } = await larder.head('/a')
    expect([status, body.length]).toEqual([ours, 0])
    expect(methods()).toEqual(['HEAD', 'GET'])
  })

  it.each(['inline', 'a blob'])('is served from the cache when the remote is dead (%s)', async (kept) => {
    const { origin, larder } = await behindSocket()
    const size = kept === 'inline' ? 100 : 100_000
    origin.put('/a', noise(size))
    const get = await larder.warm('/a')
    await origin.stop()
    const head = await larder.head('/a')
    expect([head.status, head.body.length, head.header('cache-status')]).toEqual([
      200,
      0,
      expect.stringMatching(/; hit/),
    ])
    expect(validators(head)).toEqual(validators(get))
  })

  it('of a stale key: one conditional HEAD, and the copy is fresh again', async () => {
    const clock = stopClock()
    const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }
    const conditional = ({ headers: asked }: RemoteRequest) =>
      asked.get('if-none-match') === '"e"' ? { status: 304, headers } : { headers }
    remote.answer('/a', { headers }, conditional)
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(11)
    const head = await larder.head('/a')
    expect([head.status, head.header('content-length'), head.header('cache-status')]).toEqual([
      200,
      '4',
      'larder; fwd=stale; fwd-status=304',
    ])
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=10')
    expect(methods()).toEqual(['GET', 'HEAD'])
  })

  it.each([
    ['the same version', '"e"', '4', 'larder; fwd=stale; fwd-status=200', ['GET', 'HEAD']],
    ['another version', '"f"', '9', 'larder; fwd=stale', ['GET', 'HEAD', 'GET']],
  ])('of a stale key, answered by a 200 of %s', async (_, etag, length, status, requests) => {
    const clock = stopClock()
    const cacheControl = { 'Cache-Control': 'max-age=10' }
    const body = etag === '"e"' ? 'body' : 'otherbody'
    remote.answer(
      '/a',
      { headers: { ETag: '"e"', ...cacheControl } },
      { headers: { ETag: etag, ...cacheControl }, body },
    )
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(11)
    const head = await larder.head('/a')
    expect([head.header('etag'), head.header('content-length'), head.header('cache-status')]).toEqual([
      etag,
      length,
      status,
    ])
    expect((await larder.get('/a')).body.toString()).toBe(body)
    expect(methods()).toEqual(requests)
  })

  it('of a stale key with the remote dead: the copy', async () => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=10' } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(11)
    remote.die()
    expect((await larder.head('/a')).status).toBe(200)
    expect(remote.count('/a')).toBe(2)
  })

  it('16 at once share one', async () => {
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    remote.answer('/a', async () => {
      await gate
      return { headers: { ETag: '"e"' } }
    })
    const larder = await inFront(remote.url)
    const all = Array.from({ length: 16 }, () => larder.head('/a'))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(16)
    letGo()
    expect((await Promise.all(all)).map(({ header }) => header('etag'))).toEqual(Array(16).fill('"e"'))
    expect(methods()).toEqual(['HEAD'])
  })

  it('of what may not be shared reaches the remote each time', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'no-store' } })
    const larder = await inFront(remote.url)
    for (let i = 0; i < 3; i += 1) expect((await larder.head('/a')).status).toBe(200)
    expect(methods()).toEqual(['HEAD', 'HEAD', 'HEAD'])
  })
})

it.each(['artifact', 'rfc9111'])(
  'K2: a 304 to a HEAD that is about another version: asked again, unconditionally (%s)',
  async (profile) => {
    const headers = { ETag: '"2"' }
    remote.answer(
      '/a',
      { headers: { ETag: '"1"', 'Cache-Control': 'max-age=0' } },
      { status: 304, headers },
      { headers },
    )
    const larder = await inFront(remote.url, { profile })
    await larder.warm('/a')
    const { status, header } = await larder.head('/a')
    expect([status, header('etag')]).toEqual([200, '"2"'])
    expect(remote.requests.map(({ headers }) => headers.get('if-none-match'))).toEqual([null, '"1"', null])
  },
)
