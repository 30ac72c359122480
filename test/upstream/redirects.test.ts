import { describe, expect, it, vi } from 'vitest'
import { firstHop, followRedirects, nextHop } from '../../src/upstream/redirects.js'

const from = (url: string, headers: readonly string[] = []) => {
  const { origin, pathname, search } = new URL(url)
  return { origin: new URL(origin), path: pathname + search, headers, own: true }
}

describe('C10: the first hop is the remote and the target, as written', () => {
  it.each([
    ['no base path', 'http://h.test', '/a%2Fb', 'http://h.test/', '/a%2Fb'],
    ['a base path', 'https://h.test:8443/base%20x', '/a', 'https://h.test:8443/', '/base%20x/a'],
    ['what URL would rewrite', 'http://h.test', '/a/%2e%2e/^|{}"\'?q=\'"', 'http://h.test/', '/a/%2e%2e/^|{}"\'?q=\'"'],
    ['nothing', 'http://h.test', '', 'http://h.test/', '/'],
    ['only a query', 'http://h.test', '?a=b', 'http://h.test/', '/?a=b'],
  ])('%s', (_, remote, target, origin, path) => {
    const hop = firstHop(remote, target, ['A', 'b'])
    expect({ ...hop, origin: hop.origin.href }).toEqual({ origin, path, headers: ['A', 'b'], own: true })
  })
})

describe('C8: where a redirect leads', () => {
  it.each([
    ['an absolute URL', 'https://other.test:81/p?q=%2B', 'https://other.test:81/', '/p?q=%2B'],
    ['an absolute path', '/p%2Fq', 'http://h.test/', '/p%2Fq'],
    ['a relative path', 'c?d', 'http://h.test/', '/a/c?d'],
    ['a step up', '../c', 'http://h.test/', '/c'],
    ['only a query', '?z', 'http://h.test/', '/a/b?z'],
    ['another host, the same scheme', '//other.test/c', 'http://other.test/', '/c'],
    ['a fragment, which stays here', '/c#d', 'http://h.test/', '/c'],
    ['user and password, which are not taken', 'http://me:secret@h.test/c', 'http://h.test/', '/c'],
    ['bare UTF-8', Buffer.from('/ü').toString('latin1'), 'http://h.test/', '/%C3%BC'],
  ])('%s', (_, location, origin, path) => {
    const hop = nextHop(from('http://h.test/a/b?x'), ['Location', location])
    expect([hop.origin.href, hop.path]).toEqual([origin, path])
  })

  it.each([
    ['none', []],
    ['an empty one', ['Location', '']],
    ['two', ['Location', '/a', 'location', '/b']],
    ['no URL', ['Location', 'http://']],
    ['a file', ['Location', 'file:///etc/passwd']],
    ['ftp', ['Location', 'ftp://h.test/a']],
  ])('a bad Location is refused: %s', (_, headers) => {
    expect(() => nextHop(from('http://h.test/'), headers)).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    )
  })
})

describe('U5: what a redirect carries along', () => {
  const kept = [
    'Accept',
    'a',
    'Accept-Encoding',
    'identity',
    'User-Agent',
    'larder/1',
    'Via',
    '1.1 larder',
    'Range',
    'bytes=1-',
  ]
  const validators = ['If-Range', '"e"', 'If-Match', '"e"', 'If-None-Match', '"e"', 'If-Modified-Since', 'x']
  const secret = ['Authorization', 'Basic x', 'Cookie', 'a=b', 'X-Api-Key', 'k', 'Proxy-Authorization', 'p']
  const all = [...kept, ...secret, ...validators]

  it.each([
    ['the same origin', 'https://h.test/b', all],
    ['the same origin, its port written out', 'https://h.test:443/b', all],
    ['another host', 'https://other.test/b', [...kept, ...validators]],
    ['a host below it', 'https://a.h.test/b', [...kept, ...validators]],
    ['another port', 'https://h.test:444/b', [...kept, ...validators]],
    ['down to http', 'http://h.test/b', [...kept, ...validators]],
    ['down to http on the same port', 'http://h.test:443/b', [...kept, ...validators]],
  ])('to %s', (_, location, headers) => {
    const next = nextHop(from('https://h.test/a', all), ['Location', location])
    expect([next.headers, next.own]).toEqual([headers, headers === all])
  })

  it('credentials are not got back, neither there nor by returning', () => {
    const away = nextHop(from('https://h.test/a', all), ['Location', 'https://other.test/b'])
    for (const location of ['https://other.test/c', 'https://h.test/c']) {
      const next = nextHop(away, ['Location', location])
      expect([next.headers, next.own]).toEqual([[...kept, ...validators], false])
    }
  })
})

describe('C8: the chain', () => {
  const chain = (...statuses: number[]) => {
    const discarded: number[] = []
    const paths: string[] = []
    const send = async (hop: { path: string }) => {
      const status = statuses[paths.length] ?? 200
      paths.push(hop.path)
      return { status, headers: ['Location', `/${paths.length}`], discard: () => discarded.push(status) }
    }
    return { send, discarded, paths }
  }
  const start = from('http://h.test/0')

  it.each([301, 302, 303, 307, 308])('%i is followed and its body let go', async (status) => {
    const { send, discarded, paths } = chain(status)
    expect((await followRedirects(start, 5, send)).status).toBe(200)
    expect(paths).toEqual(['/0', '/1'])
    expect(discarded).toEqual([status])
  })

  it.each([200, 206, 300, 304, 305, 306, 404, 500])('%i is an answer', async (status) => {
    const { send, discarded, paths } = chain(status)
    expect((await followRedirects(start, 5, send)).status).toBe(status)
    expect(paths).toEqual(['/0'])
    expect(discarded).toEqual([])
  })

  it('as many redirects as allowed are followed', async () => {
    const { send, paths } = chain(302, 302)
    expect((await followRedirects(start, 2, send)).status).toBe(200)
    expect(paths).toEqual(['/0', '/1', '/2'])
  })

  it('one more is too many, and is not sent', async () => {
    const { send, paths, discarded } = chain(302, 302, 302)
    await expect(followRedirects(start, 2, send)).rejects.toMatchObject({ code: 'REDIRECT_LIMIT' })
    expect(paths).toEqual(['/0', '/1', '/2'])
    expect(discarded).toEqual([302, 302, 302])
  })

  it('with maxRedirects 0 none is followed', async () => {
    const { send, paths } = chain(302)
    await expect(followRedirects(start, 0, send)).rejects.toMatchObject({ code: 'REDIRECT_LIMIT' })
    expect(paths).toEqual(['/0'])
  })

  it('each request learns which answer led to it', async () => {
    const send = vi.fn(async (hop: { path: string }) => ({
      status: hop.path === '/0' ? 302 : 200,
      headers: ['Location', '/next'],
      discard: () => {},
    }))
    await followRedirects(start, 5, send)
    expect(send.mock.calls[0]).toEqual([start, undefined])
    expect(send.mock.calls[1]).toMatchObject([{ path: '/next' }, { hop: start, answer: { status: 302 } }])
  })
})
