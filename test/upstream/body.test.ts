import { IncomingMessage } from 'node:http'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { bodyOf, framingOf } from '../../src/upstream/body.js'
import { bytes, policy, rawServer, request, text, upstream } from './servers.js'

const end = (answer: string) => (socket: net.Socket) => void socket.end(answer, 'latin1')
const reset = (answer: string) => (socket: net.Socket) => {
  socket.write(answer, 'latin1')
  setTimeout(() => socket.resetAndDestroy(), 30)
}

describe('U4: how the end of a body is known', () => {
  it.each([
    ['length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    ['length', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ''],
    ['length', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 'hello'],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=1\r\nh\r\n0\r\nTrailer: x\r\n\r\n', 'h'],
    ['close', 'HTTP/1.1 200 OK\r\n\r\nhello', 'hello'],
    ['close', 'HTTP/1.0 200 OK\r\n\r\n', ''],
    ['none', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['none', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', ''],
  ])('%s: %j', async (framing, answer, body) => {
    const server = await rawServer(end(answer))
    const response = await upstream().fetch(request(server.url))
    expect(response.framing).toBe(framing)
    expect(await text(response)).toBe(body)
  })

  it.each([
    ['short by one', end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'), 4],
    ['short, HTTP/1.0', end('HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhell'), 4],
    ['nothing of it came', end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'), 0],
    ['no last chunk', end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'), 5],
    ['no end of the last chunk', end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n'), 1],
    ['within a chunk', end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'), 3],
    ['reset with a length', reset('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello'), 5],
    ['reset in chunks', reset('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'), 5],
    ['reset without either', reset('HTTP/1.1 200 OK\r\n\r\nhello'), 5],
    ['garbage for a chunk size', reset('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\nzz\r\n'), 1],
  ])('a cut body throws: %s', async (_, answer, atMost) => {
    const server = await rawServer(answer)
    const response = await upstream().fetch(request(server.url))
    let received = 0
    const reading = (async () => {
      for await (const chunk of response.body) received += chunk.length
    })()
    await expect(reading).rejects.toMatchObject({ code: 'UPSTREAM_CUT' })
    expect(received).toBeLessThanOrEqual(atMost)
  })

  it.each([
    ['in one piece', (socket: net.Socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!')],
    ['before it closes', end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello!')],
    [
      'with the rest of the body',
      (socket: net.Socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe')
        setTimeout(() => socket.write('llo!'), 30)
      },
    ],
  ])('U4: bytes beyond the length are no cut, which would be tried again: %s', async (_, answer) => {
    const server = await rawServer(answer)
    const reading = upstream().fetch(request(server.url)).then(text)
    await expect(reading).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
      message: expect.stringContaining('more than the 5 bytes'),
    })
  })

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['two lengths in one field', 'Content-Length: 5, 6\r\n\r\nhello'],
    ['a length that is none', 'Content-Length: five\r\n\r\nhello'],
    ['a negative length', 'Content-Length: -5\r\n\r\nhello'],
    ['length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a coding under the chunks', 'Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nh\r\n0\r\n\r\n'],
    ['a coding without chunks', 'Transfer-Encoding: gzip\r\n\r\nhello'],
    ['a header without a colon', 'Broken\r\n\r\n'],
    ['a head over 16 KiB', `X: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('a head with two ends or none is invalid: %s', async (_, rest) => {
    const server = await rawServer(`HTTP/1.1 200 OK\r\n${rest}`)
    await expect(upstream().fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9\r\n'],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\n'],
    ['an unasked upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ])('what is no HTTP answer of ours is invalid: %s', async (_, answer) => {
    const server = await rawServer(answer)
    await expect(upstream().fetch(request(server.url))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })
})

describe('U4: the bytes are counted, whatever the parser says', () => {
  it.each([
    ['fewer than promised', 'hell', true, 'UPSTREAM_CUT'],
    ['more than promised', 'hello!', true, 'UPSTREAM_INVALID'],
    ['as many as promised', 'hello', true, 'hello'],
    ['as many, but the parser has not seen the end', 'hello', false, 'UPSTREAM_CUT'],
  ])('%s', async (_, sent, complete, expected) => {
    const response = new IncomingMessage(new net.Socket())
    response.complete = complete
    const stream = new PassThrough().end(sent)
    const framing = { kind: 'length', length: 5 } as const
    const body = bodyOf({ stream, response, framing, stall: 1_000, host: 'h.test', signal: undefined })
    const read = async () => {
      let all = ''
      for await (const chunk of body) all += Buffer.from(chunk).toString()
      return all
    }
    expect(await read().catch((error) => error.code)).toBe(expected)
  })
})

describe('U4: the framing is judged, whatever the parser let pass', () => {
  const framing = (...headers: string[]) => {
    const response = new IncomingMessage(new net.Socket())
    response.statusCode = 200
    response.httpVersion = '1.1'
    response.rawHeaders = headers
    return framingOf('GET', response, 'h.test')
  }

  it.each([
    ['different lengths', ['Content-Length', '5', 'content-length', '6']],
    ['different lengths in a list', ['Content-Length', '5, 6']],
    ['no number', ['Content-Length', '0x5']],
    ['an empty length', ['Content-Length', '']],
    ['length and chunks', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['chunks twice', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
  ])('%s', (_, headers) => {
    expect(() => framing(...headers)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }))
  })

  it('the same length said twice is one (RFC 9112 §6.3)', () => {
    expect(framing('Content-Length', '5', 'Content-Length', '5, 5')).toEqual({ kind: 'length', length: 5 })
  })
})

describe('the stall timeout', () => {
  const stallingAfter = (body: string) => rawServer(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${body}`)
  const impatient = { policy: { ...policy, timeout: { ...policy.timeout, stall: 80 } } }

  it.each(['', 'hello'])('ends a reader that waits (after %j)', async (body) => {
    const server = await stallingAfter(body)
    const started = performance.now()
    await expect(bytes(await upstream().fetch(request(server.url, impatient)))).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    })
    expect(performance.now() - started).toBeGreaterThanOrEqual(75)
  })

  it('does not run while the reader is busy', async () => {
    const body = 'x'.repeat(2_000_000)
    const server = await rawServer(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const response = await upstream().fetch(request(server.url, impatient))
    let received = 0
    let pauses = 2
    await new Promise((resolve) => setTimeout(resolve, 160))
    for await (const chunk of response.body) {
      received += chunk.length
      if (pauses-- > 0) await new Promise((resolve) => setTimeout(resolve, 160))
    }
    expect(received).toBe(body.length)
  })

  it('starts anew with every chunk', async () => {
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n')
      let sent = 0
      const timer = setInterval(() => {
        socket.write('x')
        if (++sent === 6) clearInterval(timer)
      }, 40)
    })
    expect(await text(await upstream().fetch(request(server.url, impatient)))).toBe('xxxxxx')
  })
})

describe('backpressure', () => {
  it('a reader that does not read stops the remote', async () => {
    let written = 0
    const server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
      const block = Buffer.alloc(1 << 20)
      const more = () => {
        written += block.length
        socket.write(block, (error) => {
          if (!error && written < 1_000_000_000) more()
        })
      }
      more()
    })
    const response = await upstream().fetch(request(server.url))
    const settled = async () => {
      for (let before = -1; before !== written; ) {
        before = written
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await settled()
    expect(written).toBeLessThan(64 << 20)
    response.discard()
  })
})
