import { getEventListeners } from 'node:events'
import net from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { faultOf } from '../../src/upstream/faults.js'
import {
  bytes,
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
const short = { connect: 80, headers: 80, stall: 80 }

describe('U2: a remote that is not there', () => {
  it('refuses the connection', async () => {
    const server = net.createServer()
    const { url } = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    await expect(upstream().fetch(request(url))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
  })

  it('has no address', async () => {
    const { lookup } = names({})
    await expect(upstream({ lookup }).fetch(request('http://nowhere.test'))).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
    })
  })

  it.each([
    ['closes', (socket: net.Socket) => void socket.end()],
    ['resets', (socket: net.Socket) => void socket.resetAndDestroy()],
    ['closes within the head', (socket: net.Socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-')],
  ])('%s before it answers', async (_, answer) => {
    const server = await rawServer(answer)
    await expect(upstream().fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    expect(server.heads.length).toBe(1)
  })
})

describe('timeouts before the body', () => {
  const hurried = { policy: { ...policy, timeout: short } }

  it('a name that is never resolved', async () => {
    await expect(upstream({ lookup: () => {} }).fetch(request('http://slow.test', hurried))).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining('name look-up'),
    })
  })

  it('a TLS handshake that is never answered', async () => {
    const { port } = await listen(net.createServer())
    await expect(upstream().fetch(request(`https://127.0.0.1:${port}`, hurried))).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining('TLS handshake'),
    })
  })

  it.each([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nX:'],
    ['only 100', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('a response that does not come: %s', async (_, answer) => {
    const server = await rawServer(answer)
    await expect(upstream().fetch(request(server.url, hurried))).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
      message: expect.stringContaining('the response'),
    })
  })

  it('the connect timeout does not bound the wait for the response', async () => {
    const server = await rawServer((socket) => void setTimeout(() => socket.write(hello), 200))
    const patient = { policy: { ...policy, timeout: { ...short, headers: 5_000 } } }
    expect(await text(await upstream().fetch(request(server.url, patient)))).toBe('hello')
  })
})

describe('U6: TLS', () => {
  it('a remote of a configured authority is trusted', async () => {
    const identity = selfSigned('127.0.0.1')
    const server = await rawTlsServer(identity, hello)
    const driver = upstream({ ca: [identity.cert] })
    for (let i = 0; i < 2; i++) expect(await text(await driver.fetch(request(server.url)))).toBe('hello')
    expect(server.connections()).toBe(1)
  })

  it.each([
    ['self-signed', selfSigned('127.0.0.1'), false, 'self-signed'],
    ['for another host', selfSigned('other.test'), true, 'another host'],
    ['expired', selfSigned('127.0.0.1', -1), true, 'expired'],
  ])('a certificate that is %s', async (_, identity, trusted, said) => {
    const server = await rawTlsServer(identity, hello)
    const driver = trusted ? upstream({ ca: [identity.cert] }) : upstream()
    await expect(driver.fetch(request(server.url))).rejects.toMatchObject({
      code: 'UPSTREAM_TLS',
      message: expect.stringContaining(said),
    })
    expect(server.heads).toEqual([])
  })

  it('a remote that does not speak TLS', async () => {
    const server = net.createServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad\r\n\r\n'))
    const { port } = await listen(server)
    await expect(upstream().fetch(request(`https://127.0.0.1:${port}`))).rejects.toMatchObject({ code: 'UPSTREAM_TLS' })
  })
})

describe('errors are told apart by their code', () => {
  it.each([
    ['CERT_HAS_EXPIRED', 'UPSTREAM_TLS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'UPSTREAM_TLS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'UPSTREAM_TLS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UPSTREAM_TLS'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'UPSTREAM_TLS'],
    ['EPROTO', 'UPSTREAM_TLS'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'UPSTREAM_TLS'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'UPSTREAM_TLS'],
    ['HPE_INVALID_CONSTANT', 'UPSTREAM_INVALID'],
    ['HPE_HEADER_OVERFLOW', 'UPSTREAM_INVALID'],
    ['ETIMEDOUT', 'UPSTREAM_TIMEOUT'],
    ['ENOTFOUND', 'UPSTREAM_UNREACHABLE'],
    ['EAI_AGAIN', 'UPSTREAM_UNREACHABLE'],
    ['ECONNREFUSED', 'UPSTREAM_UNREACHABLE'],
    ['ECONNRESET', 'UPSTREAM_UNREACHABLE'],
    ['EHOSTUNREACH', 'UPSTREAM_UNREACHABLE'],
    ['ENETUNREACH', 'UPSTREAM_UNREACHABLE'],
    ['EMFILE', 'UPSTREAM_UNREACHABLE'],
  ])('%s is %s', (code, expected) => {
    // A message that suggests something else must not matter.
    const error = Object.assign(new Error('certificate ETIMEDOUT HPE_'), { code })
    expect(faultOf(error, 'h.test')).toMatchObject({ code: expected, message: expect.stringMatching(/^h\.test: /) })
  })
})

describe('O3: no secrets', () => {
  it('neither a fault nor what it names as its cause holds the request', async () => {
    const server = await rawServer(
      (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'),
      'no HTTP\r\n\r\n',
    )
    const sent = request(server.url, { headers: ['Authorization', 'Bearer secret'] })
    const driver = upstream()
    const cut = await bytes(await driver.fetch(sent)).catch((error) => error)
    const invalid = await driver.fetch(sent).catch((error) => error)
    expect([cut.code, invalid.code]).toEqual(['UPSTREAM_CUT', 'UPSTREAM_INVALID'])
    for (const fault of [cut, invalid]) expect(inspect(fault, { depth: 20, showHidden: true })).not.toContain('secret')
  })
})

describe('an abort', () => {
  const reason = new Error('no longer wanted')

  it('before anything is sent', async () => {
    const server = await rawServer(hello)
    const signal = AbortSignal.abort(reason)
    await expect(upstream().fetch(request(server.url, { signal }))).rejects.toBe(reason)
    expect(server.connections()).toBe(0)
  })

  it('while the response is awaited', async () => {
    const controller = new AbortController()
    const server = await rawServer(() => controller.abort(reason))
    await expect(upstream().fetch(request(server.url, { signal: controller.signal }))).rejects.toBe(reason)
  })

  it('within the body', async () => {
    const controller = new AbortController()
    const server = await rawServer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello')
    const response = await upstream().fetch(request(server.url, { signal: controller.signal }))
    const reading = (async () => {
      for await (const _ of response.body) controller.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
  })

  it.each(['200 OK\r\nContent-Length: 0', '204 No Content', '304 Not Modified'])(
    'leaves nothing listening on the signal where there is no body: %j',
    async (head) => {
      const { signal } = new AbortController()
      const server = await rawServer(`HTTP/1.1 ${head}\r\n\r\n`)
      await bytes(await upstream().fetch(request(server.url, { signal })))
      expect(getEventListeners(signal, 'abort')).toEqual([])
    },
  )

  it('leaves nothing listening on the signal after the body', async () => {
    const { signal } = new AbortController()
    const server = await rawServer(hello)
    const response = await upstream().fetch(request(server.url, { signal }))
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    expect(await text(response)).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('nothing fails unheard', () => {
  it('a reset after the body was let go, the reader gone, the request aborted', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown) => unheard.push(error)
    process.on('unhandledRejection', hear)
    process.on('uncaughtException', hear)
    onTestFinished(() => {
      process.off('unhandledRejection', hear)
      process.off('uncaughtException', hear)
    })
    const sockets: net.Socket[] = []
    const server = await rawServer((socket) => {
      sockets.push(socket)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhello')
    })
    const driver = upstream()
    const controller = new AbortController()
    const unread = await driver.fetch(request(server.url))
    const discarded = await driver.fetch(request(server.url))
    const left = await driver.fetch(request(server.url))
    const aborted = await driver.fetch(request(server.url, { signal: controller.signal }))
    discarded.discard()
    discarded.discard()
    for await (const _ of left.body) break
    controller.abort()
    for (const socket of sockets) socket.resetAndDestroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(unheard).toEqual([])
    await expect(bytes(unread)).rejects.toMatchObject({ code: 'UPSTREAM_CUT' })
    await expect(bytes(discarded)).rejects.toMatchObject({ code: 'UPSTREAM_CUT' })
    await expect(bytes(aborted)).rejects.toBe(controller.signal.reason)
  })
})
