import type net from 'node:net'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytes, rawServer, request, text, upstream } from './servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('what goes out', () => {
  it.each([
    ['/a%2Fb/%7e+%2B%20', '/a%2Fb/%7e+%2B%20'],
    ['/a/%2e%2e/./../b//c', '/a/%2e%2e/./../b//c'],
    ['/"<>[]\\^`{|}~\'', '/"<>[]\\^`{|}~\''],
    ['/p?q=\'"<>`%zz&r=#', '/p?q=\'"<>`%zz&r=#'],
    ['/\xe4\xff', '/\xe4\xff'],
  ])('C10: the target %s goes out byte for byte', async (target, sent) => {
    const server = await rawServer(hello)
    await text(await upstream().fetch(request(`${server.url}/base%2F`, { target })))
    expect(server.heads[0]?.split('\r\n')[0]).toBe(`GET /base%2F${sent} HTTP/1.1`)
  })

  it('U1: the headers given, spelled and ordered as given, and none but Host and Connection beside them', async () => {
    const server = await rawServer(hello)
    const headers = [
      'accept-ENCODING',
      'identity',
      'X-Two',
      '1',
      'x-two',
      '2',
      'User-Agent',
      'larder/1',
      'Via',
      '1.1 larder',
    ]
    await text(await upstream().fetch(request(server.url, { headers })))
    expect(server.heads[0]?.split('\r\n').slice(1)).toEqual([
      `Host: 127.0.0.1:${server.port}`,
      'accept-ENCODING: identity',
      'X-Two: 1',
      'x-two: 2',
      'User-Agent: larder/1',
      'Via: 1.1 larder',
      'Connection: keep-alive',
    ])
  })

  it('U1: nothing given, nothing added', async () => {
    const server = await rawServer(hello)
    await text(await upstream().fetch(request(server.url)))
    expect(server.heads[0]?.split('\r\n').slice(1)).toEqual([
      `Host: 127.0.0.1:${server.port}`,
      'Connection: keep-alive',
    ])
  })

  it("U1: the client's Host never reaches the remote", async () => {
    const server = await rawServer(hello)
    await text(await upstream().fetch(request(server.url, { headers: ['hOST', 'evil.test'] })))
    expect(server.heads[0]).not.toContain('evil.test')
  })

  it('HEAD is asked as HEAD, and its answer has no body whatever its Content-Length says', async () => {
    const server = await rawServer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', hello)
    const driver = upstream()
    const response = await driver.fetch(request(server.url, { method: 'HEAD' }))
    expect(response.framing).toBe('none')
    expect(await text(response)).toBe('')
    expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect(server.heads.map((head) => head.split(' ')[0])).toEqual(['HEAD', 'GET'])
    expect(server.connections()).toBe(1)
  })
})

describe('connections', () => {
  it('are kept for the next request', async () => {
    const server = await rawServer(hello)
    const driver = upstream()
    for (let i = 0; i < 3; i++) expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect([server.heads.length, server.connections()]).toEqual([3, 1])
  })

  it.each([
    ['HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ] as const)('are kept after %s, whether or not anyone reads or discards', async (_, method, answer) => {
    const server = await rawServer(answer)
    const driver = upstream()
    for (let i = 0; i < 4; i++) {
      const response = await driver.fetch(request(server.url, { method }))
      if (i === 1) response.discard()
      if (i === 2) expect(await text(response)).toBe('')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect([server.heads.length, server.connections()]).toEqual([4, 1])
  })

  it.each(['discard', 'leave the loop'])('are kept when hardly anything is left: %s', async (how) => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel')
      setTimeout(() => socket.write('lo'), 20)
    }, hello)
    const driver = upstream()
    const first = await driver.fetch(request(server.url))
    if (how === 'discard') first.discard()
    else for await (const _ of first.body) break
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect(server.connections()).toBe(1)
  })

  it.each([
    ['much is left: discard', 'discard', 1_000_000_000],
    ['much is left: leave the loop', 'leave', 1_000_000_000],
    ['one byte more is left than worth reading', 'discard', 64 * 1024 + 1],
  ])('are closed at once when %s', async (_, how, length) => {
    let closed = (_after: number) => {}
    const gone = new Promise<number>((resolve) => {
      closed = resolve
    })
    const server = await rawServer((socket) => {
      socket.on('close', () => closed(performance.now()))
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\nhello`)
    })
    const response = await upstream().fetch(request(server.url))
    const started = performance.now()
    if (how === 'discard') response.discard()
    else for await (const _ of response.body) break
    expect((await gone) - started).toBeLessThan(500)
  })

  it('are closed in the end when the little that is left does not come', async () => {
    let closed = () => {}
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    const server = await rawServer((socket) => {
      socket.on('close', closed)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello')
    })
    const response = await upstream().fetch(request(server.url))
    response.discard()
    await gone
  })

  it('closed by the remote while idle are not taken for a failure of the next request', async () => {
    const server = await rawServer((socket) => socket.end(hello), hello)
    const driver = upstream()
    expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect(server.connections()).toBe(2)
  })
})

describe('what comes back', () => {
  it('C2: the headers as they came: spelling, order, repetition', async () => {
    const server = await rawServer(
      'HTTP/1.1 404 Not Found\r\nETag: "a"\r\nx-AMZ-id: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\ncontent-length: 0\r\n\r\n',
    )
    const response = await upstream().fetch(request(server.url))
    expect(response.status).toBe(404)
    expect(response.headers).toEqual([
      'ETag',
      '"a"',
      'x-AMZ-id',
      '1',
      'Set-Cookie',
      'a=b',
      'Set-Cookie',
      'c=d',
      'content-length',
      '0',
    ])
    expect(await text(response)).toBe('')
  })

  it('C2: a body with a Content-Encoding stays encoded', async () => {
    const coded = Buffer.from('1f8b080000000000000303000000000000000000', 'hex').toString('latin1')
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${coded.length}\r\n\r\n`
    const server = await rawServer(head + coded)
    expect(await text(await upstream().fetch(request(server.url)))).toBe(coded)
  })

  it('1xx answers are no answers', async () => {
    const server = await rawServer(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${hello}`,
    )
    const response = await upstream().fetch(request(server.url))
    expect([response.status, response.headers, await text(response)]).toEqual([200, ['Content-Length', '5'], 'hello'])
  })

  it('K1: says when the request was sent and when its head came', async () => {
    const server = await rawServer((socket) => void setTimeout(() => socket.write(hello), 50))
    const before = Date.now()
    const { requestTime, responseTime, body } = await upstream().fetch(request(server.url))
    expect(requestTime).toBeGreaterThanOrEqual(before)
    expect(responseTime - requestTime).toBeGreaterThanOrEqual(45)
    expect(responseTime).toBeLessThanOrEqual(Date.now())
    for await (const _ of body);
  })

  it('chunks may be kept by the reader', async () => {
    const parts = Array.from({ length: 200 }, (_, i) => String.fromCharCode(i % 256).repeat(10_000))
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n')
      for (const part of parts) socket.write(part, 'latin1')
    })
    expect((await text(await upstream().fetch(request(server.url)))) === parts.join('')).toBe(true)
  })

  it('works under msw, where the remote has no socket', async () => {
    const remote = setupServer(
      http.get('https://remote.test/a%2Fb', ({ request: seen }) =>
        HttpResponse.arrayBuffer(new Uint8Array([1, 2, 3]).buffer, {
          headers: { ETag: seen.headers.get('accept') ?? '' },
        }),
      ),
    )
    remote.listen({ onUnhandledRequest: 'error' })
    onTestFinished(() => remote.close())
    const response = await upstream().fetch(
      request('https://remote.test', { target: '/a%2Fb', headers: ['Accept', '*/*'] }),
    )
    expect(response.headers.join()).toContain('*/*')
    expect(await bytes(response)).toEqual(Buffer.from([1, 2, 3]))
  })
})

describe('a kept-alive connection that was closed meanwhile (RFC 9112 §9.3.1)', () => {
  const close = (socket: net.Socket) => void socket.destroy()

  it('is no fault of the remote: the request goes out once more, on a new one', async () => {
    const server = await rawServer(hello, close, hello)
    const driver = upstream()
    for (const _ of [1, 2]) expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect([server.heads.length, server.connections()]).toEqual([3, 2])
  })

  it('a new one that is closed is', async () => {
    const server = await rawServer(hello, close)
    const driver = upstream()
    await text(await driver.fetch(request(server.url)))
    await expect(driver.fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    expect([server.heads.length, server.connections()]).toEqual([3, 2])
  })

  it('keeps its place among `maxConnections`', async () => {
    const server = await rawServer(hello, close, hello, close, hello)
    const driver = upstream()
    const limited = { access: { maxConnections: 1 } }
    for (const _ of [1, 2, 3]) expect(await text(await driver.fetch(request(server.url, limited)))).toBe('hello')
    expect(server.heads.length).toBe(5)
  })
})
