import { describe, expect, it } from 'vitest'
import { policy, rawServer, request, text, upstream } from './servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const redirectTo = (location: string) => `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 4\r\n\r\nmove`

describe('U6: maxConnections', () => {
  const limited = { access: { maxConnections: 1 } }

  it('never more at a time; who is beyond waits, and all get theirs', async () => {
    let inside = 0
    let most = 0
    const server = await rawServer((socket) => {
      most = Math.max(most, ++inside)
      setTimeout(() => {
        inside--
        socket.write(hello)
      }, 5)
    })
    const driver = upstream()
    const two = { access: { maxConnections: 2 } }
    const all = Array.from({ length: 20 }, async () => text(await driver.fetch(request(server.url, two))))
    expect(new Set(await Promise.all(all))).toEqual(new Set(['hello']))
    expect([most, server.heads.length, server.connections()]).toEqual([2, 20, 2])
  })

  it.each([
    ['a small body', redirectTo('/b')],
    ['an endless one', `HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(10_000)}`],
  ])('a redirect to the same host needs no second place: %s', async (_, redirect) => {
    const server = await rawServer(redirect, hello)
    expect(await text(await upstream().fetch(request(server.url, limited)))).toBe('hello')
  })

  it.each([
    [
      'read to its end',
      async (body: AsyncIterable<Uint8Array>) => {
        for await (const _ of body);
      },
    ],
    [
      'left',
      async (body: AsyncIterable<Uint8Array>) => {
        for await (const _ of body) break
      },
    ],
  ])('a place is given back when a body is %s', async (_, use) => {
    const server = await rawServer(hello)
    const driver = upstream()
    for (let i = 0; i < 3; i++) await use((await driver.fetch(request(server.url, limited))).body)
    expect(server.heads.length).toBe(3)
  })

  it('it is given back by what fails, is discarded, aborted or has no body', async () => {
    const cut = 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'
    const none = 'HTTP/1.1 204 No Content\r\n\r\n'
    const server = await rawServer(
      (socket) => socket.destroy(),
      (socket) => socket.end(cut),
      cut,
      cut,
      none,
      hello,
    )
    const driver = upstream()
    const fetch = (signal?: AbortSignal) => driver.fetch(request(server.url, { ...limited, ...(signal && { signal }) }))
    await expect(fetch()).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    await expect(fetch().then(text)).rejects.toMatchObject({ code: 'UPSTREAM_CUT' })
    ;(await fetch()).discard()
    const leaving = new AbortController()
    await fetch(leaving.signal)
    leaving.abort()
    await fetch()
    expect(await text(await fetch())).toBe('hello')
  })

  it('it is given back by what fails before anything is sent', async () => {
    const hurried = { ...policy, timeout: { ...policy.timeout, headers: 50 } }
    const keys = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 'no\ntoken', region: 'r', service: 's3' }
    const access = { maxConnections: 1, auth: { scheme: 'sigv4', ...keys } } as const
    const driver = upstream()
    for (let i = 0; i < 2; i++) {
      const sent = request('http://remote.test', { access, policy: hurried })
      await expect(driver.fetch(sent)).rejects.toMatchObject({ code: 'INTERNAL' })
    }
  })

  it('whose turn does not come in time hears that we are overloaded: the remote is not to blame', async () => {
    const server = await rawServer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', hello)
    const driver = upstream()
    const hurried = { ...limited, policy: { ...policy, timeout: { ...policy.timeout, headers: 50 } } }
    const first = await driver.fetch(request(server.url, hurried))
    await expect(driver.fetch(request(server.url, hurried))).rejects.toMatchObject({ code: 'UPSTREAM_OVERLOADED' })
    first.discard()
    expect(await text(await driver.fetch(request(server.url, limited)))).toBe('hello')
  })

  it('who leaves while waiting leaves at once, and the turn passes on', async () => {
    const reason = new Error('no longer wanted')
    const server = await rawServer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello', hello)
    const driver = upstream()
    const first = await driver.fetch(request(server.url, limited))
    const leaving = new AbortController()
    const second = driver.fetch(request(server.url, { ...limited, signal: leaving.signal }))
    const third = driver.fetch(request(server.url, limited))
    leaving.abort(reason)
    await expect(second).rejects.toBe(reason)
    first.discard()
    expect(await text(await third)).toBe('hello')
    expect(server.heads.length).toBe(2)
  })

  it('the wait does not count as time of the connection', async () => {
    const server = await rawServer((socket) => void setTimeout(() => socket.write(hello), 150))
    const driver = upstream()
    const sent = { ...limited, policy: { ...policy, timeout: { ...policy.timeout, connect: 100 } } }
    const both = [1, 2].map(async () => text(await driver.fetch(request(server.url, sent))))
    expect(await Promise.all(both)).toEqual(['hello', 'hello'])
  })

  it('other origins are not held up', async () => {
    const busy = await rawServer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')
    const free = await rawServer(hello)
    const driver = upstream()
    await driver.fetch(request(busy.url, limited))
    expect(await text(await driver.fetch(request(free.url, limited)))).toBe('hello')
  })
})
