import { posix } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cacheKey, checkTarget, keyTarget, splitArtifactPath, storageKey } from '../../src/caching/cache-key.js'
import { isLarderError } from '../../src/errors.js'
import { inFront, raw } from '../support/in-process.js'
import { startOrigin } from '../support/origin.js'
import { limits } from './limits.js'

/** Pieces out of which attacks on paths are made, and any byte at all. */
const pieces = fc.constantFrom(
  ...[
    '/',
    '//',
    '.',
    '..',
    '/..',
    '%2e',
    '%2E%2e',
    '%252e',
    '%2f',
    '%5c',
    '\\',
    ';',
    '?',
    '#',
    '%',
    '%00',
    '%zz',
    '%c0%ae',
  ],
  ...['a', 'b.tgz', '~', '+', '%2B', '%20', '&', '=', 'x=1', '@', ':', '%0d%0a', 'repository', '/repository/other/'],
  ...['http://evil.test', '*', '\u00ff', '\u00e9'],
)
const byte = fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code))
const tail = fc
  .array(fc.oneof({ weight: 5, arbitrary: pieces }, { weight: 1, arbitrary: byte }), { maxLength: 10 })
  .map((parts) => parts.join(''))
const target = tail.map((text) => `/${text}`)
const anyText = fc.oneof(target, tail, fc.string({ unit: 'binary' }))

function accepts(text: string): boolean {
  try {
    checkTarget(text)
    return true
  } catch (error) {
    expect(isLarderError(error) && error.code).toBe('PATH_INVALID')
    return false
  }
}

describe('C10: any target', () => {
  it('is refused with PATH_INVALID or taken; nothing else happens', () => {
    fc.assert(
      fc.property(anyText, (text) => void accepts(text)),
      limits(5000, 10),
    )
  })

  it('that is taken stays below the remote it is put behind, however it is resolved there', () => {
    const base = '/bucket/below'
    fc.assert(
      fc.property(target, (text) => {
        if (!accepts(text)) return
        const resolved = new URL(`http://remote.test${base}${text}`)
        expect(resolved.host).toBe('remote.test')
        expect(resolved.pathname.startsWith(`${base}/`)).toBe(true)
        // One who decodes first, takes a backslash for a slash, and resolves then.
        const decoded = text
          .split('?', 1)[0]
          ?.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
        expect(posix.normalize(`${base}${decoded?.replaceAll('\\', '/')}`).startsWith(`${base}/`)).toBe(true)
      }),
      limits(5000, 10),
    )
  })

  it('leads to its own repository and no other, its bytes untouched', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}$/)
    fc.assert(
      fc.property(name, target, (repository, text) => {
        expect(splitArtifactPath(`/repository/${repository}${text}`)).toEqual({ name: repository, target: text })
        expect(splitArtifactPath(`http://a.test:8080/repository/${repository}${text}`)?.target).toBe(text)
      }),
      limits(2000, 10),
    )
    fc.assert(
      fc.property(anyText, (text) => {
        const split = splitArtifactPath(text)
        if (!split) return
        expect(split.name).toMatch(/^[A-Za-z0-9._-]+$/)
        expect(split.target.startsWith('/')).toBe(true)
        expect(text.endsWith(split.target) || text.endsWith(split.target.slice(1))).toBe(true)
      }),
      limits(2000, 10),
    )
  })

  it('has a key of its own', () => {
    const repository = fc.constantFrom('a', 'b', 'a.b')
    fc.assert(
      fc.property(repository, target, repository, target, (ours, one, theirs, other) => {
        const [first, second] = [cacheKey(ours, one), cacheKey(theirs, other)]
        const isSame = ours === theirs && one === other
        expect(first === second).toBe(isSame)
        expect(storageKey(first) === storageKey(second)).toBe(isSame)
      }),
      limits(2000, 10),
    )
  })

  it('asked for with query or without, goes under the key of what is sent', () => {
    const drop = fc.constantFrom({ drop: ['x'] }, { drop: ['%', 'a'] }, 'ignore' as const, 'forward' as const)
    fc.assert(
      fc.property(target, drop, (text, policy) => {
        const sent = keyTarget(text, policy)
        expect(keyTarget(sent, policy)).toBe(sent)
        expect(sent.split('?', 1)[0]).toBe(text.split('?', 1)[0])
        if (policy === 'ignore') expect(sent).not.toContain('?')
      }),
      limits(2000, 10),
    )
  })

  it('through the whole server: the remote sees the very bytes, or nothing', async () => {
    const origin = await startOrigin()
    onTestFinished(() => origin.stop())
    const larder = await inFront(origin.url, { negative: { ttl: '0s', forbiddenTtl: '0s' } })
    await fc.assert(
      fc.asyncProperty(target, async (text) => {
        const before = origin.requests.length
        const request = `GET /repository/raw${text} HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n`
        const status = Number((await raw(larder.url, request)).text.split(' ')[1])
        const seen = origin.requests.slice(before).map(({ url }) => url)
        // Node itself refuses bytes beyond ASCII.
        const isTaken = /^[!-~]+$/.test(text) && accepts(text)
        if (isTaken) expect([status, seen]).toEqual([404, [text]])
        // What resolves to a place off the artifact route is told so.
        else expect([[400, 404].includes(status), seen]).toEqual([true, []])
      }),
      limits(400, 15),
    )
  })
})
