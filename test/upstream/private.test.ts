import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { RemoteAccess } from '../../src/caching/repository.js'
import { forwardProxy, rawServer, rawTlsServer, request, selfSigned, text, upstream } from './servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const redirectTo = (location: string) => `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 4\r\n\r\nmove`
const bearer: Partial<RemoteAccess> = { auth: { scheme: 'bearer', token: 't' }, headers: ['X-Api-Key', 'k'] }
const sigv4: Partial<RemoteAccess> = {
  auth: {
    ...{ scheme: 'sigv4', accessKeyId: 'a', secretAccessKey: 's', sessionToken: 'st' },
    ...{ region: 'r', service: 's3' },
  },
}
const line = (head: string | undefined, name: string) =>
  head?.split('\r\n').find((each) => each.toLowerCase().startsWith(`${name}:`))

describe('U6: credentials', () => {
  it.each(['GET', 'HEAD'] as const)('go with each %s, along with what the request brings', async (method) => {
    const server = await rawServer('HTTP/1.1 204 No Content\r\n\r\n')
    const headers = ['Authorization', 'Bearer theirs', 'Range', 'bytes=1-']
    await upstream().fetch(request(server.url, { access: bearer, headers, method }))
    expect(server.heads[0]?.split('\r\n').slice(2)).toEqual([
      'Range: bytes=1-',
      'X-Api-Key: k',
      'Authorization: Bearer t',
      'Connection: keep-alive',
    ])
  })

  it('stay out of the request as the proxy sees it, so out of Vary and of records', async () => {
    const server = await rawServer(hello)
    const sent = request(server.url, { access: bearer, headers: ['Accept', '*/*'] })
    await text(await upstream().fetch(sent))
    expect(sent.headers).toEqual(['Accept', '*/*'])
  })

  it('U5: go along with a redirect within the origin, signed anew for the new path', async () => {
    const server = await rawServer(redirectTo('/b'), hello)
    await text(await upstream().fetch(request(server.url, { access: sigv4 })))
    const [first, second] = server.heads.map((head) => line(head, 'authorization'))
    expect(first).toMatch(/^authorization: AWS4-HMAC-SHA256 Credential=a\//)
    expect(second).toMatch(/^authorization: AWS4-HMAC-SHA256 Credential=a\//)
    expect(second).not.toBe(first)
    expect(server.connections()).toBeLessThanOrEqual(2)
  })

  it.each([
    ['bearer and a header', bearer],
    ['a signature', sigv4],
  ])('U5: never to another origin, nor to the own one by way of it: %s', async (_, access) => {
    const own = await rawServer((socket) => socket.write(redirectTo(other.url)), hello)
    const other: Awaited<ReturnType<typeof rawServer>> = await rawServer(redirectTo('/on'), (socket) =>
      socket.write(redirectTo(own.url)),
    )
    await text(await upstream().fetch(request(own.url, { access, headers: ['User-Agent', 'larder/1'] })))
    expect(line(own.heads[0], 'authorization')).toBeDefined()
    for (const head of [...other.heads, own.heads[1]]) {
      expect(head?.split('\r\n').slice(2)).toEqual(['User-Agent: larder/1', 'Connection: keep-alive'])
    }
  })
})

describe('U6: TLS of a repository', () => {
  const identity = selfSigned('127.0.0.1')
  const ours = selfSigned('larder.test')
  const clientCertificate = ours
  /** Answers with the name on the certificate shown. */
  const asking = (required: boolean) =>
    rawTlsServer({ ...identity, requestCert: true, rejectUnauthorized: required, ca: [ours.cert] }, (socket) => {
      const name = 'getPeerCertificate' in socket ? shown(socket as never) : 'no TLS'
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`)
    })
  const shown = (socket: { getPeerCertificate(): { subject?: { CN?: string } } }) =>
    socket.getPeerCertificate().subject?.CN ?? 'nobody'

  it('its authorities are trusted for it alone', async () => {
    const server = await rawTlsServer(identity, hello)
    const driver = upstream()
    expect(await text(await driver.fetch(request(server.url, { access: { ca: identity.cert } })))).toBe('hello')
    await expect(driver.fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_TLS' })
  })

  it("they come beside the process's", async () => {
    const server = await rawTlsServer(identity, hello)
    const driver = upstream({ ca: [identity.cert] })
    expect(await text(await driver.fetch(request(server.url, { access: { ca: ours.cert } })))).toBe('hello')
  })

  it('its client certificate is shown to its remote, on connections of its own', async () => {
    const server = await asking(false)
    const driver = upstream({ ca: [identity.cert] })
    const certain = request(server.url, { access: { clientCertificate } })
    for (let i = 0; i < 2; i++) {
      expect(await text(await driver.fetch(certain))).toBe('larder.test')
      expect(await text(await driver.fetch(request(server.url)))).toBe('nobody')
    }
    expect(server.connections()).toBe(2)
  })

  it('U5: it is not shown where a redirect leads', async () => {
    const elsewhere = await asking(false)
    const server = await rawTlsServer(identity, redirectTo(elsewhere.url))
    const driver = upstream({ ca: [identity.cert] })
    expect(await text(await driver.fetch(request(server.url, { access: { clientCertificate } })))).toBe('nobody')
  })

  it('a remote that will not have us without one says so', async () => {
    const server = await asking(true)
    await expect(upstream({ ca: [identity.cert] }).fetch(request(server.url))).rejects.toMatchObject({
      code: 'UPSTREAM_TLS',
      message: expect.stringContaining('asks for a client certificate'),
    })
  })

  it.each([
    ['a certificate', { clientCertificate: { cert: 'secret', key: ours.key } }],
    ['a key that is not its own', { clientCertificate: { cert: ours.cert, key: identity.key } }],
  ])('what is unusable says so, and is not quoted: %s', async (_, access) => {
    const fault = await upstream()
      .fetch(request('https://remote.test', { access }))
      .catch((error) => error)
    expect(fault).toMatchObject({ code: 'UPSTREAM_TLS', message: expect.stringContaining('unusable') })
    expect(inspect(fault, { depth: 20, showHidden: true })).not.toMatch(/secret|PRIVATE KEY/)
  })
})

describe('U6: the egress proxy of a repository', () => {
  it('is its own, whatever the process has and NO_PROXY says', async () => {
    const remote = await rawServer(hello)
    const own = await forwardProxy(remote)
    const common = await forwardProxy(remote)
    const driver = upstream({ egress: { httpProxy: common.url, noProxy: ['127.0.0.1'] } })
    const access = { proxy: own.url.replace('//', '//me:pw@') }
    expect(await text(await driver.fetch(request(remote.url, { access })))).toBe('hello')
    expect([own.seen.map(({ authorization }) => authorization), common.seen]).toEqual([['Basic bWU6cHc='], []])
  })

  it('or none: direct', async () => {
    const remote = await rawServer(hello)
    const common = await forwardProxy(remote)
    const driver = upstream({ egress: { httpProxy: common.url, noProxy: [] } })
    expect(await text(await driver.fetch(request(remote.url, { access: { proxy: 'direct' } })))).toBe('hello')
    expect(common.seen).toEqual([])
  })

  it('is the way to where its remote redirects, too', async () => {
    const remote = await rawServer(redirectTo('http://cdn.test/b'), hello)
    const own = await forwardProxy(remote)
    const access = { proxy: own.url }
    expect(await text(await upstream().fetch(request('http://remote.test', { access })))).toBe('hello')
    expect(own.seen.map(({ line }) => line)).toEqual(['GET http://remote.test/', 'GET http://cdn.test/b'])
  })

  it.each(['no url', 'socks5://me:secret@h.test'])('what is none is a fault of ours: %s', async (proxy) => {
    const fault = await upstream()
      .fetch(request('http://remote.test', { access: { proxy } }))
      .catch((error) => error)
    expect(fault).toMatchObject({ code: 'INTERNAL' })
    expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain('secret')
  })

  it('a % in its password that encodes nothing is one', async () => {
    const own = await rawServer(hello)
    const access = { proxy: own.url.replace('//', '//me:50%zz@') }
    await text(await upstream().fetch(request('http://remote.test', { access })))
    expect(line(own.heads[0], 'proxy-authorization')).toBe(
      `Proxy-Authorization: Basic ${Buffer.from('me:50%zz').toString('base64')}`,
    )
  })
})

describe('a fault of our own is not laid at the remote', () => {
  it.each([
    ['a header value no request can have', { headers: ['X-Key', 'secret\u20ac'] }],
    ['a header name no request can have', { headers: ['X Key', 'secret'] }],
  ])('%s', async (_, access) => {
    const server = await rawServer(hello)
    const fault = await upstream()
      .fetch(request(server.url, { access }))
      .catch((error) => error)
    expect(fault).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('could not be made') })
    expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain('secret')
    expect(server.connections()).toBe(0)
  })

  it('a path no request can have', async () => {
    const server = await rawServer(hello)
    const sent = request(server.url, { target: '/a b\n' })
    await expect(upstream().fetch(sent)).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})
