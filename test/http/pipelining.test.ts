import { describe, expect, it } from 'vitest'
import { mswRemote } from '../proxy/remote.js'
import { inFront, raw } from '../support/in-process.js'

const remote = mswRemote()
const ask = (path: string, more = '') => `GET /repository/raw${path} HTTP/1.1\r\nHost: larder\r\n${more}\r\n`

describe('RFC 9112 §9.3.2: requests sent before the answers to earlier ones came', () => {
  it.each([
    ['small', 100],
    ['large', 300_000],
  ])('are all answered, in order: %s', async (_, size) => {
    remote.answer('/a', { body: 'a'.repeat(size) })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    const { text, broken } = await raw(larder.url, ask('/a') + ask('/../b') + ask('/a', 'Connection: close\r\n'))
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400', 'HTTP/1.1 200'])
    expect(text.match(/a{100,}/g)?.map(({ length }) => length)).toEqual([size, size])
    expect(broken).toBe(false)
  })
})
