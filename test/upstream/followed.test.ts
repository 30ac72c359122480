import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { forwardProxy, names, policy, rawServer, request, text, upstream } from './servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const redirectTo = (location: string, status = 302) =>
  `HTTP/1.1 ${status} Elsewhere\r\nLocation: ${location}\r\nContent-Length: 4\r\n\r\nmove`
const allowing = (...allow: string[]) => ({ policy: { ...policy, redirects: { allow } } })
const refusal = { code: 'REDIRECT_REFUSED' }

describe('C8: redirects over real connections', () => {
  it('a chain ends in the last answer', async () => {
    const server = await rawServer(redirectTo('/b?x=%2F', 301), redirectTo('c', 307), hello)
    const response = await upstream().fetch(request(server.url, { target: '/a' }))
    expect([response.status, response.headers, await text(response)]).toEqual([200, ['Content-Length', '5'], 'hello'])
    expect(server.heads.map((head) => head.split('\r\n')[0])).toEqual([
      'GET /a HTTP/1.1',
      'GET /b?x=%2F HTTP/1.1',
      'GET /c HTTP/1.1',
    ])
  })

  it("the connections of a chain are kept, its redirects' small bodies read to the end", async () => {
    const server = await rawServer(redirectTo('/b'), hello, redirectTo('/b'), hello)
    const driver = upstream()
    await text(await driver.fetch(request(server.url)))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await text(await driver.fetch(request(server.url)))
    expect([server.heads.length, server.connections()]).toEqual([4, 2])
  })

  it('U5: connections made to a configured remote serve no redirect from elsewhere', async () => {
    const server = await rawServer(hello)
    const other = await rawServer(redirectTo(server.url))
    const driver = upstream({ configuredRemotes: () => [server.url, other.url] })
    await text(await driver.fetch(request(server.url)))
    await text(await driver.fetch(request(other.url)))
    expect([server.heads.length, server.connections()]).toEqual([2, 2])
  })

  it('a loop ends at the limit', async () => {
    const server = await rawServer(redirectTo('/again'))
    await expect(upstream().fetch(request(server.url))).rejects.toMatchObject({ code: 'REDIRECT_LIMIT' })
    expect(server.heads.length).toBe(1 + policy.maxRedirects)
  })

  it('a HEAD stays a HEAD', async () => {
    const head = 'HTTP/1.1 303 See Other\r\nLocation: /b\r\nContent-Length: 4\r\n\r\n'
    const server = await rawServer(head, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    const response = await upstream().fetch(request(server.url, { method: 'HEAD' }))
    expect([response.status, response.framing]).toEqual([200, 'none'])
    expect(server.heads.map((each) => each.split(' ')[0])).toEqual(['HEAD', 'HEAD'])
  })

  it('K1: the times are those of the last request', async () => {
    const slow = await rawServer((socket) => void setTimeout(() => socket.write(redirectTo('/b')), 60), hello)
    const before = Date.now()
    const response = await upstream().fetch(request(slow.url))
    expect(response.requestTime - before).toBeGreaterThanOrEqual(55)
    await text(response)
  })

  it('an endless body of a redirect is not waited for', async () => {
    const endless = `HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(10_000)}`
    const server = await rawServer(endless, hello)
    expect(await text(await upstream().fetch(request(server.url)))).toBe('hello')
  })

  it('a redirect without a Location is invalid', async () => {
    const server = await rawServer('HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n')
    await expect(upstream().fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })

  it('U5: credentials and custom headers stay with the origin they were given for', async () => {
    const other = await rawServer(hello)
    const server = await rawServer(redirectTo('/same'), redirectTo(`${other.url}/other`))
    const headers = ['Authorization', 'Bearer t', 'Cookie', 'c=1', 'X-Api-Key', 'k', 'User-Agent', 'larder/1']
    await text(await upstream().fetch(request(server.url, { headers })))
    expect(server.heads[1]).toContain('Authorization: Bearer t\r\nCookie: c=1\r\nX-Api-Key: k\r\nUser-Agent: larder/1')
    expect(other.heads[0]?.split('\r\n').slice(1)).toEqual([
      `Host: 127.0.0.1:${other.port}`,
      'User-Agent: larder/1',
      'Connection: keep-alive',
    ])
  })
})

describe('U5: from a private host', () => {
  it('that resets its connection right behind the redirect: the address connected to still tells', async () => {
    const elsewhere = await rawServer(hello)
    const { lookup } = names({ 'a.test': ['127.0.0.1'], 'b.test': ['127.0.0.1'] })
    const site = await rawServer((socket) => {
      socket.write(redirectTo(`http://b.test:${elsewhere.port}/`))
      socket.resetAndDestroy()
    })
    const response = await upstream({ lookup }).fetch(request(`http://a.test:${site.port}`))
    expect(await text(response)).toBe('hello')
  })

  it.each(['http://169.254.169.254/', 'http://2852039166/', 'http://[fd00:ec2::254]/', 'http://[::ffff:a9fe:a9fe]/'])(
    'a redirect to the metadata address %s is refused unsent',
    async (location) => {
      const server = await rawServer(redirectTo(location))
      await expect(upstream().fetch(request(server.url))).rejects.toMatchObject(refusal)
    },
  )

  it('a name is judged by the address connected to, looked up once (DNS rebinding)', async () => {
    const { lookup, asked } = names({ 'rebind.test': ['169.254.169.254', '127.0.0.1'] })
    const server = await rawServer(redirectTo('http://rebind.test/'))
    await expect(upstream({ lookup }).fetch(request(server.url))).rejects.toMatchObject(refusal)
    expect(asked).toEqual(['rebind.test'])
  })

  it('a name that was harmless the first time is judged again at the next connection', async () => {
    const { lookup } = names({ 'rebind.test': ['127.0.0.1', '169.254.169.254'] })
    const target = await rawServer((socket) => void socket.end(hello))
    const server = await rawServer(redirectTo(`http://rebind.test:${target.port}/`))
    const driver = upstream({ lookup })
    expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await expect(driver.fetch(request(server.url))).rejects.toMatchObject(refusal)
    expect(target.heads.length).toBe(1)
  })
})

/** `public.test` is reached through a proxy, so that it counts as public; `target.test` directly, at 127.0.0.1. */
async function fromPublic(location: (port: number) => string) {
  const target = await rawServer(hello)
  const redirecting = await rawServer(redirectTo(location(target.port)))
  const proxy = await forwardProxy(redirecting)
  const { lookup, asked } = names({ 'target.test': ['127.0.0.1'] })
  const egress = { httpProxy: proxy.url, noProxy: ['target.test', '127.0.0.0/8', '10.0.0.0/8', 'localhost'] }
  return { target, asked, options: { lookup, egress }, remote: 'http://public.test' }
}

describe('U5: from a public host', () => {
  it.each([
    ['a loopback literal', (port: number) => `http://127.0.0.1:${port}/`],
    ['an odd spelling of it', (port: number) => `http://0x7f.1:${port}/`],
    ['localhost', (port: number) => `http://localhost:${port}/`],
    ['a private literal', (_port: number) => 'http://10.0.0.1/'],
    ['a name that resolves to loopback', (port: number) => `http://target.test:${port}/`],
  ])('a redirect to %s is refused', async (_, location) => {
    const { target, options, remote } = await fromPublic(location)
    await expect(upstream(options).fetch(request(remote))).rejects.toMatchObject(refusal)
    expect(target.connections()).toBe(0)
  })

  it.each([
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://0.0.0.0/',
    'http://[::]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fe80::1]/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://127.0.0.1./',
    'http://localhost./',
    'http://LOCALHOST/',
    'http://x.localhost/',
    'http://metadata.google.internal./',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[64:ff9b::a00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2002:a9fe:a9fe::1]/',
    'http://me@127.0.0.1/',
    '//127.0.0.1/',
  ])('a redirect to %s is refused, and no name is asked for', async (location) => {
    const { asked, options, remote } = await fromPublic(() => location)
    await expect(upstream(options).fetch(request(remote))).rejects.toMatchObject(refusal)
    expect(asked).toEqual([])
  })

  it.each([
    ['a configured remote', (port: number) => ({ configuredRemotes: () => [`http://target.test:${port}`] }), {}],
    ['a host of redirects.allow', (_port: number) => ({}), allowing('target.test')],
    ['a range of redirects.allow', (_port: number) => ({}), allowing('127.0.0.0/8')],
  ])('a redirect to a private host is followed: %s', async (_, more, permitting) => {
    const { target, options, remote } = await fromPublic((port) => `http://target.test:${port}/`)
    const driver = upstream({ ...options, ...more(target.port) })
    expect(await text(await driver.fetch(request(remote, permitting)))).toBe('hello')
  })

  it('a connection kept from an allowed redirect serves no other repository', async () => {
    const { target, asked, options, remote } = await fromPublic((port) => `http://target.test:${port}/`)
    const driver = upstream(options)
    const allowed = request(remote, allowing('target.test'))
    for (let i = 0; i < 2; i++) await text(await driver.fetch(allowed))
    expect([asked.length, target.connections()]).toEqual([1, 1])
    await expect(driver.fetch(request(remote))).rejects.toMatchObject(refusal)
    expect(target.heads.length).toBe(2)
  })

  it('under msw, without a socket, a host counts as public', async () => {
    const remote = setupServer(http.get('http://remote.test/', () => HttpResponse.redirect('http://10.0.0.1/', 302)))
    remote.listen({ onUnhandledRequest: 'error' })
    onTestFinished(() => remote.close())
    await expect(upstream().fetch(request('http://remote.test'))).rejects.toMatchObject(refusal)
  })
})
