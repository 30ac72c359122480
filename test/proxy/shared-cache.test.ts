import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteAnswer, type RemoteRequest } from './remote.js'

/* Profile rfc9111: what the tests of cache-tests.fyi ask of a shared cache. */

const remote = mswRemote()
const plain = () => inFront(remote.url, { profile: 'rfc9111' })

describe('rfc9111: statuses', () => {
  const fresh = { 'Cache-Control': 'max-age=100' }
  it.each([200, 203, 204, 300, 404, 405, 410, 414, 418, 500, 501, 503, 599])(
    '%i with max-age is stored, with its body',
    async (status) => {
      remote.answer('/a', { status, headers: fresh, body: `said ${status}` })
      const larder = await plain()
      const body = status === 204 ? '' : `said ${status}`
      for (const answer of [await larder.warm('/a'), await larder.get('/a')]) {
        expect([answer.status, answer.body.toString(), answer.ended]).toEqual([status, body, 'end'])
        // RFC 9110 §8.6
        if (status === 204) expect(answer.header('content-length')).toBeUndefined()
      }
      expect(remote.count('/a')).toBe(1)
    },
  )

  it.each([400, 401, 402, 403, 409, 429, 500, 502, 503, 504])(
    '%i passes as it is, and is not stored',
    async (status) => {
      const headers = { 'WWW-Authenticate': 'Basic', 'Retry-After': '7', 'Content-Type': 'text/plain' }
      remote.answer('/a', { status, headers, body: 'why' })
      const larder = await plain()
      for (let i = 1; i <= 2; i += 1) {
        const { body, header, ...answer } = await larder.warm('/a')
        expect([answer.status, body.toString(), header('retry-after'), header('content-type')]).toEqual([
          status,
          'why',
          '7',
          'text/plain',
        ])
        expect(header('www-authenticate')).toBe('Basic')
        expect(remote.count('/a')).toBe(i)
      }
    },
  )

  it('a dead remote and nothing stored: 502', async () => {
    remote.die()
    expect((await (await plain()).get('/a')).status).toBe(502)
  })
})

describe('rfc9111: what the client asks', () => {
  it.each<[string, Record<string, string>, number, boolean]>([
    ['no-cache', { 'cache-control': 'no-cache' }, 0, false],
    ['Pragma: no-cache', { pragma: 'no-cache' }, 0, false],
    ['Pragma beside Cache-Control', { pragma: 'no-cache', 'cache-control': 'foo' }, 0, true],
    ['max-age=0', { 'cache-control': 'max-age=0' }, 0, false],
    ['max-age, not that old', { 'cache-control': 'max-age=50' }, 50, true],
    ['max-age, older', { 'cache-control': 'max-age=50' }, 51, false],
    ['min-fresh, enough', { 'cache-control': 'min-fresh=50' }, 50, true],
    ['min-fresh, not enough', { 'cache-control': 'min-fresh=50' }, 51, false],
    ['max-stale, within', { 'cache-control': 'max-stale=50' }, 150, true],
    ['max-stale, beyond', { 'cache-control': 'max-stale=50' }, 151, false],
    ['max-stale, any', { 'cache-control': 'max-stale' }, 10_000, true],
    ['only-if-cached', { 'cache-control': 'only-if-cached' }, 50, true],
  ])('%s', async (_, headers, after, fromCache) => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=100' } })
    const larder = await plain()
    await larder.warm('/a')
    await clock.pass(after)
    expect((await larder.warm('/a', headers)).status).toBe(200)
    expect(remote.count('/a')).toBe(fromCache ? 1 : 2)
  })

  it('no-store: not stored', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=100' } })
    const larder = await plain()
    await larder.warm('/a', { 'cache-control': 'no-store' })
    await larder.warm('/a')
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(2)
  })

  it.each([
    ['max-age', 'max-age=100', 3],
    ['public', 'public, max-age=100', 1],
    ['must-revalidate', 'must-revalidate, max-age=100', 1],
    ['s-maxage', 's-maxage=100', 1],
  ])('Authorization: %s (§3.5)', async (_, cacheControl, requests) => {
    remote.answer('/a', { headers: { 'Cache-Control': cacheControl } })
    const larder = await plain()
    await larder.warm('/a', { authorization: 'a' })
    await larder.warm('/a', { authorization: 'b' })
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(requests)
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(requests)
  })

  it('Vary: fields that are alike but for spaces and lines select the same', async () => {
    const answer = ({ headers }: RemoteRequest) => ({
      headers: { Vary: 'X-Kind, Accept-Language', 'Cache-Control': 'max-age=100' },
      body: `${headers.get('x-kind')}`,
    })
    remote.answer('/a', answer)
    const larder = await plain()
    for (const kind of ['a, b', 'a,b', 'b, a', 'a, b']) {
      expect((await larder.warm('/a', { 'x-kind': kind })).body.toString().replaceAll(' ', '')).toBe(
        kind.replaceAll(' ', ''),
      )
    }
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(3)
  })
})

describe('rfc9111: stale', () => {
  const gone = { status: 503 }
  it.each<[string, string, number, RemoteAnswer | 'dead', boolean]>([
    ['nothing allows it', 'max-age=10', 15, gone, false],
    ['nothing allows it, dead', 'max-age=10', 15, 'dead', false],
    ['stale-if-error, within', 'max-age=10, stale-if-error=20', 29, gone, true],
    ['stale-if-error, dead', 'max-age=10, stale-if-error=20', 29, 'dead', true],
    ['stale-if-error, the instant', 'max-age=10, stale-if-error=20', 30, gone, false],
    ['stale-if-error under must-revalidate', 'max-age=10, stale-if-error=20, must-revalidate', 15, gone, false],
    ['stale-if-error under s-maxage', 's-maxage=10, stale-if-error=20', 15, gone, false],
    ['stale-if-error is not for 404', 'max-age=10, stale-if-error=20', 15, { status: 404 }, false],
  ])('%s', async (_, cacheControl, after, then, served) => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'Cache-Control': cacheControl, ETag: '"e"' } }, then === 'dead' ? {} : then)
    const larder = await plain()
    await larder.warm('/a')
    await clock.pass(after)
    if (then === 'dead') remote.die()
    const expected = served ? 200 : then === 'dead' ? 502 : then.status
    expect([(await larder.get('/a')).status, remote.count('/a')]).toEqual([expected, 2])
  })

  it.each([
    ['within', 29, true],
    ['the instant', 30, false],
  ])('stale-while-revalidate, %s', async (_, after, served) => {
    const clock = stopClock()
    const headers = { 'Cache-Control': 'max-age=10, stale-while-revalidate=20' }
    remote.answer('/a', { headers, body: 'old' }, { headers, body: 'new' })
    const larder = await plain()
    await larder.warm('/a')
    await clock.pass(after)
    expect((await larder.warm('/a')).body.toString()).toBe(served ? 'old' : 'new')
    expect((await larder.get('/a')).body.toString()).toBe('new')
    expect(remote.count('/a')).toBe(2)
  })

  it('stale-while-revalidate behind which the remote was in trouble: who wants its word gets it all the same', async () => {
    const clock = stopClock()
    const { origin, larder } = await behindSocket({ profile: 'rfc9111' })
    const headers = { 'Cache-Control': 'max-age=10, stale-while-revalidate=20, stale-if-error=60' }
    origin.put('/a', 'old', { headers })
    await larder.warm('/a')
    await clock.pass(15)
    await origin.stop()
    expect((await larder.warm('/a')).body.toString()).toBe('old')
    await until(() => larder.logs.some(({ msg }) => String(msg).includes('validate')), 'the validation failed')
    await origin.start()
    origin.put('/a', 'new', { headers })
    expect((await larder.get('/a', { 'cache-control': 'no-cache' })).body.toString()).toBe('new')
  })

  it('a 304 updates what is stored, and no-cache is validated each time', async () => {
    const headers = { 'Cache-Control': 'no-cache', ETag: '"e"', 'X-Count': '1' }
    remote.answer(
      '/a',
      { headers },
      { status: 304, headers: { ...headers, 'X-Count': '2' } },
      { status: 304, headers: { ...headers, 'X-Count': '3' } },
    )
    const larder = await plain()
    const counts = []
    for (let i = 0; i < 3; i += 1) counts.push((await larder.warm('/a')).header('x-count'))
    expect([counts, remote.count('/a')]).toEqual([['1', '2', '3'], 3])
  })

  it('a client’s own condition is answered by us after the validation', async () => {
    const clock = stopClock()
    const headers = { 'Cache-Control': 'max-age=10', ETag: '"e"' }
    remote.answer('/a', { headers }, { status: 304, headers })
    const larder = await plain()
    await larder.warm('/a')
    await clock.pass(11)
    expect((await larder.warm('/a', { 'if-none-match': '"x", "e"' })).status).toBe(304)
    expect(remote.requests.map(({ headers: sent }) => sent.get('if-none-match'))).toEqual([null, '"e"'])
  })
})
