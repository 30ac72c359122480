import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

describe('K1: how long a copy is fresh', () => {
  const day = 86_400
  const rules = {
    freshness: [
      { match: 'jdk/**', maxAge: 'forever' },
      { match: '**/*.tgz', maxAge: '5m' },
    ],
  }
  it.each([
    ['the default', '/a', {}, {}, day],
    ['the repository’s maxAge', '/a', {}, { maxAge: '1h' }, 3600],
    ['the remote’s max-age', '/a', { 'Cache-Control': 'max-age=60' }, {}, 60],
    ['the remote’s s-maxage', '/a', { 'Cache-Control': 'max-age=60, s-maxage=30' }, {}, 30],
    ['a rule over the remote', '/x/a.tgz', { 'Cache-Control': 'max-age=60' }, rules, 300],
    ['a rule over no-cache', '/x/a.tgz', { 'Cache-Control': 'no-cache' }, rules, 300],
    ['a rule over the age on arrival', '/x/a.tgz', { Age: '10000' }, rules, 300],
    ['the first rule that fits', '/jdk/a.tgz', {}, rules, Number.POSITIVE_INFINITY],
    ['no rule fits', '/jdk.zip', {}, rules, day],
    ['the age on arrival counts', '/a', { 'Cache-Control': 'max-age=60', Age: '20' }, {}, 40],
    [
      'a targeted field',
      '/a',
      { 'Cache-Control': 'max-age=60', 'CDN-Cache-Control': 'max-age=90' },
      { targetedFields: ['CDN-Cache-Control'] },
      90,
    ],
    ['a field nobody names', '/a', { 'Cache-Control': 'max-age=60', 'CDN-Cache-Control': 'max-age=90' }, {}, 60],
  ])('%s', async (_, path, headers, settings, seconds) => {
    const clock = stopClock()
    remote.answer(path, { headers: { ...headers, ETag: '"e"' } })
    const larder = await inFront(remote.url, settings)
    await larder.warm(path)
    await clock.pass(Math.min(seconds, 10 * 365 * day) - 1)
    const last = (await larder.get(path)).header('cache-status')
    expect([last, remote.count(path)]).toEqual([Number.isFinite(seconds) ? 'larder; hit; ttl=1' : 'larder; hit', 1])
    await clock.pass(1)
    await larder.get(path)
    expect(remote.count(path)).toBe(Number.isFinite(seconds) ? 2 : 1)
  })

  it('Expires', async () => {
    const clock = stopClock()
    remote.answer('/a', { headers: { Expires: new Date(Date.now() + 60_000).toUTCString() } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(58)
    await larder.get('/a')
    expect(remote.count('/a')).toBe(1)
    await clock.pass(2)
    await larder.get('/a')
    expect(remote.count('/a')).toBe(2)
  })

  it.each(['no-store', 'private', 'private="x"'])('%s: not stored, unless a rule forces it', async (cacheControl) => {
    remote.answer('*', { headers: { 'Cache-Control': cacheControl } })
    const larder = await inFront(remote.url, {
      freshness: [
        { match: 'forced/**', maxAge: '5m', force: true },
        { match: '**', maxAge: '5m' },
      ],
    })
    for (const path of ['/a', '/forced/a']) {
      await larder.warm(path)
      await larder.warm(path)
    }
    expect([remote.count('/a'), remote.count('/forced/a')]).toEqual([2, 1])
  })

  it.each([
    ['change nothing (C12)', {}, 1],
    ['are honoured where asked for (C12)', { clientCacheControl: 'honour' }, 2],
  ])('the client’s wishes %s', async (_, settings, requests) => {
    for (const [i, wish] of [
      { 'cache-control': 'no-cache' },
      { 'cache-control': 'max-age=0' },
      { pragma: 'no-cache' },
      { 'cache-control': 'min-fresh=10000000' },
    ].entries()) {
      const path = `/${i}`
      remote.answer(path, { headers: { ETag: '"e"' } })
      const larder = await inFront(remote.url, settings)
      await larder.warm(path)
      await larder.warm(path, wish)
      expect([wish, remote.count(path)]).toEqual([wish, requests])
    }
  })

  it('a client’s no-store, honoured: nothing is stored, and nobody else suffers', async () => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url, { clientCacheControl: 'honour' })
    await larder.warm('/a', { 'cache-control': 'no-store' })
    await larder.warm('/a')
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(2)
  })

  it('only-if-cached of what is stored and fresh is served; of what is stale it is not (504)', async () => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=10' } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    expect((await larder.get('/a', { 'cache-control': 'only-if-cached' })).status).toBe(200)
    await clock.pass(10)
    expect((await larder.get('/a', { 'cache-control': 'only-if-cached' })).status).toBe(504)
    expect(remote.count('/a')).toBe(1)
  })

  it('the remote of the repository changes: what came from the old one is stale (D5)', async () => {
    remote.answer('/a', { headers: { ETag: '"e"' } })
    remote.answer('/new/a', { headers: { ETag: '"e"' }, body: 'new' })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await larder.reconfigure(`${remote.url}/new`)
    expect((await larder.warm('/a')).body.toString()).toBe('new')
    expect((await larder.get('/a')).header('cache-status')).toMatch(/; hit/)
    expect(remote.requests.map(({ target, headers }) => [target, headers.get('if-none-match')])).toEqual([
      ['/a', null],
      ['/new/a', null],
    ])
  })
})
