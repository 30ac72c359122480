import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  forwardProxy,
  listen,
  names,
  policy,
  rawServer,
  rawTlsServer,
  request,
  selfSigned,
  text,
  upstream,
} from './servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('U6: through an egress proxy', () => {
  it('http goes in absolute form, C10: byte for byte, with the credentials of the proxy', async () => {
    const remote = await rawServer(hello)
    const proxy = await forwardProxy(remote)
    const egress = { httpProxy: proxy.url.replace('//', '//me:p%40ss@'), noProxy: [] }
    const target = '/a%2Fb/../"{}?q=\''
    expect(await text(await upstream({ egress }).fetch(request('http://remote.test:81/base', { target })))).toBe(
      'hello',
    )
    expect(proxy.seen).toEqual([
      {
        line: `GET http://remote.test:81/base${target}`,
        authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
      },
    ])
  })

  it("the Host is the remote's, and the proxy's credentials are added to the headers given", async () => {
    const proxy = await rawServer(hello)
    const egress = { httpProxy: proxy.url.replace('//', '//me:pw@'), noProxy: [] }
    await text(await upstream({ egress }).fetch(request('http://remote.test', { headers: ['X-One', '1'] })))
    expect(proxy.heads[0]?.split('\r\n')).toEqual([
      'GET http://remote.test/ HTTP/1.1',
      'Host: remote.test',
      'X-One: 1',
      'Proxy-Authorization: Basic bWU6cHc=',
      'Connection: keep-alive',
    ])
  })

  it('https goes through a tunnel, which is kept', async () => {
    const identity = selfSigned('remote.test')
    const remote = await rawTlsServer(identity, hello)
    const proxy = await forwardProxy(remote)
    const driver = upstream({ egress: { httpsProxy: proxy.url, noProxy: [] }, ca: [identity.cert] })
    for (let i = 0; i < 2; i++) expect(await text(await driver.fetch(request('https://remote.test')))).toBe('hello')
    expect(proxy.seen).toEqual([{ line: 'CONNECT remote.test:443', authorization: undefined }])
    expect(remote.heads[0]).toBe('GET / HTTP/1.1\r\nHost: remote.test\r\nConnection: keep-alive')
  })

  it('the certificate is that of the remote, checked through the tunnel', async () => {
    const identity = selfSigned('other.test')
    const proxy = await forwardProxy(await rawTlsServer(identity, hello))
    const driver = upstream({ egress: { httpsProxy: proxy.url, noProxy: [] }, ca: [identity.cert] })
    await expect(driver.fetch(request('https://remote.test'))).rejects.toMatchObject({ code: 'UPSTREAM_TLS' })
  })

  it('what NO_PROXY names is reached directly', async () => {
    const remote = await rawServer(hello)
    const proxy = await forwardProxy(remote)
    const egress = { httpProxy: proxy.url, noProxy: ['127.0.0.0/8'] }
    expect(await text(await upstream({ egress }).fetch(request(remote.url)))).toBe('hello')
    expect(proxy.seen).toEqual([])
  })

  it.each([
    ['403: its rules', 403, 'UPSTREAM_UNREACHABLE', 'refuses the tunnel: 403'],
    ['401: the same, as tinyproxy has it', 401, 'UPSTREAM_UNAUTHORIZED', 'does not accept the credentials'],
    ['407: our credentials', 407, 'UPSTREAM_UNAUTHORIZED', 'does not accept the credentials'],
  ])('a proxy that refuses the tunnel is named: %s', async (_, status, code, said) => {
    const proxy = await forwardProxy(await rawServer(hello), { connectStatus: status })
    const egress = { httpsProxy: proxy.url.replace('//', '//me:secret@'), noProxy: [] }
    const fault = await upstream({ egress })
      .fetch(request('https://remote.test'))
      .catch((error) => error)
    expect(fault).toMatchObject({ code, message: expect.stringContaining(`127.0.0.1:${proxy.port} ${said}`) })
    expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain('secret')
  })

  it("a plain request's 407 is the proxy's, which is named", async () => {
    const proxy = await rawServer('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n')
    const egress = { httpProxy: proxy.url, noProxy: [] }
    await expect(upstream({ egress }).fetch(request('http://remote.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_UNAUTHORIZED',
      message: expect.stringContaining(`egress proxy 127.0.0.1:${proxy.port}`),
    })
  })

  it.each(['http', 'https'])('a proxy that is not there is named: %s', async (scheme) => {
    const server = createServer()
    const { url, port } = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    const egress = { httpProxy: url, httpsProxy: url, noProxy: [] }
    await expect(upstream({ egress }).fetch(request(`${scheme}://remote.test`))).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: expect.stringContaining(`egress proxy 127.0.0.1:${port}`),
    })
  })

  it.each(['http', 'https'])('a proxy that is itself spoken to by TLS, on the way to %s', async (scheme) => {
    const identity = selfSigned('127.0.0.1')
    const remoteIdentity = selfSigned('remote.test')
    const remote = scheme === 'http' ? await rawServer(hello) : await rawTlsServer(remoteIdentity, hello)
    const { url, seen } = await forwardProxy(remote, { identity })
    const proxy = url.replace('http:', 'https:').replace('//', '//me:pw@')
    const egress = { httpProxy: proxy, httpsProxy: proxy, noProxy: [] }
    const driver = upstream({ egress, ca: [identity.cert, remoteIdentity.cert] })
    expect(await text(await driver.fetch(request(`${scheme}://remote.test`)))).toBe('hello')
    expect(seen).toMatchObject([{ authorization: 'Basic bWU6cHc=' }])
  })

  it('the certificate of such a proxy is checked, and its fault named as its own', async () => {
    const { url } = await forwardProxy(await rawServer(hello), { identity: selfSigned('127.0.0.1') })
    const egress = { httpsProxy: url.replace('http:', 'https:'), noProxy: [] }
    await expect(upstream({ egress }).fetch(request('https://remote.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_TLS',
      message: expect.stringMatching(/^the egress proxy 127\.0\.0\.1:\d+: its certificate is self-signed/),
    })
  })

  it.each([
    ['the tunnel', createServer(), 'the connection'],
    [
      'the handshake in it',
      createServer((socket) => void socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))),
      'the TLS handshake',
    ],
  ])('a proxy that hangs in %s times out', async (_, server, awaited) => {
    const egress = { httpsProxy: (await listen(server)).url, noProxy: [] }
    const hurried = { policy: { ...policy, timeout: { connect: 100, headers: 5_000, stall: 5_000 } } }
    await expect(upstream({ egress }).fetch(request('https://remote.test', hurried))).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining(awaited),
    })
  })

  it.each(['http://127.0.0.1/', 'http://localhost/', 'http://a.internal/', 'http://169.254.169.254/'])(
    'U5: a redirect to %s is refused, although the proxy would resolve it',
    async (location) => {
      const proxy = await rawServer(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
      const egress = { httpProxy: proxy.url, noProxy: [] }
      await expect(upstream({ egress }).fetch(request('http://public.test'))).rejects.toMatchObject({
        code: 'REDIRECT_REFUSED',
      })
      expect(proxy.heads.length).toBe(1)
    },
  )

  it("U5: a redirect to a public name is followed: the proxy's own private address does not count", async () => {
    const redirect =
      'HTTP/1.1 302 Found\r\nLocation: http://cdn.test/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'
    const proxy = await rawServer((socket) => void socket.end(redirect), hello)
    const { lookup, asked } = names({ 'proxy.test': ['127.0.0.1'] })
    const egress = { httpProxy: `http://proxy.test:${proxy.port}`, noProxy: [] }
    const driver = upstream({ egress, lookup })
    for (let i = 0; i < 2; i++) expect(await text(await driver.fetch(request('http://public.test')))).toBe('hello')
    expect(proxy.heads[1]).toMatch(/^GET http:\/\/cdn\.test\/ /)
    expect(asked).toEqual(['proxy.test', 'proxy.test'])
  })
})
