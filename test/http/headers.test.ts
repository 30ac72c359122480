import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { mswRemote } from '../proxy/remote.js'
import { get } from '../support/http.js'
import { inFront, stopClock } from '../support/in-process.js'
import { noise } from '../support/stage.js'

const remote = mswRemote()

/** Names and values of a raw head, without the fields that differ between any two answers. */
const steadyFields = (rawHeaders: readonly string[]) => {
  const pairs: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (!/^(x-request-id|cache-status|age|x-checksum-sha256|repr-digest)$/i.test(name)) {
      pairs.push(`${name}: ${rawHeaders[i + 1]}`)
    }
  }
  return pairs.sort()
}

describe('C2: the bytes and fields are the remote’s', () => {
  it.each([
    ['inline', 100],
    ['a blob', 100_000],
  ])('a gzip coded body (%s) stays coded, cold and warm', async (_, size) => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', gzipSync(noise(size)), { headers: { 'Content-Encoding': 'gzip' } })
    const cold = await larder.warm('/a', { 'accept-encoding': 'gzip' })
    const warm = await larder.get('/a')
    for (const { body: got, header } of [cold, warm]) {
      expect(got.equals(body)).toBe(true)
      expect(header('content-encoding')).toBe('gzip')
      expect(header('content-length')).toBe(String(body.length))
    }
    expect(origin.count('/a')).toBe(1)
  })

  it('fields keep value, order among their like, and spelling; GET and HEAD, cold and warm, are alike', async () => {
    const { origin, larder } = await behindSocket()
    const headers = {
      etag: '"e"',
      'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
      'X-Odd-CASE': 'a  b',
      'x-amz-meta-q': 'e',
    }
    for (const path of ['/a', '/b']) {
      origin.put(path, 'body', { etag: false, lastModified: false, headers })
    }
    const coldHead = await larder.head('/b')
    const cold = await larder.warm('/a')
    const warm = await larder.get('/a')
    const warmHead = await larder.head('/a')
    const direct = await get(`${origin.url}/a`)
    const usual = steadyFields(direct.rawHeaders).map((line) =>
      line.replace(/^etag/, 'ETag').replace(/^last-modified/, 'Last-Modified'),
    )
    const undatedUsual = usual.filter((line) => !/^(Date|Connection|Keep-Alive)/.test(line))
    expect(steadyFields(cold.rawHeaders)).toEqual(expect.arrayContaining(undatedUsual))
    expect(steadyFields(warm.rawHeaders)).toEqual(steadyFields(cold.rawHeaders))
    expect(steadyFields(warmHead.rawHeaders)).toEqual(steadyFields(warm.rawHeaders))
    const undated = (fields: string[]) => fields.filter((line) => !line.startsWith('Date'))
    expect(undated(steadyFields(coldHead.rawHeaders))).toEqual(undated(steadyFields(cold.rawHeaders)))
  })

  const unwanted = {
    'Set-Cookie': ['a=1', 'b=2'],
    'Alt-Svc': 'h3=":443"',
    'Strict-Transport-Security': 'max-age=1',
    'Clear-Site-Data': '"*"',
    Connection: 'x-hop',
    'X-Hop': '1',
    'Proxy-Authenticate': 'Basic',
  }

  it.each([
    ['artifact', {}, 'max-age=60'],
    ['a bypass', {}, 'no-store'],
    ['rfc9111', { profile: 'rfc9111' }, 'max-age=60'],
    ['a bypass of rfc9111', { profile: 'rfc9111' }, 'no-store'],
  ])('what concerns the connection or our origin is dropped: %s', async (_, settings, cacheControl) => {
    remote.answer('/a', { headers: { ...unwanted, 'Cache-Control': cacheControl, 'X-Kept': '1' } })
    const larder = await inFront(remote.url, settings)
    for (const { header } of [await larder.warm('/a'), await larder.get('/a'), await larder.head('/a')]) {
      for (const name of Object.keys(unwanted)) {
        if (name !== 'Connection') expect([name, header(name.toLowerCase())]).toEqual([name, undefined])
      }
      expect(header('x-kept')).toBe('1')
    }
  })

  it.each(['max-age=60', 'no-store'])('a page of the remote can’t act on our origin (%s)', async (cacheControl) => {
    const theirs = { 'Content-Security-Policy': 'default-src *', 'X-Content-Type-Options': 'sniff' }
    remote.answer('/a', {
      headers: { ...theirs, 'Content-Type': 'text/html', 'Cache-Control': cacheControl, ETag: '"e"' },
    })
    const larder = await inFront(remote.url)
    const answers = [
      await larder.warm('/a'),
      await larder.get('/a'),
      await larder.head('/a'),
      await larder.get('/a', { 'if-none-match': '"e"' }),
      await larder.get('/a', { range: 'bytes=0-0' }),
    ]
    for (const { header } of answers) {
      expect(header('content-security-policy')).toBe('sandbox')
      expect(header('x-content-type-options')).toBe('nosniff')
    }
  })
})

describe('C3: what every answer carries', () => {
  const own = ['accept-ranges', 'via', 'x-request-id', 'cache-status', 'date']

  it.each([
    ['inline', 'small body'],
    ['a blob', 'x'.repeat(100_000)],
  ])('cold, warm, HEAD, 304, 206, 416: %s', async (_, body) => {
    const clock = stopClock()
    const date = new Date(Date.now() - 5000).toUTCString()
    remote.answer('/a', { headers: { ETag: '"e"', Date: date, Via: '1.1 theirs' }, body })
    const larder = await inFront(remote.url)
    const cold = await larder.warm('/a')
    await clock.pass(60)
    const warm = {
      get: await larder.get('/a'),
      head: await larder.head('/a'),
      unchanged: await larder.get('/a', { 'if-none-match': '"e"' }),
      range: await larder.get('/a', { range: 'bytes=1-2' }),
      outside: await larder.get('/a', { range: 'bytes=1000000-' }),
      changed: await larder.get('/a', { 'if-match': '"f"' }),
    }
    for (const { header } of [cold, ...Object.values(warm)]) {
      for (const name of own) expect([name, header(name)]).not.toEqual([name, undefined])
      expect(header('accept-ranges')).toBe('bytes')
      expect(header('via')).toMatch(/^1\.1 theirs, 1\.1 larder-\w+$/)
      expect(header('date')).toBe(date)
    }
    expect(cold.header('age')).toBeUndefined()
    const { header } = warm.get
    const sha256 = createHash('sha256').update(body)
    expect(header('x-checksum-sha256')).toBe(sha256.copy().digest('hex'))
    expect(header('repr-digest')).toBe(`sha-256=:${sha256.digest('base64')}:`)
    expect(Object.values(warm).map(({ header }) => header('age'))).toEqual(Array(6).fill('65'))
    expect(Object.values(warm).map(({ status }) => status)).toEqual([200, 200, 304, 206, 416, 412])
    expect([cold, warm.get, warm.head].map(({ header }) => header('content-length'))).toEqual(
      Array(3).fill(`${body.length}`),
    )
    expect(remote.count('/a')).toBe(1)
  })

  it('Age is not told after a validation', async () => {
    const clock = stopClock()
    const headers = { ETag: '"e"', 'Cache-Control': 'max-age=10' }
    remote.answer('/a', { headers }, { status: 304, headers })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await clock.pass(10)
    const validated = await larder.warm('/a')
    expect(validated.header('cache-status')).toBe('larder; fwd=stale; fwd-status=304')
    expect(validated.header('age')).toBeUndefined()
    await clock.pass(3)
    expect((await larder.get('/a')).header('age')).toBe('3')
    expect(remote.count('/a')).toBe(2)
  })

  it('an answer that came without a Date is dated when it came (RFC 9110 §6.6.1)', async () => {
    const clock = stopClock()
    await clock.pass(3600)
    const came = new Date().toUTCString()
    remote.answer('/a', { headers: { Date: [] } })
    const larder = await inFront(remote.url)
    expect((await larder.warm('/a')).header('date')).toBe(came)
    await clock.pass(60)
    const { header } = await larder.get('/a')
    expect([header('date'), header('age')]).toEqual([came, '60'])
  })

  it('Content-Length is told once the length is known, whatever the remote’s framing was', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(50_000))
    origin.plan('/a', { framing: 'chunked' })
    const cold = await larder.warm('/a')
    expect([cold.header('content-length'), cold.header('transfer-encoding')]).toEqual([undefined, 'chunked'])
    const warm = await larder.get('/a')
    expect([warm.header('content-length'), warm.header('transfer-encoding')]).toEqual(['50000', undefined])
    expect(warm.body.equals(body)).toBe(true)
    expect((await larder.head('/a')).header('content-length')).toBe('50000')
    expect(origin.count('/a')).toBe(1)
  })

  it.each([
    ['a harmless one', 'build-42.a:b', 'build-42.a:b'],
    ['one that could forge', 'a"b', undefined],
    ['a long one', 'x'.repeat(65), undefined],
  ])('X-Request-Id: %s of the client', async (_, given, taken) => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url)
    const id = (await larder.get('/a', { 'x-request-id': given })).header('x-request-id')
    if (taken) expect(id).toBe(taken)
    else expect(id).not.toBe(given)
    expect(id).toMatch(/^[\w.:-]{1,64}$/)
  })
})
