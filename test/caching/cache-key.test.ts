import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cacheKey,
  checkTarget,
  keyTarget,
  pathOf,
  splitArtifactPath,
  storageKey,
  storagePrefix,
} from '../../src/caching/cache-key.js'
import { isLarderError } from '../../src/errors.js'

describe('splitArtifactPath', () => {
  it.each([
    ['/repository/lang-jvm/jdk/a.tar.gz', 'lang-jvm', '/jdk/a.tar.gz'],
    ['/repository/lang-jvm/a?x=1&y', 'lang-jvm', '/a?x=1&y'],
    ['/repository/lang-jvm', 'lang-jvm', '/'],
    ['/repository/lang-jvm/', 'lang-jvm', '/'],
    ['/repository/lang-jvm?list', 'lang-jvm', '/?list'],
    ['/repository/lang-common.s3.amazonaws.com/a', 'lang-common.s3.amazonaws.com', '/a'],
    ['/repository/a/%2e%2e//x%2By?#', 'a', '/%2e%2e//x%2By?#'],
    ['http://host:8080/repository/a/b', 'a', '/b'],
    ['HTTPS://host/repository/a/b?http://x', 'a', '/b?http://x'],
    ['/repository/a//repository/b', 'a', '//repository/b'],
  ])('%s', (url, name, target) => {
    expect(splitArtifactPath(url)).toEqual({ name, target })
  })

  it.each([
    '/',
    '/repository',
    '/repository/',
    '/repository//x',
    '/Repository/a/b',
    '/x/repository/a/b',
    '/repository/a%20b/c',
    '/repository/a#b',
    '*',
    'ftp://host/repository/a/b',
    '',
  ])('none in %j', (url) => {
    expect(splitArtifactPath(url)).toBeUndefined()
  })
})

/** Whether a target is refused, and by the code for it. */
function refuses(target: string): boolean {
  try {
    checkTarget(target)
    return false
  } catch (error) {
    expect(isLarderError(error) && error.code).toBe('PATH_INVALID')
    return true
  }
}

describe('C10: checkTarget', () => {
  it.each([
    '/',
    '/jdk/heroku-22/openjdk17.0.1.tar.gz',
    '/openjdk/zulu/amd64/17.0.1%2B12.tar.gz',
    '/a+b/c%20d/e%2Ff',
    '/.well-known/x',
    '/...',
    '/.../x',
    '/..a/a../.hidden/x..y',
    '/x.tgz/info/refs?service=git-upload-pack',
    '/a//b/',
    '/100%25zz',
    '/%c3%a9t%C3%A9',
    '/%E9',
    '/\u00c3\u00a9',
    '/a?%zz&b=100%',
    '/a?x=../..&y=\\',
    '/a?',
    '/a;v=1/b',
    '/%2525252541',
  ])('takes %s', (target) => {
    expect(refuses(target)).toBe(false)
  })

  it.each([
    ['not absolute', 'a'],
    ['empty', ''],
    ['dot dot', '/../a'],
    ['dot dot at the end', '/a/..'],
    ['dot', '/a/./b'],
    ['dot at the end', '/a/.'],
    ['dot dot before a query', '/a/..?x'],
    ['encoded dots', '/%2e%2E/a'],
    ['half encoded', '/.%2e/a'],
    ['twice encoded', '/%252e%252e/a'],
    ['five times encoded', '/%252525252e./a'],
    ['encoded more often than anyone does', '/%25252525252541'],
    ['with an encoded slash', '/a%2f..%2fb'],
    ['with a twice encoded slash', '/a%252f..'],
    ['with a parameter', '/..;x=1/a'],
    ['with an encoded parameter', '/..%3b/a'],
    ['backslash', '/a\\..\\b'],
    ['encoded backslash', '/a%5cb'],
    ['twice encoded backslash', '/a%255Cb'],
    ['NUL', '/a%00'],
    ['raw NUL', '/a\0'],
    ['line feed', '/a%0ab'],
    ['raw line feed', '/a\nb'],
    ['raw line feed at the very end', '/a\n'],
    ['raw space', '/a b'],
    ['DEL', '/a%7f'],
    ['twice encoded NUL', '/a%2500'],
    ['control byte in the query', '/a?b=%0d%0a'],
    ['raw control byte in the query', '/a?b\r'],
    ['fragment', '/a#b'],
    ['fragment in the query', '/a?b#c'],
    ['overlong dot of two bytes', '/%c0%ae%c0%ae/a'],
    ['overlong slash of two bytes', '/a%c0%af'],
    ['overlong, C1', '/%C1%9C'],
    ['overlong of three bytes', '/%e0%80%ae'],
    ['overlong of four bytes', '/%f0%80%80%ae'],
    ['overlong of five bytes', '/%f8%80%80%80%ae'],
    ['overlong of six bytes', '/%fc%80%80%80%80%ae'],
    ['overlong, raw', '/\u00c0\u00ae'],
    ['overlong, twice encoded', '/%25c0%25ae'],
    ['escape without digits', '/a%'],
    ['escape with one digit', '/a%2'],
    ['escape with other letters', '/a%zz'],
    ['%u escapes', '/%u002e'],
  ])('refuses %s', (_, target) => {
    expect(refuses(target)).toBe(true)
  })

  it('never takes what decodes, however often, to a dot segment', () => {
    const piece = fc.constantFrom(
      '.',
      '%2e',
      '%25',
      '2e',
      '2f',
      '5c',
      '/',
      '%2F',
      '%5C',
      ';',
      'a',
      '25',
      '%',
      '?',
      '%00',
    )
    const dotSegment = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)
    fc.assert(
      fc.property(dotSegment, (target) => {
        if (refuses(target)) return
        let path = target.split('?', 1)[0] as string
        for (;;) {
          expect(path.split(/[/\\]/)).not.toContain('.')
          expect(path.split(/[/\\]/)).not.toContain('..')
          const next = path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
          if (next === path) return
          path = next
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('decides soon about the worst it can be given', () => {
    const worst = [
      `/%25${'25'.repeat(4000)}`,
      `/${'.a/'.repeat(2700)}..`,
      `/a${'/'.repeat(8000)} `,
      `/${'a'.repeat(8000)}%`,
    ]
    const start = performance.now()
    for (const target of worst) expect(refuses(target)).toBe(true)
    expect(performance.now() - start).toBeLessThan(200)
  })
})

describe('C10: keyTarget', () => {
  const drop = { drop: ['sig', 'X y'] }
  it.each([
    ['forward', '/a?b=1', 'forward', '/a?b=1'],
    ['forward keeps an empty query apart', '/a?', 'forward', '/a?'],
    ['ignore', '/a?b=1?c', 'ignore', '/a'],
    ['ignore, no query', '/a', 'ignore', '/a'],
    ['drop the only one', '/a?sig=1', drop, '/a'],
    ['drop without a value', '/a?sig', drop, '/a'],
    ['drop one of several, the others byte for byte', '/a?z=%7e+1&sig=2&b&&c=%2B', drop, '/a?z=%7e+1&b&&c=%2B'],
    ['drop every occurrence', '/a?sig=1&b=1&sig=2', drop, '/a?b=1'],
    ['drop an encoded name', '/a?s%69g=1&X%20y=2&b', drop, '/a?b'],
    ['drop nothing', '/a?b=sig', drop, '/a?b=sig'],
    ['drop nothing of an empty query', '/a?', drop, '/a?'],
    ['a malformed name is itself', '/a?%zz=1', drop, '/a?%zz=1'],
  ] as const)('%s', (_, target, policy, key) => {
    expect(keyTarget(target, policy)).toBe(key)
  })
})

it('pathOf is what globs see', () => {
  expect(pathOf('/jdk/a%2Bb.tgz?x=/y')).toBe('jdk/a%2Bb.tgz')
  expect(pathOf('/')).toBe('')
})

it('C10: four spellings are four keys', () => {
  const keys = ['/a%2Bb', '/a+b', '/a%20b', '/a%2bb'].map((target) => cacheKey('r', target))
  expect(new Set(keys).size).toBe(4)
  expect(keys[0]).toBe('r/a%2Bb')
})

describe('D5: storageKey', () => {
  const path = fc.string({
    unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })

  it('is drawn as promised', () => {
    expect(storageKey('lang-jvm/jdk/a.tgz?x')).toMatch(/^v1\/lang-jvm\/jdk\/a\.tgz\?x\/[0-9a-f]{64}$/)
    expect(storageKey('r/\u00e9~! %41')).toMatch(/^v1\/r\/~00e9~007e!0021!0020%41\/[0-9a-f]{64}$/)
  })

  it('is at most 1024 bytes of printable ASCII', () => {
    const key = storageKey(`${'r'.repeat(255)}/${'\u00e9'.repeat(8192)}`)
    expect(key.length).toBe(3 + 255 + 1 + 700 + 1 + 64)
    expect(key).toMatch(/^[!-~]+$/)
  })

  it('tells long keys apart that differ only at their end', () => {
    const long = `r/${'a'.repeat(5000)}`
    expect(storageKey(`${long}1`)).not.toBe(storageKey(`${long}2`))
  })

  it('tells any two keys apart', () => {
    fc.assert(
      fc.property(path, path, (a, b) => {
        expect(storageKey(`r/${a}`) === storageKey(`r/${b}`)).toBe(a === b)
      }),
    )
  })

  it('is listed under every prefix of its path', () => {
    fc.assert(
      fc.property(path, fc.nat(2000), fc.nat(80), (tail, filler, length) => {
        const whole = tail.slice(0, length) + 'x'.repeat(filler) + tail.slice(length)
        expect(storageKey(`r/${whole}`).startsWith(storagePrefix('r', whole.slice(0, length + 700)))).toBe(true)
      }),
    )
  })

  it('sorts as the paths do', () => {
    fc.assert(
      fc.property(path, path, (a, b) => {
        expect(storagePrefix('r', a) < storagePrefix('r', b)).toBe(a < b)
      }),
    )
  })

  it('a whole repository, and only that one', () => {
    expect(storageKey('r/a').startsWith(storagePrefix('r'))).toBe(true)
    expect(storageKey('r2/a').startsWith(storagePrefix('r'))).toBe(false)
  })
})
