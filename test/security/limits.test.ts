import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { get, sha256Of } from '../support/http.js'
import { inFront, raw } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import { noise, selfSigned, temporaryDirectory, until } from '../support/stage.js'
import { openConnection } from './connection.js'

const line = 'GET /repository/raw/a HTTP/1.1\r\nHost: larder\r\n'
const last = `${line}Connection: close\r\n\r\n`

describe('a head', () => {
  it.each([
    ['a field', `${line}X: ${'x'.repeat(16 * 1024)}\r\n\r\n`, 431],
    ['many fields', `${line}${'X: y\r\n'.repeat(20_000)}\r\n`, 431],
    ['a name', `${line}${'x'.repeat(16 * 1024)}: y\r\n\r\n`, 431],
    ['a target', `GET /repository/raw/${'a'.repeat(16 * 1024)} HTTP/1.1\r\nHost: larder\r\n\r\n`, 431],
    ['a target, though the head is small enough', last.replace('/a', `/${'a'.repeat(8 * 1024)}`), 414],
    [
      'chunk extensions',
      `${line}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(17 * 1024)}\r\nhello\r\n0\r\n\r\n`,
      413,
    ],
  ])('that is too large is refused, and its connection closed: %s', async (_, bytes, status) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    const { text } = await raw(larder.url, bytes)
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(text).not.toContain('body')
  })

  it('loses no field to a number of them', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    await larder.warm('/a')
    const { text } = await raw(
      larder.url,
      `${line}${'a:\r\n'.repeat(2100)}Range: bytes=1-2\r\nConnection: close\r\n\r\n`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 206 .*\r\n\r\nod$/s)
  })
})

describe.skipIf(missing('openssl').length > 0)(title('a client that dawdles', 'openssl'), () => {
  it('is let go, and nobody else waits', async () => {
    const origin = await startOrigin()
    const { cert, key } = await selfSigned(await temporaryDirectory(), 'larder')
    const larder = await inFront(origin.url, {}, { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key, LARDER_TLS_PORT: '0' })
    origin.put('/a', 'body')
    const silent = await openConnection(larder.url)
    const dripping = await openConnection(larder.url)
    const shaking = await openConnection(larder.secureUrl)
    const body = await openConnection(larder.url)
    body.socket.write(`${line}Content-Length: 100000\r\n\r\n`)
    const drip = setInterval(() => {
      dripping.socket.write(dripping.socket.bytesWritten === 0 ? line : 'X: y\r\n')
      if (!body.socket.destroyed) body.socket.write('x')
    }, 500)
    // Answered at once, whatever else comes of it.
    await body.ask('', /body$/)
    let slowest = 0
    const isOver = Promise.all([silent.ended, dripping.ended, shaking.ended]).finally(() => clearInterval(drip))
    const watched = isOver.then(() => true)
    while (!(await Promise.race([watched, sleep(500, false)]))) {
      const started = performance.now()
      expect((await larder.get('/a')).status).toBe(200)
      slowest = Math.max(slowest, performance.now() - started)
    }
    expect((await isOver).slice(0, 2).map((text) => text.slice(0, 12))).toEqual(['HTTP/1.1 408', 'HTTP/1.1 408'])
    expect(slowest).toBeLessThan(5_000)
    await origin.stop()
  })
})

describe('requests sent before the answers to earlier ones came', () => {
  it('end the connection where there are too many, and are not kept', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    const gate = origin.hold('/held', -1)
    const connection = await openConnection(larder.url)
    connection.socket.write('GET /repository/raw/held HTTP/1.1\r\nHost: larder\r\n\r\n')
    await gate.reached
    connection.socket.write(`${line}\r\n`.repeat(2000))
    expect(await connection.ended).toBe('')
    expect(await larder.metric('larder_connections_refused_total', { reason: 'pipelining' })).toBe(1)
    gate.letGo()
    expect(origin.count('/a')).toBe(0)
    expect((await larder.get('/a')).status).toBe(200)
  })

  it('are answered where there are a hundred', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    const { text } = await raw(larder.url, `${line}\r\n`.repeat(99) + last)
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(100)
    expect(origin.count('/a')).toBe(1)
  })
})

describe('LARDER_MAX_CONNECTIONS', () => {
  it('those beyond are closed at once and counted; when one leaves, another is served', async () => {
    const origin = await startOrigin()
    origin.put('/a', 'body')
    const larder = await inFront(origin.url, {}, { LARDER_MAX_CONNECTIONS: '3' })
    const held = await Promise.all([1, 2].map(() => openConnection(larder.url)))
    for (const connection of held) await connection.ask(`${line}\r\n`, /body$/)
    await until(async () => (await larder.metric('larder_connections')) === 3, 'two are held, and the one that asks')
    const third = await openConnection(larder.url)
    expect(await third.ask(`${line}\r\n`, /body$/)).toMatch(/^HTTP\/1\.1 200 /)
    const beyond = await openConnection(larder.url)
    expect(await beyond.ended).toBe('')
    third.socket.destroy()
    await third.ended
    await until(
      () =>
        get(`${larder.url}/healthz`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      'there is a place',
    )
    expect(await larder.metric('larder_connections_refused_total', { reason: 'connections' })).toBeGreaterThanOrEqual(1)
    await origin.stop()
  })
})

describe('C6: a client that takes nothing', () => {
  it('keeps nobody from the same artifact', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/big', noise(32 * 1024 * 1024))
    const ask = line.replace('/a ', '/big ')
    const idlers = await Promise.all(Array.from({ length: 20 }, () => openConnection(larder.url)))
    for (const { socket } of idlers) {
      socket.pause()
      socket.write(`${ask}\r\n`)
    }
    const digests = await Promise.all(Array.from({ length: 20 }, () => sha256Of(larder.at('/big'))))
    expect(new Set(digests).size).toBe(1)
    expect(origin.count('/big')).toBe(1)
  })
})
