import { describe, expect, it, onTestFinished } from 'vitest'
import { inFront } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { noise } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

async function elsewhere() {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  return origin
}

describe('C8: redirects are followed here', () => {
  it('GET and HEAD, to another origin: the client sees none, and the target is cached under the first key', async () => {
    const { origin, larder } = await behindSocket({ forwardRequestHeaders: ['authorization', 'x-custom', 'accept'] })
    const other = await elsewhere()
    const body = other.put('/b', noise(50_000))
    origin.plan('/a', { redirectTo: `${other.url}/b` })
    const headers = { authorization: 'secret', 'x-custom': '1', accept: 'a/b' }
    const head = await larder.head('/a', headers)
    expect([head.status, head.header('content-length'), head.header('location')]).toEqual([200, '50000', undefined])
    const cold = await larder.warm('/a')
    expect([cold.status, cold.header('location'), cold.body.equals(body)]).toEqual([200, undefined, true])
    expect((await larder.get('/a')).header('cache-status')).toMatch(/^larder; hit/)
    expect([origin.count('/a'), other.count('/b')]).toEqual([2, 2])
    const [sent] = other.requestsFor('/b', 'HEAD')
    expect(['authorization', 'x-custom', 'accept'].map((name) => sent?.headers[name])).toEqual([
      undefined,
      undefined,
      'a/b',
    ])
    expect(origin.requests[0]?.headers.authorization).toBe('secret')
  })

  it('a resumption starts from the original URL: signed targets expire', async () => {
    const { origin, larder } = await behindSocket()
    const other = await elsewhere()
    const body = other.put('/b', noise(500_000))
    origin.plan('/a', { redirectTo: `${other.url}/b` })
    other.plan('/b', { cut: 100_000 }, 1)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect([origin.count('/a'), other.count('/b')]).toEqual([2, 2])
    expect(other.requests[1]?.headers.range).toBe('bytes=100000-')
  })

  it.each([
    ['without a Location', {}, 'UPSTREAM_INVALID'],
    ['to what is no http', { Location: 'ftp://remote.test/a' }, 'UPSTREAM_INVALID'],
    ['in a circle', { Location: '/a' }, 'REDIRECT_LIMIT'],
    ['from a public host to loopback', { Location: 'http://127.0.0.1:1/' }, 'REDIRECT_REFUSED'],
    ['from a public host to metadata', { Location: 'http://169.254.169.254/latest' }, 'REDIRECT_REFUSED'],
    ['from a public host to a private address', { Location: 'http://[::ffff:10.0.0.1]/' }, 'REDIRECT_REFUSED'],
  ])('U5: %s: 502, empty, not cached', async (_, headers, code) => {
    remote.answer('/a', { status: 302, headers, body: '<a>moved</a>' })
    const larder = await inFront(remote.url, { maxRedirects: 3 })
    for (let i = 1; i <= 2; i += 1) {
      const { status, header, body } = await larder.get('/a')
      expect([status, header('x-larder-error'), body.length, header('location')]).toEqual([502, code, 0, undefined])
      expect(remote.count('/a')).toBe(i * (code === 'REDIRECT_LIMIT' ? 4 : 1))
    }
  })

  it('profile rfc9111 follows too', async () => {
    remote.answer('/a', { status: 302, headers: { Location: '/b', 'Cache-Control': 'max-age=60' } })
    remote.answer('/b', { headers: { 'Cache-Control': 'max-age=60' } })
    const larder = await inFront(remote.url, { profile: 'rfc9111' })
    expect((await larder.warm('/a')).status).toBe(200)
    await larder.get('/a')
    expect(remote.requests.map(({ target }) => target)).toEqual(['/a', '/b'])
  })
})
