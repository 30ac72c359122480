import { describe, expect, it } from 'vitest'
import { proxyChoice } from '../../src/upstream/egress.js'

const proxies = { httpProxy: 'http://plain.test:3128', httpsProxy: 'http://secure.test:3129' }

describe('U6: which egress proxy', () => {
  it.each([
    ['http', 'http://example.org/', 'http://plain.test:3128/'],
    ['https', 'https://example.org/', 'http://secure.test:3129/'],
  ])('%s has its own', (_, url, proxy) =>
    expect(proxyChoice({ ...proxies, noProxy: [] })(new URL(url))?.href).toBe(proxy),
  )

  it('none is configured', () => expect(proxyChoice({ noProxy: [] })(new URL('https://example.org/'))).toBeUndefined())

  it('one is configured for the other scheme only', () => {
    const choose = proxyChoice({ httpProxy: proxies.httpProxy, noProxy: [] })
    expect(choose(new URL('https://example.org/'))).toBeUndefined()
  })
})

describe('U6: NO_PROXY', () => {
  it.each([
    ['nothing', [], 'http://example.org/', false],
    ['everything', ['*'], 'http://example.org/', true],
    ['the exact host', ['example.org'], 'http://example.org/', true],
    ['another case', ['Example.ORG'], 'http://example.org/', true],
    ['surrounding blanks', [' example.org '], 'http://example.org/', true],
    ['an empty entry', [''], 'http://example.org/', false],
    ['a trailing dot of the URL', ['example.org'], 'http://example.org./', true],
    ['a suffix', ['example.org'], 'http://a.example.org/', true],
    ['a suffix with a dot', ['.example.org'], 'http://a.example.org/', true],
    ['a suffix with a dot, the host itself', ['.example.org'], 'http://example.org/', true],
    ['a suffix with a star', ['*.example.org'], 'http://a.example.org/', true],
    ['half a label', ['example.org'], 'http://notexample.org/', false],
    ['host and port', ['example.org:8080'], 'http://example.org:8080/', true],
    ['host and another port', ['example.org:8080'], 'http://example.org/', false],
    ['host and the default port', ['example.org:443'], 'https://example.org/', true],
    ['an address', ['10.0.0.1'], 'http://10.0.0.1/', true],
    ['an address is no suffix', ['0.0.1'], 'http://10.0.0.1/', false],
    ['an IPv6 address', ['::1'], 'http://[::1]/', true],
    ['an IPv6 address with port', ['[::1]:81'], 'http://[0::1]:81/', true],
    ['the end of a range', ['10.0.0.0/30'], 'http://10.0.0.3/', true],
    ['after a range', ['10.0.0.0/30'], 'http://10.0.0.4/', false],
    ['a range and a name', ['10.0.0.0/8'], 'http://example.org/', false],
    ['an IPv6 range', ['fd00::/8'], 'http://[fd01::1]/', true],
    ['the second of several', ['a.test', 'example.org'], 'http://example.org/', true],
  ])('%s', (_, noProxy, url, direct) => {
    expect(proxyChoice({ ...proxies, noProxy })(new URL(url)) === undefined).toBe(direct)
  })
})
