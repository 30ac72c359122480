import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { raw } from '../support/in-process.js'

const request = (target: string, method = 'GET') =>
  `${method} ${target} HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n`

const statusOf = ({ text }: { text: string }) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])

describe('C10: targets that a remote might read otherwise than we do', () => {
  it.each([
    '/repository/raw/../a',
    '/repository/raw/b/../a',
    '/repository/raw/./a',
    '/repository/raw/..',
    '/repository/raw/.',
    '/repository/raw/%2e%2e/a',
    '/repository/raw/%2E./a',
    '/repository/raw/.%2e/a',
    '/repository/raw/%252e%252e/a',
    '/repository/raw/%25252e%25252e/a',
    '/repository/raw/..%2fa',
    '/repository/raw/b%2f..%2fa',
    '/repository/raw/..;x/a',
    '/repository/raw/..\\a',
    '/repository/raw/%5c..%5ca',
    '/repository/raw/b%5ca',
    '/repository/raw/b\\a',
    '/repository/raw/a%00',
    '/repository/raw/a%0d%0aX:%20y',
    '/repository/raw/a%7f',
    '/repository/raw/%c0%ae%c0%ae/a',
    '/repository/raw/%e0%80%ae/a',
    '/repository/raw/a%',
    '/repository/raw/a%2',
    '/repository/raw/a%zz',
    '/repository/raw/a#b',
    '/repository/raw/a?b%00',
    '/repository/raw/../../healthz',
    '/x/../repository/raw/a',
    '/repository/%72aw/a',
    '//repository/raw/a',
    '/healthz/../repository/raw/a',
    '/repository/raw/%2e%2e/%2e%2e/metrics',
  ])('%s: 400 (or no such place), nothing reaches the remote', async (target) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', 'body')
    const answer = await raw(larder.url, request(target))
    expect([400, 404]).toContain(statusOf(answer))
    expect(answer.text).toMatch(/\r\n\r\n$/)
    expect(origin.requests).toHaveLength(0)
  })

  it.each(['/repository/raw/b\\a', '/repository/raw/../a'])('%s: the answer says why', async (target) => {
    const { larder } = await behindSocket()
    const { text } = await raw(larder.url, request(target))
    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toMatch(/^X-Larder-Error: PATH_INVALID\r$/m)
  })

  it('a control byte in the request line: 400', async () => {
    const { origin, larder } = await behindSocket()
    for (const byte of ['\0', '\x01', '\x7f', '\t']) {
      expect(statusOf(await raw(larder.url, request(`/repository/raw/a${byte}b`)))).toBe(400)
    }
    expect(origin.requests).toHaveLength(0)
  })
})

describe('C10: targets go to the remote byte for byte', () => {
  const targets = [
    '/a%2Bb',
    '/a+b',
    '/a%20b',
    '/a%2Fb',
    '/a/b',
    '/a%2bb',
    '/a//b',
    '/a/',
    '/',
    '/%7Euser/~user',
    '/@scope%2fname',
    "/!$&'()*,;=:@",
    '/a%C3%A9',
    '/...',
    '/..a',
    '/a?x=%2B+%20&y',
    '/a?',
    '/a??',
    '/a?x=../b',
    '/%E4%BD%A0',
  ]
  it('each is a key of its own, and nothing of it changes', async () => {
    const { origin, larder } = await behindSocket()
    for (const target of targets) origin.files.set(target, { body: Buffer.from(`body of ${target}`) })
    for (const target of targets) {
      const answer = await raw(larder.url, request(`/repository/raw${target}`))
      expect([target, statusOf(answer)]).toEqual([target, 200])
    }
    expect(origin.requests.map(({ url }) => url)).toEqual(targets)
    await larder.settled()
    for (const target of targets) {
      const { text } = await raw(larder.url, request(`/repository/raw${target}`))
      expect(text.endsWith(`\r\n\r\nbody of ${target}`)).toBe(true)
    }
    expect(origin.requests).toHaveLength(targets.length)
  })

  it('absolute-form is the same as origin-form', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a%2Bb', 'body')
    expect(statusOf(await raw(larder.url, request('http://whatever.test/repository/raw/a%2Bb')))).toBe(200)
    await larder.settled()
    expect(statusOf(await raw(larder.url, request('/repository/raw/a%2Bb')))).toBe(200)
    expect(origin.requests.map(({ url }) => url)).toEqual(['/a%2Bb'])
  })

  it.each([
    ['forward', ['/a?x=1', '/a?x=2', '/a?', '/a'], ['/a?x=1', '/a?x=2', '/a?', '/a']],
    ['ignore', ['/a?x=1', '/a?x=2', '/a?', '/a'], ['/a']],
    [
      { drop: ['sig', 't'] },
      ['/a?x=1&sig=1', '/a?sig=2&x=1', '/a?t=1', '/a?%73ig=3&x=1', '/a?y=1'],
      ['/a?x=1', '/a', '/a?y=1'],
    ],
  ])('query: %j', async (query, asked, reached) => {
    const { origin, larder } = await behindSocket({ query })
    origin.files.set('/a', { body: Buffer.from('body') })
    for (const target of asked) {
      expect(statusOf(await raw(larder.url, request(`/repository/raw${target}`)))).toBe(200)
      await larder.settled()
    }
    expect(origin.requests.map(({ url }) => url)).toEqual(reached)
  })
})

describe('C11: a key is never a path on disk', () => {
  it('a file, what is under it, and names no file system takes', async () => {
    const { origin, larder } = await behindSocket()
    const paths = ['/x.tgz', '/x.tgz/info/refs', '/x.tgz/', `/${'n'.repeat(3000)}`, '/CON', '/x.TGZ']
    for (const path of paths) origin.files.set(path, { body: Buffer.alloc(20_000, path.slice(0, 8)) })
    for (const path of paths) await larder.warm(path)
    await origin.stop()
    for (const path of paths) {
      const { status, body } = await larder.get(path)
      expect([status, body.equals(origin.files.get(path)?.body ?? Buffer.alloc(0))]).toEqual([200, true])
    }
    expect(origin.requests).toHaveLength(paths.length)
  })
})
