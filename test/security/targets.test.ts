import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { raw } from '../support/in-process.js'

const request = (target: string, { method = 'GET', host = 'larder' } = {}) =>
  `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`

const statusOf = ({ text }: { text: string }) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])

describe('C10: forms of a target', () => {
  it.each([
    ['a password in the authority', 'http://me:hUsH@other.test/repository/raw/a'],
    ['a port nobody asked for', 'http://other.test:1/repository/raw/a'],
    ['https, spoken in plain', 'https://other.test/repository/raw/a'],
  ])('absolute, with %s: the artifact, and nobody else is asked', async (_, target) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    expect(statusOf(await raw(larder.url, request(target)))).toBe(200)
    expect(origin.requests.map(({ url, headers }) => [url, headers.host])).toEqual([['/a', origin.host]])
    expect(JSON.stringify([await larder.accessLog(1), larder.logs])).not.toContain('hUsH')
  })

  it.each([
    ['absolute, of another place', 'http://127.0.0.1:1/a', {}],
    ['absolute, without an authority', 'http:///repository/raw/a', {}],
    ['absolute, of another scheme', 'ftp://larder/repository/raw/a', {}],
    ['absolute, its path begun by a question mark', 'http://larder?/repository/raw/a', {}],
    ['absolute, its path begun by a fragment', 'http://larder#/repository/raw/a', {}],
    ['absolute, its path begun by a backslash', 'http://larder\\/repository/raw/a', {}],
    ['absolute, a bracket in its authority', 'http://[/repository/raw/a', {}],
    ['absolute, dot segments before the route', 'http://larder/x/../repository/raw/a', {}],
    ['an authority alone', 'larder:80', {}],
    ['an authority, two slashes before it', '//larder/repository/raw/a', {}],
    ['an asterisk', '*', {}],
    ['an asterisk, for OPTIONS', '*', { method: 'OPTIONS' }],
    ['no leading slash', 'repository/raw/a', {}],
    ['a query alone', '?/repository/raw/a', {}],
    ['the name in capitals', '/repository/RAW/a', {}],
    ['the route in capitals', '/REPOSITORY/raw/a', {}],
    ['an empty name', '/repository//raw/a', {}],
    ['an encoded slash behind the name', '/repository/raw%2fa', {}],
    ['a parameter of the name', '/repository/raw;x/a', {}],
    ['dots for a name', '/repository/../raw/a', {}],
    ['dots for a name, encoded', '/repository/.%2e/a', {}],
    ['the route written with escapes', '/%72epository/raw/a', {}],
    ['a byte beyond ASCII', '/repository/raw/\xe4', {}],
  ])('%s: refused, and nothing is asked', async (_, target, options) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    expect([400, 404]).toContain(statusOf(await raw(larder.url, request(target, options))))
    expect(origin.requests).toHaveLength(0)
  })

  it('nothing but a request for an artifact is one: no method tunnels, no target proxies', async () => {
    const { origin, larder } = await behindSocket()
    expect((await raw(larder.url, request(origin.host, { method: 'CONNECT' }))).text).toBe('')
    expect(statusOf(await raw(larder.url, request(`${origin.url}/a`)))).toBe(404)
    expect(statusOf(await raw(larder.url, request(`${origin.url}/repository/raw/a`, { method: 'TRACE' })))).toBe(405)
    expect(origin.requests).toHaveLength(0)
  })
})

describe('C10: a base path is not left, and each byte is the client’s', () => {
  it.each([
    ['/%252Fa', '/bucket/below/%252Fa'],
    ['/a%252e', '/bucket/below/a%252e'],
    ['//other.test/a', '/bucket/below//other.test/a'],
    ['/http://other.test/a', '/bucket/below/http://other.test/a'],
    ['/@other.test/a', '/bucket/below/@other.test/a'],
    ['/a//', '/bucket/below/a//'],
    ['/%ff%fe', '/bucket/below/%ff%fe'],
    ['/a?b=/../c', '/bucket/below/a?b=/../c'],
    ['', '/bucket/below/'],
    ['?b', '/bucket/below/?b'],
  ])('%s', async (target, expected) => {
    const { origin, larder } = await behindSocket()
    await larder.reconfigure(`${origin.url}/bucket/below`)
    expect(statusOf(await raw(larder.url, request(`/repository/raw${target}`)))).toBe(404)
    expect(origin.requests.map(({ url }) => url)).toEqual([expected])
  })

  it.each([
    '/../a',
    '/%2e%2e/a',
    '/%2E./a',
    '/.%2e%2fa',
    '/%252e%252e/a',
    '/%25252e%25252e%25252fa',
    '/..;/a',
    '/..;x=y/a',
    '/%2e%2e;/a',
    '/..%5ca',
    '/..\\a',
    '/%255c..%255ca',
    '/%c0%ae%c0%ae/a',
    '/%e0%80%ae%e0%80%ae/a',
    '/%f0%80%80%ae/a',
    '/a%00',
    '/a%2500',
    '/a%0d%0aHost:%20other',
    '/a%09b',
    '/a?%0d%0a',
  ])('%s: 400, and nothing is asked', async (target) => {
    const { origin, larder } = await behindSocket()
    await larder.reconfigure(`${origin.url}/bucket/below`)
    expect(statusOf(await raw(larder.url, request(`/repository/raw${target}`)))).toBe(400)
    expect(origin.requests).toHaveLength(0)
  })
})

describe('C10, O5: what Host says leads nowhere', () => {
  const odd = [
    'x/repository/raw/a?',
    'x/healthz?',
    'x/api/v1/openapi.json?',
    'x@y',
    'a b',
    '[::1',
    'x:99999',
    '%00',
    '\xff',
  ]
  it.each(odd)('%s: 400 on every route, and nothing is asked', async (host) => {
    const { origin, larder } = await behindSocket()
    for (const target of ['/repository/raw/a', '/api/v1/repositories', '/metrics', '/healthz']) {
      expect(statusOf(await raw(larder.url, request(target, { host })))).toBe(400)
    }
    expect(origin.requests).toHaveLength(0)
  })

  it.each(['', 'evil.test', '127.0.0.1:1', '169.254.169.254', '"'])(
    '"%s": the artifact of the very same key',
    async (host) => {
      const { origin, larder } = await behindSocket()
      origin.put('/a', 'body')
      await larder.warm('/a')
      expect(statusOf(await raw(larder.url, request('/repository/raw/a', { host })))).toBe(200)
      expect(statusOf(await raw(larder.url, request('/api/v1/repositories', { host })))).toBe(401)
      expect(origin.requests.map(({ headers }) => headers.host)).toEqual([origin.host])
    },
  )
})
