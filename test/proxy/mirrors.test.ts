import { describe, expect, it, onTestFinished } from 'vitest'
import { inFront } from '../support/in-process.js'
import { type Fault, type Origin, startOrigin } from '../support/origin.js'
import { noise, type Settings } from '../support/stage.js'

const size = 1_000_000
const cut = 300_000

/** Two origins with the same files, and a server that asks them in this order. */
async function mirrored(settings: Settings = {}) {
  const [one, two] = await Promise.all([startOrigin(), startOrigin()])
  for (const origin of [one, two]) onTestFinished(() => origin.stop())
  const larder = await inFront(one.url, { remote: [one.url, two.url], ...settings })
  const put = (path: string, ...rest: Parameters<Origin['put']> extends [string, ...infer R] ? R : never) => {
    two.put(path, ...rest)
    return one.put(path, ...rest)
  }
  const counts = (path = '/a') => [one.count(path), two.count(path)]
  return { one, two, larder, put, counts }
}

describe('U6: several remotes', () => {
  it('the first one is asked as long as it answers', async () => {
    const { larder, put, counts } = await mirrored()
    const body = put('/a', 'body')
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect((await larder.get('/b')).status).toBe(404)
    expect([counts(), counts('/b')]).toEqual([
      [1, 0],
      [1, 0],
    ])
  })

  it.each<[name: string, fault: Fault]>([
    ['503', { status: 503 }],
    ['429', { status: 429 }],
    ['a reset', { reset: 0 }],
    ['a head that does not come', { delayHeaders: 600_000 }],
    ['a redirect to nowhere', { status: 302 }],
    ['more redirects than allowed', { redirectTo: '/a' }],
  ])('%s: the next one is, at once, and the log tells', async (_, fault) => {
    const { one, two, larder, put } = await mirrored({ timeout: { headers: '100ms' }, retry: { attempts: 3 } })
    const body = put('/a', 'body')
    one.plan('/a', fault)
    const answer = await larder.warm('/a')
    expect([answer.status, answer.body.equals(body), two.count('/a')]).toEqual([200, true, 1])
    expect(await larder.metric('larder_retries_total', { repository: 'raw' })).toBe(0)
    const told = larder.logs.filter(({ msg }) => msg === 'remote in trouble')
    expect(told).toMatchObject([{ remote: one.url, served: two.url, tried: 1 }])
  })

  it('dead, for GET and HEAD', async () => {
    const { one, larder, put } = await mirrored()
    const body = put('/a', 'body')
    await one.stop()
    expect((await larder.head('/a')).header('content-length')).toBe('4')
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
  })

  it.each([404, 403, 410, 401, 400])('%i is an answer: nobody else is asked', async (status) => {
    const { one, larder, put, counts } = await mirrored()
    put('/a', 'body')
    one.plan('/a', { status })
    await larder.get('/a')
    expect(counts()).toEqual([1, 0])
  })

  it('U2: pauses only between the rounds', async () => {
    const { one, two, larder, put, counts } = await mirrored({ retry: { attempts: 3, budget: '5s' } })
    const body = put('/a', 'body')
    one.plan('/a', { status: 503 })
    two.plan('/a', { status: 503 }, 2)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect(counts()).toEqual([3, 3])
    expect(await larder.metric('larder_retries_total', { repository: 'raw' })).toBe(2)
  })

  it('U2: one that asks for more patience than there is drops out, the other is asked again', async () => {
    const { one, two, larder, put, counts } = await mirrored({ retry: { attempts: 3, budget: '5s' } })
    put('/a', 'body')
    one.plan('/a', { status: 503, headers: { 'Retry-After': '60' } })
    two.plan('/a', { status: 503 }, 1)
    expect((await larder.get('/a')).status).toBe(200)
    expect(counts()).toEqual([1, 2])
  })

  it('K3: with a copy at hand one round, then the copy', async () => {
    const { one, two, larder, put, counts } = await mirrored({ maxAge: '0s', retry: { attempts: 3, budget: '5s' } })
    put('/a', 'body')
    await larder.warm('/a')
    for (const origin of [one, two]) origin.plan('/a', { status: 503 })
    expect((await larder.get('/a')).header('cache-status')).toBe('larder; fwd=stale; fwd-status=503')
    expect(counts()).toEqual([2, 1])
  })

  it('all in trouble: the client hears of the last', async () => {
    const { one, two, larder } = await mirrored()
    one.plan('/a', { status: 503 })
    await two.stop()
    const { status, header } = await larder.get('/a')
    expect([status, header('x-larder-error')]).toEqual([502, 'UPSTREAM_UNREACHABLE'])
  })

  it('U7: one whose breaker is open is passed over; with all open nothing goes out', async () => {
    const breaker = { failures: 2, openFor: '1h', maxOpenFor: '1h' }
    const { one, two, larder, put, counts } = await mirrored({ breaker })
    for (const path of ['/a', '/b', '/c', '/d']) put(path, path)
    one.plan('*', { status: 500 })
    for (const path of ['/a', '/b', '/c']) expect((await larder.get(path)).status).toBe(200)
    expect(one.requests).toHaveLength(2)
    expect(await larder.metric('larder_breaker_state', { remote: one.url })).toBe(2)
    expect(await larder.metric('larder_breaker_state', { remote: two.url })).toBe(0)
    two.plan('*', { status: 500 })
    for (const path of ['/x', '/y']) expect((await larder.get(path)).status).toBe(502)
    expect((await larder.get('/d')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
    expect(counts('/d')).toEqual([0, 0])
  })

  it('D5: the record knows which one brought it, and stays while that is configured', async () => {
    const { one, two, larder, put, counts } = await mirrored()
    put('/a', 'body')
    one.plan('/a', { status: 503 })
    await larder.warm('/a')
    await larder.reconfigure(two.url)
    expect((await larder.get('/a')).header('cache-status')).toMatch(/; hit/)
    await larder.reconfigure(one.url)
    expect((await larder.get('/a')).header('cache-status')).not.toMatch(/; hit/)
    expect(counts()).toEqual([2, 1])
  })
})

describe('U3: a body cut at one of several remotes', () => {
  it('is resumed there', async () => {
    const { one, larder, put, counts } = await mirrored()
    const body = put('/a', noise(size))
    one.plan('/a', { cut }, 1)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect([counts(), one.requests[1]?.headers.range]).toEqual([[2, 0], `bytes=${cut}-`])
  })

  it.each<[name: string, rest: Parameters<Origin['put']>[2], again: Parameters<Origin['put']>[2]]>([
    ['the same validators', {}, {}],
    ['another ETag, the same date', { etag: '"1"' }, { etag: '"2"' }],
    ['the same ETag, another date', {}, { lastModified: new Date('2025-01-01') }],
    ['nothing to resume by', { etag: 'W/"1"', lastModified: false }, { etag: 'W/"1"', lastModified: false }],
  ])('which is dead since, the other has %s: from 0 there, compared', async (_, rest, again) => {
    const { one, two, larder } = await mirrored()
    const body = one.put('/a', noise(size), rest)
    two.put('/a', body, again)
    one.plan('/a', { cut }, 1)
    one.plan('/a', { reset: 0 })
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, got.equals(body), two.requests[0]?.headers.range]).toEqual(['end', true, undefined])
    expect((await larder.get('/a')).header('cache-status')).toMatch(/; hit/)
  })

  it.each<[name: string, change: (body: Buffer) => Buffer, again: Parameters<Origin['put']>[2]]>([
    ['other bytes under the same name', () => noise(size), { etag: '"1"' }],
    ['the same beginning, of another length', (body) => Buffer.concat([body, body]), { etag: '"1"' }],
    ['the same bytes, and nothing that says so', (body) => body, { etag: '"2"', lastModified: false }],
  ])('C7: which is dead since, the other has %s: reset, nothing stored', async (_, change, again) => {
    const { one, two, larder } = await mirrored()
    const body = one.put('/a', noise(size), { etag: '"1"' })
    two.put('/a', change(body), again)
    one.plan('/a', { cut }, 1)
    one.plan('/a', { reset: 0 })
    const { ended, body: got } = await larder.warm('/a')
    expect([ended, body.subarray(0, got.length).equals(got)]).toEqual(['broken', true])
    expect((await larder.get('/a')).header('cache-status')).not.toMatch(/; hit/)
  })
})
