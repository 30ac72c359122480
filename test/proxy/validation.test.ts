import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

describe('K2: a stale copy', () => {
  it('is validated, and takes over the fields of the 304', async () => {
    const clock = stopClock()
    const modified = 'Mon, 01 Jan 2024 00:00:00 GMT'
    const first = {
      ETag: '"e"',
      'Last-Modified': modified,
      'Cache-Control': 'max-age=10',
      'X-Old': '1',
      'X-Both': 'old',
      Age: '2',
    }
    remote.answer(
      '/a',
      { headers: first },
      { status: 304, headers: { ETag: '"e"', 'Cache-Control': 'max-age=20', 'X-Both': 'new', 'X-New': '1', Age: '3' } },
    )
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(10)
    const validated = await larder.warm('/a')
    expect([validated.status, validated.body.toString()]).toEqual([200, 'body'])
    expect(remote.requests[1]?.headers.get('if-none-match')).toBe('"e"')
    expect(remote.requests[1]?.headers.get('if-modified-since')).toBe(modified)
    await clock.pass(5)
    const { header } = await larder.get('/a')
    expect(['x-old', 'x-both', 'x-new', 'age', 'date', 'content-length'].map(header)).toEqual([
      '1',
      'new',
      '1',
      '8',
      new Date(Date.now() - 5000).toUTCString(),
      '4',
    ])
    expect(header('cache-status')).toBe('larder; hit; ttl=12')
    expect(remote.count('/a')).toBe(2)
  })

  it('a 304 without a Date: the answer is dated when that came', async () => {
    const clock = stopClock()
    const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }
    remote.answer('/a', { headers }, { status: 304, headers: { ...headers, Date: [] } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(3600)
    const validated = new Date().toUTCString()
    expect((await larder.warm('/a')).header('date')).toBe(validated)
    await clock.pass(5)
    const { header } = await larder.get('/a')
    expect([header('date'), header('age'), remote.count('/a')]).toEqual([validated, '5', 2])
  })

  it('is replaced by a 200', async () => {
    const clock = stopClock()
    const cacheControl = { 'Cache-Control': 'max-age=10' }
    remote.answer(
      '/a',
      { headers: { ETag: '"e"', ...cacheControl } },
      { headers: { ETag: '"f"', ...cacheControl }, body: 'changed' },
    )
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(10)
    expect((await larder.warm('/a')).header('cache-status')).toBe('larder; fwd=stale; stored')
    expect((await larder.get('/a')).body.toString()).toBe('changed')
    expect(remote.count('/a')).toBe(2)
  })

  it('a 304 that speaks of another version is not believed', async () => {
    const clock = stopClock()
    const cacheControl = { 'Cache-Control': 'max-age=10' }
    remote.answer(
      '/a',
      { headers: { ETag: '"e"', ...cacheControl } },
      { status: 304, headers: { ETag: '"f"' } },
      { headers: { ETag: '"f"', ...cacheControl }, body: 'changed' },
    )
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(10)
    expect((await larder.warm('/a')).body.toString()).toBe('changed')
    expect(remote.requests.map(({ headers }) => headers.get('if-none-match'))).toEqual([null, '"e"', null])
  })

  it('16 clients at once share one validation', async () => {
    const clock = stopClock()
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }
    remote.answer('/a', { headers }, async () => {
      await gate
      return { status: 304, headers }
    })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(11)
    const all = Array.from({ length: 16 }, () => larder.get('/a'))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(16)
    letGo()
    const statuses = (await Promise.all(all)).map(({ header }) => header('cache-status'))
    expect(statuses.filter((status) => status === 'larder; fwd=stale; fwd-status=304; collapsed')).toHaveLength(15)
    expect(remote.count('/a')).toBe(2)
  })

  it('staleWhileRevalidate answers at once and validates behind', async () => {
    const clock = stopClock()
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }
    remote.answer('/a', { headers }, async () => {
      await gate
      return { status: 304, headers }
    })
    const larder = await inFront(remote.url, { staleWhileRevalidate: '60s' })
    await larder.warm('/a')
    await clock.pass(15)
    for (let i = 0; i < 3; i += 1) {
      expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=-5')
    }
    expect(remote.count('/a')).toBe(2)
    letGo()
    await larder.settled()
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; hit; ttl=10')
    expect(remote.count('/a')).toBe(2)
  })

  it.each([500, 404])(
    'staleWhileRevalidate: a remote that says %i behind is left alone for a while',
    async (status) => {
      const clock = stopClock()
      remote.answer('/a', { headers: { 'Cache-Control': 'max-age=10' } }, { status })
      const larder = await inFront(remote.url, { staleWhileRevalidate: '60s' })
      await larder.warm('/a')
      await clock.pass(15)
      for (let i = 0; i < 4; i += 1) expect((await larder.warm('/a')).status).toBe(200)
      expect(remote.count('/a')).toBe(2)
    },
  )
})
