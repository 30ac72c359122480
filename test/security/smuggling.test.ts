import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { raw } from '../support/in-process.js'
import { openConnection } from './connection.js'

const line = 'GET /repository/raw/a HTTP/1.1\r\nHost: larder\r\n'
const hidden = 'GET /repository/raw/hidden HTTP/1.1\r\nHost: larder\r\n\r\n'
const after = 'GET /repository/raw/after HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n'
const asBody = `Content-Length: ${hidden.length}\r\n\r\n${hidden}`
const asChunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`

/** What came of bytes that end in a request for `/after`: the statuses answered, the targets the remote saw. */
async function sent(bytes: string) {
  const { origin, larder } = await behindSocket()
  for (const path of ['/a', '/hidden', '/after']) origin.put(path, 'body')
  const { text } = await raw(larder.url, bytes + after)
  return {
    statuses: (text.match(/HTTP\/1\.1 \d+/g) ?? []).map((line) => Number(line.slice(9))),
    seen: origin.requests.map(({ url }) => url),
  }
}

describe('RFC 9112 §6.3, §11.2: where a front could see another end of the request, it is refused and the connection closed', () => {
  it.each([
    ['length and chunks', `${line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks and length', `${line}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`],
    ['another coding last', `${line}Transfer-Encoding: chunked, identity\r\n\r\n${asChunk}`],
    ['chunks in chunks', `${line}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${asChunk}`],
    ['chunks in chunks, in one field', `${line}Transfer-Encoding: chunked, chunked\r\n\r\n${asChunk}`],
    ['a coding behind a control byte', `${line}Transfer-Encoding: \x0bchunked\r\n\r\n${asChunk}`],
    ['a space before the colon', `${line}Transfer-Encoding : chunked\r\n\r\n${asChunk}`],
    ['a length with a space before its colon', `${line}Content-Length : ${hidden.length}\r\n\r\n${hidden}`],
    ['two lengths', `${line}Content-Length: 0\r\n${asBody}`],
    ['the same length twice', `${line}Content-Length: ${hidden.length}\r\n${asBody}`],
    ['two lengths in one field', `${line}Content-Length: 0, ${hidden.length}\r\n\r\n${hidden}`],
    ['a negative length', `${line}Content-Length: -1\r\n\r\n${hidden}`],
    ['a length with a plus', `${line}Content-Length: +5\r\n\r\n${hidden}`],
    ['a length in hex', `${line}Content-Length: 0x5\r\n\r\n${hidden}`],
    ['a length no number holds', `${line}Content-Length: 18446744073709551621\r\n\r\n${hidden}`],
    ['no length where one is named', `${line}Content-Length:\r\n\r\n${hidden}`],
    ['a bare CR in a field', `${line}X: a\rTransfer-Encoding: chunked\r\n\r\n${asChunk}`],
    ['a folded coding', `${line}Transfer-Encoding:\r\n chunked\r\n\r\n${asChunk}`],
    ['a field line that begins with a space', `GET /repository/raw/a HTTP/1.1\r\n Host: larder\r\n\r\n`],
    ['NUL in a field', `${line}X: a\0b\r\n\r\n`],
    ['no name', `${line}: x\r\n\r\n`],
    ['a name with a space', `${line}X Y: z\r\n\r\n`],
    ['bare LF line ends', `${line.replaceAll('\r\n', '\n')}\n`],
    ['a bare LF before the end of the head', `${line}X: y\n\r\n`],
    ['two hosts', `${line}Host: other\r\n\r\n`],
    ['no host', 'GET /repository/raw/a HTTP/1.1\r\n\r\n'],
    ['a version of its own', 'GET /repository/raw/a HTTP/1.2\r\nHost: larder\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a handshake of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a method nobody knows', `GETT /repository/raw/a HTTP/1.1\r\nHost: larder\r\n\r\n`],
    ['a method with a space before it', ` ${line}\r\n`],
    ['a space in the target', 'GET /repository/raw/a b HTTP/1.1\r\nHost: larder\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const { statuses, seen } = await sent(bytes)
    expect({ statuses, seen }).toEqual({ statuses: [400], seen: [] })
  })
})

describe('RFC 9112 §7.1: behind a malformed body, or a request that is the last of its connection, nothing is read', () => {
  it.each([
    ['a transfer coding that is not known', `${line}Transfer-Encoding: xchunked\r\n\r\n${asChunk}`],
    ['a coding in quotes', `${line}Transfer-Encoding: "chunked"\r\n\r\n${asChunk}`],
    ['a chunk size with a plus', `${line}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n${hidden}`],
    ['a chunk size with 0x', `${line}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n${hidden}`],
    ['a chunk size no number holds', `${line}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n${hidden}`],
    ['a bare LF behind a chunk size', `${line}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n${hidden}`],
    ['a bare LF behind a chunk', `${line}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n${hidden}`],
    ['a bare LF in a chunk extension', `${line}Transfer-Encoding: chunked\r\n\r\n5;a=\nhello\r\n0\r\n\r\n${hidden}`],
    ['a chunk longer than its size', `${line}Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n${hidden}`],
    ['a later version', 'GET /repository/raw/a HTTP/2.0\r\nHost: larder\r\n\r\n'],
    ['no version (HTTP/0.9)', 'GET /repository/raw/a\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const { statuses, seen } = await sent(bytes)
    expect({ statuses, seen }).toEqual({ statuses: [400], seen: ['/a'] })
  })
})

describe('RFC 9112 §6.3: what is one request stays one', () => {
  it.each([
    ['a GET with a body', `${line}${asBody}`],
    ['a GET with a body in chunks', `${line}Transfer-Encoding: chunked\r\n\r\n${asChunk}`],
    ['a coding in capitals', `${line}Transfer-Encoding: CHUNKED\r\n\r\n${asChunk}`],
    ['chunks with extensions', `${line}Transfer-Encoding: chunked\r\n\r\n5;a="b;c"\r\nhello\r\n0;d\r\n\r\n`],
    [
      'chunks with trailers',
      `${line}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Request-Id: forged\r\nRange: bytes=0-0\r\n\r\n`,
    ],
    ['no body, named', `${line}Content-Length: 0\r\n\r\n`],
    ['a length with zeros before it', `${line}Content-Length: 000${hidden.length}\r\n\r\n${hidden}`],
    ['two spaces before the target', 'GET  /repository/raw/a HTTP/1.1\r\nHost: larder\r\n\r\n'],
    ['empty lines before it', `\r\n\r\n${line}\r\n`],
  ])('%s', async (_, bytes) => {
    const { statuses, seen } = await sent(bytes)
    expect({ statuses, seen }).toEqual({ statuses: [200, 200], seen: ['/a', '/after'] })
  })

  it.each([
    ['the wish to upgrade', `${line}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    [
      'the wish for HTTP/2',
      `${line}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    ],
  ])('and stays on HTTP/1.1: %s', async (_, bytes) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    const connection = await openConnection(larder.url)
    for (let i = 0; i < 2; i += 1) expect(await connection.ask(bytes, /body$/)).toMatch(/^HTTP\/1\.1 200 /)
    await larder.settled()
    expect(origin.count('/a')).toBe(1)
  })

  it('a body that is waited for with Expect', async () => {
    const { statuses, seen } = await sent(`${line}Expect: 100-continue\r\n${asBody}`)
    expect({ statuses, seen }).toEqual({ statuses: [100, 200, 200], seen: ['/a', '/after'] })
  })

  it('an expectation that is not known', async () => {
    const { statuses, seen } = await sent(`${line}Expect: more\r\n${asBody}`)
    expect({ statuses, seen }).toEqual({ statuses: [417, 200], seen: ['/after'] })
  })

  it('the body of a method that is refused', async () => {
    const { statuses, seen } = await sent(`${line.replace('GET', 'POST')}${asBody}`)
    expect({ statuses, seen }).toEqual({ statuses: [405, 200], seen: ['/after'] })
  })

  it('a request to tunnel ends the connection', async () => {
    const { statuses, seen } = await sent(`CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n${hidden}`)
    expect(seen).toEqual([])
    expect(statuses).toEqual([])
  })
})
