import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inFront, raw } from '../support/in-process.js'
import { someOrigin } from '../support/served.js'
import { rawServer } from '../upstream/servers.js'

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const request = (target: string, fields = '') =>
  `GET ${target} HTTP/1.1\r\nHost: larder\r\n${fields}Connection: close\r\n\r\n`

describe('what a client writes stays in its place', () => {
  it('U1: fields that are passed on arrive as they were, and split nothing', async () => {
    const server = await rawServer(hello)
    const larder = await inFront(server.url, { profile: 'rfc9111' })
    const odd = 'X-Odd: \xe4\xff\x80 a\tb "%0d%0aX-Evil: 1"\r\nX-Odd: again\r\n'
    await raw(larder.url, request('/repository/raw/a', odd))
    const fields = server.heads[0]?.split('\r\n') ?? []
    expect(fields).toContain('X-Odd: \xe4\xff\x80 a\tb "%0d%0aX-Evil: 1"')
    expect(fields).toContain('X-Odd: again')
    expect(fields.some((field) => field.startsWith('X-Evil'))).toBe(false)
  })

  it.each([
    ['CR', 'X-Odd: a\rX-Evil: 1\r\n'],
    ['LF', 'X-Odd: a\nX-Evil: 1\r\n'],
    ['NUL', 'X-Odd: a\0b\r\n'],
    ['DEL', 'X-Odd: a\x7fb\r\n'],
    ['an escape', 'X-Odd: \x1b[31m\r\n'],
    ['a name beyond ASCII', 'X-\xe4: a\r\n'],
    ['a name with a slash', 'X/Odd: a\r\n'],
  ])('U1: none is passed on that has %s', async (_, field) => {
    const server = await rawServer(hello)
    const larder = await inFront(server.url, { profile: 'rfc9111' })
    expect((await raw(larder.url, request('/repository/raw/a', field))).text).toMatch(/^HTTP\/1\.1 400 /)
    expect(server.heads).toHaveLength(0)
  })

  it('U1: a folded field is none, or one line', async () => {
    const server = await rawServer(hello)
    const larder = await inFront(server.url, { profile: 'rfc9111' })
    await raw(larder.url, request('/repository/raw/a', 'X-Odd: a\r\n X-Evil: 1\r\n'))
    for (const head of server.heads) expect(head).not.toMatch(/^\s*X-Evil/m)
  })

  it.each([
    ['quotes', 'a","status":"200'],
    ['a tab', 'a\tb'],
    ['bytes beyond ASCII', 'a\xe2\x80\xa8b'],
    ['markup', '<script>'],
    ['a comma', 'a, b'],
    ['65 characters', 'x'.repeat(65)],
    ['nothing', ''],
  ])('C3: an X-Request-Id with %s is not taken over', async (_, id) => {
    const origin = await someOrigin()
    const larder = await inFront(origin.url)
    const { text } = await raw(larder.url, request('/repository/raw/a', `X-Request-Id: ${id}\r\n`))
    expect(/^X-Request-Id: (.*)\r$/m.exec(text)?.[1]).toMatch(/^[0-9a-f]{12}-\w+$/)
  })

  it('C3: nor are two of them', async () => {
    const larder = await inFront((await someOrigin()).url)
    const { text } = await raw(larder.url, request('/repository/raw/a', 'X-Request-Id: a\r\nX-Request-Id: b\r\n'))
    expect(/^X-Request-Id: (.*)\r$/m.exec(text)?.[1]).toMatch(/^[0-9a-f]{12}-\w+$/)
  })

  it('C9: no part of a path is in a field of the answer', async () => {
    const larder = await inFront((await someOrigin()).url)
    const targets = [
      '/repository/raw/evil',
      '/repository/raw/%2e%2e/evil',
      '/repository/evil/a',
      '/evil',
      '/api/v1/evil',
    ]
    for (const target of targets) {
      const { text } = await raw(larder.url, request(target))
      expect(text.split('\r\n\r\n')[0]).not.toContain('evil')
    }
  })

  it('O3: each request is one line of the log, whatever is in it', async () => {
    const larder = await inFront((await someOrigin()).url)
    const paths = [
      '/a"b',
      "/a'b",
      '/a%0ab',
      '/a\\b',
      '/","status":200,"x":"',
      '/%1b[31m',
      '/a?x="\\&y=%0a',
      '/{}',
      '/a`b',
      '/a|b',
    ]
    for (const path of paths) await raw(larder.url, request(`/repository/raw${path}`))
    // As JSON, or this throws.
    const lines = await larder.accessLog(paths.length)
    expect(lines).toHaveLength(paths.length)
    expect(lines.map((line) => [typeof line.status, line.x])).toEqual(paths.map(() => ['number', undefined]))
    const text = await readFile(join(larder.data, '..', 'access.log'), 'latin1')
    expect(text).toMatch(/^[\x20-\x7e\n]*$/)
  })
})
