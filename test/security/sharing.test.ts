import { describe, expect, it } from 'vitest'
import { mswRemote } from '../proxy/remote.js'
import { type InProcess, inFront } from '../support/in-process.js'

const remote = mswRemote()

const profiles = ['artifact', 'rfc9111'] as const
const fresh = { 'Cache-Control': 'max-age=600', ETag: '"e"' }

/** Says whom it takes the request to come from. */
const personal = (field: string, headers: Readonly<Record<string, string>> = fresh) =>
  remote.answer('*', ({ headers: asked }) => ({ headers, body: `for ${asked.get(field) ?? 'nobody'}` }))

const bodies = async (larder: InProcess, requests: readonly Readonly<Record<string, string>>[]) => {
  const seen: string[] = []
  for (const headers of requests) seen.push((await larder.warm('/a', headers)).body.toString())
  return seen
}

describe.each(profiles)('U1: who a client is stays between him and the remote (%s)', (profile) => {
  it.each(['authorization', 'cookie'])('what came for one %s goes to no other, whenever they ask', async (field) => {
    personal(field)
    const larder = await inFront(remote.url, { profile, forwardRequestHeaders: [field] })
    const asking = [{ [field]: 'one' }, { [field]: 'two' }, {}, { [field]: 'one' }]
    const [one, two, nobody] = await bodies(larder, asking)
    expect([one, two, nobody]).toEqual(['for one', 'for two', 'for nobody'])
    const together = await Promise.all(['one', 'two', 'three'].map((name) => larder.get('/b', { [field]: name })))
    expect(together.map(({ body }) => body.toString())).toEqual(['for one', 'for two', 'for three'])
  })

  it.each(['authorization', 'cookie'])('nor does what HEAD told, or that there is nothing: %s', async (field) => {
    remote.answer('*', ({ headers }) =>
      headers.get(field) === 'one' ? { status: 200, headers: fresh, body: 'for one' } : { status: 403 },
    )
    const larder = await inFront(remote.url, { profile, forwardRequestHeaders: [field] })
    for (const method of ['HEAD', 'GET'] as const) {
      const statusFor = async (name: string) => (await larder.get('/a', { [field]: name }, { method })).status
      expect([await statusFor('two'), await statusFor('one'), await statusFor('two')]).toEqual([403, 200, 403])
    }
  })
})

describe('K1: what the remote lets all share is shared, whoever asked first', () => {
  it.each(['authorization', 'cookie'])('%s', async (field) => {
    remote.answer('*', { headers: { 'Cache-Control': 'public, max-age=600' } })
    const larder = await inFront(remote.url, { forwardRequestHeaders: [field] })
    await larder.warm('/a', { [field]: 'one' })
    expect((await larder.get('/a', { [field]: 'two' })).header('cache-status')).toMatch(/^larder; hit/)
    expect(remote.count('/a')).toBe(1)
  })
})

describe('U1: what is not in the key does not reach the remote', () => {
  const poison = {
    'X-Forwarded-Host': 'evil.test',
    'X-Forwarded-Scheme': 'nothttps',
    'X-Host': 'evil.test',
    'X-Original-URL': '/admin',
    'X-Rewrite-URL': '/admin',
    'X-HTTP-Method-Override': 'DELETE',
    Forwarded: 'host=evil.test',
    Origin: 'https://evil.test',
    Referer: 'https://evil.test',
    'Accept-Encoding': 'gzip',
    'Accept-Language': 'xx',
    'Max-Forwards': '0',
    Cookie: 'a=b',
    Authorization: 'Bearer x',
    Range: 'bytes=1-2',
    'If-None-Match': '"e"',
    'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT',
    'If-Range': '"e"',
    'Cache-Control': 'no-store',
    Pragma: 'no-cache',
    'User-Agent': 'evil',
    Connection: 'accept-encoding, via, close',
  }

  it('none of the fields known to poison caches', async () => {
    remote.answer('/a', { headers: fresh })
    const larder = await inFront(remote.url)
    await larder.warm('/a', poison)
    const asked = Object.fromEntries(remote.requests[0]?.headers ?? [])
    expect(Object.keys(asked).sort()).toEqual(['accept-encoding', 'connection', 'host', 'user-agent', 'via'])
    expect(asked).toMatchObject({ host: 'remote.test', 'accept-encoding': 'identity' })
    expect(JSON.stringify(asked)).not.toMatch(/evil|admin/)
  })

  it('of a plain shared cache all but the host, conditions, ranges and codings', async () => {
    remote.answer('/a', { headers: fresh })
    const larder = await inFront(remote.url, { profile: 'rfc9111' })
    await larder.warm('/a', { ...poison, 'Cache-Control': '' })
    const asked = remote.requests[0]?.headers
    for (const name of ['range', 'if-range', 'if-none-match', 'if-modified-since']) expect(asked?.get(name)).toBeNull()
    expect([asked?.get('host'), asked?.get('accept-encoding')]).toEqual(['remote.test', 'identity'])
  })

  it('a query that is ignored is not sent either', async () => {
    remote.answer('*', ({ target }) => ({ headers: fresh, body: target }))
    const larder = await inFront(remote.url, { query: 'ignore' })
    expect((await larder.warm('/a?evil')).body.toString()).toBe('/a')
    expect((await larder.get('/a?other')).body.toString()).toBe('/a')
    expect(remote.requests).toHaveLength(1)
  })

  it.each(['Accept', 'ACCEPT'])('Vary: %s: what was chosen by it is kept apart', async (name) => {
    remote.answer('*', ({ headers }) => ({ headers: { ...fresh, Vary: name }, body: headers.get('accept') ?? 'none' }))
    const larder = await inFront(remote.url)
    expect(await bodies(larder, [{ accept: 'a/b' }, { accept: 'c/d' }, { accept: 'a/b' }])).toEqual([
      'a/b',
      'c/d',
      'a/b',
    ])
    expect(remote.requests).toHaveLength(2)
  })

  it('forwardRequestHeaders: []: nothing of a client’s reaches the remote', async () => {
    remote.answer('/a', { headers: fresh })
    const larder = await inFront(remote.url, { forwardRequestHeaders: [] })
    await larder.warm('/a', { ...poison, Accept: 'evil/*' })
    expect(JSON.stringify([...(remote.requests[0]?.headers ?? [])])).not.toMatch(/evil|admin/)
  })
})

describe('U3, U4: a remote that lies about parts and versions', () => {
  it.each([
    ['a part where the whole was asked for', { status: 206, headers: { ...fresh, 'Content-Range': 'bytes 0-3/9' } }],
    ['a part, its place not told', { status: 206, headers: fresh }],
    ['a part of several pieces', { status: 206, headers: { 'Content-Type': 'multipart/byteranges; boundary=x' } }],
    ['unchanged, where nothing is known', { status: 304, headers: fresh }],
    ['out of range, where none was asked for', { status: 416, headers: { 'Content-Range': 'bytes */4' } }],
    ['no content', { status: 204, headers: fresh }],
  ])('%s: not stored, and no body goes out', async (_, lie) => {
    remote.answer('/a', lie, { headers: fresh, body: 'truth' })
    const larder = await inFront(remote.url)
    // A client's own range changes nothing: the remote is asked for the whole.
    const { status, body } = await larder.warm('/a', { range: 'bytes=0-3' })
    expect([status >= 400, body.length]).toEqual([true, 0])
    expect((await larder.warm('/a')).body.toString()).toBe('truth')
  })

  it('a 304 by another tag validates nothing; one that names other bytes changes none', async () => {
    const stale = { ...fresh, 'Cache-Control': 'max-age=0' }
    const lie = {
      ...stale,
      'Content-Length': '9',
      'Content-Encoding': 'gzip',
      'Content-Range': 'bytes 0-1/2',
      'Content-Location': '/b',
    }
    remote.answer(
      '/a',
      { headers: stale, body: 'first' },
      { status: 304, headers: { ...stale, ETag: '"f"' } },
      { headers: stale, body: 'second' },
      { status: 304, headers: lie },
    )
    const larder = await inFront(remote.url)
    expect(await bodies(larder, [{}, {}, {}])).toEqual(['first', 'second', 'second'])
    const { header } = await larder.warm('/a')
    expect(['content-encoding', 'content-range', 'content-length'].map(header)).toEqual([undefined, undefined, '6'])
  })

  it('a Content-Location or Location names no other key', async () => {
    remote.answer('/a', { headers: { ...fresh, 'Content-Location': '/b', Location: '/b' }, body: 'poison' })
    remote.answer('/b', { headers: fresh, body: 'b' })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    expect((await larder.warm('/b')).body.toString()).toBe('b')
  })
})
