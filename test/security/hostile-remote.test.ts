import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type InProcess, inFront } from '../support/in-process.js'
import { noise } from '../support/stage.js'
import { rawServer } from '../upstream/servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const impatient = { timeout: { connect: '5s', headers: '500ms', stall: '500ms' } }

/** Writes pieces for as long as anyone takes them; `written` counts bytes. */
function flood(beginning: string, piece: string): { readonly answer: (socket: Socket) => void; written(): number } {
  let written = 0
  const answer = (socket: Socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(piece, 'latin1')) written += piece.length
    }
    socket.on('drain', more)
    socket.write(beginning, 'latin1')
    more()
  }
  return { answer, written: () => written }
}

async function refused(answer: string | ((socket: Socket) => void)) {
  const server = await rawServer(answer)
  const larder = await inFront(server.url, impatient)
  const { status, body, header } = await larder.get('/a')
  await stillServes(larder)
  return { status, body: body.length, code: header('x-larder-error') }
}

/** The next remote gets its answer through. */
async function stillServes(larder: InProcess) {
  const honest = await rawServer(hello)
  await larder.reconfigure(honest.url)
  expect((await larder.get('/b')).body.toString()).toBe('hello')
}

const invalid = { status: 502, body: 0, code: 'UPSTREAM_INVALID' }

describe('U4: a head that is none', () => {
  it.each([
    ['a field of 17 KiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17 * 1024)}\r\nContent-Length: 5\r\n\r\nhello`],
    ['10,000 fields', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}Content-Length: 5\r\n\r\nhello`],
    ['NUL in a field', 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello'],
    ['a bare CR in a field', 'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello'],
    ['a control byte in a field', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 5\r\n\r\nhello'],
    ['a space in a name', 'HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 5\r\n\r\nhello'],
    ['a space before a colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 5\r\n\r\nhello'],
    ['no status', 'HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['a status of four digits', 'HTTP/1.1 1000 Huge\r\nContent-Length: 5\r\n\r\nhello'],
    ['a status of two digits', 'HTTP/1.1 99 Small\r\nContent-Length: 5\r\n\r\nhello'],
    ['a status below 100', 'HTTP/1.1 000 None\r\nContent-Length: 5\r\n\r\nhello'],
    ['another protocol', 'ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['no head at all (HTTP/0.9)', 'hello'.repeat(10_000)],
    ['an unasked switch of protocols', 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nhello'],
    ['a coding besides chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    [
      'length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello'],
    ['a length no number holds', 'HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello'],
  ])('%s: 502, an empty body, and no other request is harmed', async (_, answer) => {
    expect(await refused(answer)).toEqual(invalid)
  })

  it('an endless field is not read to its end', async () => {
    const { answer, written } = flood('HTTP/1.1 200 OK\r\nX: ', 'x'.repeat(16 * 1024))
    expect(await refused(answer)).toEqual(invalid)
    // What the sockets of both sides hold, and no more.
    expect(written()).toBeLessThan(32 * 1024 * 1024)
  })

  it.each([
    ['endless informational answers', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
    ['endless empty lines', '\r\n'],
  ])('%s end with the time for a head', async (_, piece) => {
    const { answer } = flood('', piece.repeat(100))
    expect([502, 504]).toContain((await refused(answer)).status)
  })

  it('no field is lost to a number of them, however small they are', async () => {
    const fields = Array.from({ length: 2100 }, (_, i) => `a:${i % 10}\r\n`).join('')
    const answer = `HTTP/1.1 200 OK\r\n${fields}Cache-Control: no-store\r\nContent-Length: 5\r\n\r\nhello`
    const server = await rawServer(answer)
    const larder = await inFront(server.url)
    for (let i = 0; i < 2; i += 1) expect((await larder.warm('/a')).status).toBe(200)
    expect(server.heads).toHaveLength(2)
  })
})

describe('U4: a body that is none', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

  it.each([
    ['chunk sizes with a bare LF', `${chunked}5\nhello\n0\n\n`],
    ['a chunk size that is negative', `${chunked}-5\r\nhello\r\n0\r\n\r\n`],
    ['a chunk size no number holds', `${chunked}fffffffffffffffff\r\nhello\r\n0\r\n\r\n`],
    ['a chunk longer than its size', `${chunked}2\r\nhello\r\n0\r\n\r\n`],
  ])('%s: nothing goes out, nothing is stored', async (_, answer) => {
    const { status, body } = await refused(answer)
    expect([status, body]).toEqual([502, 0])
  })

  it.each([
    ['an endless chunk extension', `${chunked}5;`, 'x'.repeat(16 * 1024)],
    ['endless trailers', `${chunked}0\r\n`, 'X: y\r\n'.repeat(1000)],
    ['an endless trailer', `${chunked}0\r\nX: `, 'x'.repeat(16 * 1024)],
  ])('%s is not read to its end', async (_, beginning, piece) => {
    const { answer, written } = flood(beginning, piece)
    const { status, body } = await refused(answer)
    expect([status, body]).toEqual([502, 0])
    expect(written()).toBeLessThan(32 * 1024 * 1024)
  })

  it('trailers become nobody’s fields', async () => {
    const answer = `${chunked}5\r\nhello\r\n0\r\nSet-Cookie: a=b\r\nETag: "x"\r\nCache-Control: no-store\r\n\r\n`
    const server = await rawServer(answer)
    const larder = await inFront(server.url)
    for (const { rawHeaders, body } of [await larder.warm('/a'), await larder.get('/a')]) {
      expect(body.toString()).toBe('hello')
      expect(rawHeaders.join()).not.toMatch(/set-cookie|etag|trailer|no-store/i)
    }
    expect(server.heads).toHaveLength(1)
  })

  it('what follows a body is no answer to the next request', async () => {
    const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
    const server = await rawServer(hello + poison, hello)
    const larder = await inFront(server.url)
    await larder.get('/a')
    expect((await larder.get('/b')).body.toString()).not.toBe('poison')
    expect((await larder.get('/c')).body.toString()).toBe('hello')
  })
})

describe('C2: a body that is coded is not decoded', () => {
  it.each(['gzip', 'br', 'zstd', 'deflate', 'gzip, gzip, gzip'])(
    '%s, of bytes no decoder would take',
    async (coding) => {
      const body = noise(100_000).toString('latin1')
      const fields = `Content-Encoding: ${coding}\r\nContent-Type: application/gzip\r\nContent-Length: ${body.length}`
      const server = await rawServer(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`)
      const larder = await inFront(server.url)
      const accepting = { 'Accept-Encoding': 'gzip, br, zstd' }
      for (const answer of [await larder.warm('/a.tgz', accepting), await larder.get('/a.tgz')]) {
        expect([answer.header('content-encoding'), answer.header('content-length')]).toEqual([coding, '100000'])
        expect(answer.body.toString('latin1') === body).toBe(true)
      }
      expect(server.heads).toHaveLength(1)
      expect(server.heads[0]).toMatch(/^Accept-Encoding: identity$/m)
    },
  )
})

describe('C2, C3: what a remote’s fields can do to a client', () => {
  it('bytes beyond ASCII pass as they are, cold and warm; a folded field is one line', async () => {
    const server = await rawServer(
      'HTTP/1.1 200 OK\r\nX-Odd: \xe4\xff\x80\r\nX-Tab: a\tb\r\nContent-Length: 5\r\n\r\nhello',
    )
    const larder = await inFront(server.url)
    for (const answer of [await larder.warm('/a'), await larder.get('/a')]) {
      expect([answer.header('x-odd'), answer.header('x-tab')]).toEqual(['\xe4\xff\x80', 'a\tb'])
    }
  })

  it('a folded field splits no answer', async () => {
    const server = await rawServer('HTTP/1.1 200 OK\r\nX-Odd: a\r\n Set-Cookie: b\r\nContent-Length: 5\r\n\r\nhello')
    const larder = await inFront(server.url)
    for (const { rawHeaders } of [await larder.warm('/a'), await larder.get('/a')]) {
      expect(rawHeaders.filter((_, i) => i % 2 === 0)).not.toContain('Set-Cookie')
      expect(rawHeaders.join()).not.toMatch(/[\r\n]/)
    }
  })

  it('what we say is said by us alone', async () => {
    const theirs = [
      'X-Request-Id',
      'X-Larder-Error',
      'X-Checksum-Sha256',
      'Content-Security-Policy',
      'X-Content-Type-Options',
    ]
    const fields = theirs.map((name) => `${name}: theirs\r\n`).join('')
    const server = await rawServer(`HTTP/1.1 200 theirs\r\n${fields}Content-Length: 5\r\n\r\nhello`)
    const larder = await inFront(server.url)
    for (const { rawHeaders } of [await larder.warm('/a'), await larder.get('/a'), await larder.head('/a')]) {
      expect(rawHeaders.filter((_, i) => i % 2 === 1)).not.toContain('theirs')
    }
  })
})
