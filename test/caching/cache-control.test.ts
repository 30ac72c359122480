import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { governing, longestDelta, parseCacheControl } from '../../src/caching/cache-control.js'

describe('parseCacheControl', () => {
  it.each([
    ['nothing', [], {}],
    ['an empty line', [''], {}],
    ['flags', ['no-cache, no-store, private'], { noCache: true, noStore: true, private: true }],
    [
      'more flags',
      ['public,must-revalidate, proxy-revalidate'],
      { public: true, mustRevalidate: true, proxyRevalidate: true },
    ],
    [
      'rare flags',
      ['must-understand, immutable, no-transform'],
      { mustUnderstand: true, immutable: true, noTransform: true },
    ],
    ['times', ['max-age=1, s-maxage=2'], { maxAge: 1, sMaxAge: 2 }],
    ['RFC 5861', ['stale-while-revalidate=3, stale-if-error=4'], { staleWhileRevalidate: 3, staleIfError: 4 }],
    ['of a request', ['only-if-cached, min-fresh=5, max-stale=6'], { onlyIfCached: true, minFresh: 5, maxStale: 6 }],
    ['any case', ['MaX-aGe=3600, NO-Store'], { maxAge: 3600, noStore: true }],
    ['several lines', ['max-age=1', 'public'], { maxAge: 1, public: true }],
    ['unknown directives', ['foobar, a=b, max-age=3600'], { maxAge: 3600 }],
    ['names of other objects', ['constructor, __proto__=1, toString'], {}],
    ['a quoted time', ['max-age="3600"'], { maxAge: 3600 }],
    ['qualified no-cache', ['no-cache="Set-Cookie, X"'], { noCache: true }],
    ['qualified private', ['private="X-User", max-age=9'], { private: true, maxAge: 9 }],
    ['a directive inside a quoted string', ['extension="max-age=3600", max-age=1'], { maxAge: 1 }],
    ['no-store behind a quote never closed', ['a="b, no-store'], { noStore: true }],
    ['max-stale without bound', ['max-stale'], { maxStale: Number.POSITIVE_INFINITY }],
    ['max-stale with and without', ['max-stale, max-stale=5'], { maxStale: 5 }],
    ['leading zeros', ['max-age=003600'], { maxAge: 3600 }],
    ['2^31 - 1', ['max-age=2147483647'], { maxAge: 2147483647 }],
    ['2^31', ['max-age=2147483648'], { maxAge: longestDelta }],
    ['above 2^31', ['max-age=99999999999'], { maxAge: longestDelta }],
    ['above every number', [`max-age=${'9'.repeat(400)}`], { maxAge: longestDelta }],
  ])('%s', (_, lines, directives) => {
    expect(parseCacheControl(lines)).toEqual(directives)
  })

  it.each([
    ['no value', 'max-age'],
    ['an empty value', 'max-age='],
    ['an empty quoted value', 'max-age=""'],
    ['a negative one', 'max-age=-3600'],
    ['a decimal', 'max-age=3600.0'],
    ['letters before', 'max-age=a3600'],
    ['letters after', 'max-age=3600a'],
    ['single quotes', "max-age='3600'"],
    ['half a pair of quotes', 'max-age="3600'],
    ['a space before the equals sign', 'max-age =3600'],
    ['a space after it', 'max-age= 3600'],
    ['a semicolon for a comma', 'max-age=3600; public'],
    ['hexadecimal', 'max-age=0x10'],
    ['an exponent', 'max-age=1e3'],
  ])('an invalid max-age is stale: %s', (_, line) => {
    expect(parseCacheControl([line]).maxAge).toBe(0)
  })

  it.each([
    ['shorter last', ['max-age=1800, max-age=1'], 1],
    ['shorter first', ['max-age=1, max-age=1800'], 1],
    ['on two lines', ['max-age=1800', 'max-age=1'], 1],
    ['one of them invalid', ['max-age=1800, max-age=x'], 0],
  ])('a repeated max-age counts at its strictest: %s', (_, lines, maxAge) => {
    expect(parseCacheControl(lines).maxAge).toBe(maxAge)
  })

  it('a repeated min-fresh counts at its strictest, the longest', () => {
    expect(parseCacheControl(['min-fresh=5, min-fresh=10, min-fresh=1']).minFresh).toBe(10)
  })

  it('never throws, and no time is negative or NaN', () => {
    const words = fc.constantFrom('max-age', 's-maxage', '=', ',', '"', '\\', ' ', '5', '-', 'no-store', ';')
    fc.assert(
      fc.property(fc.array(fc.array(words).map((parts) => parts.join(''))), (lines) => {
        const { maxAge = 0, sMaxAge = 0 } = parseCacheControl(lines)
        expect(maxAge).toBeGreaterThanOrEqual(0)
        expect(sMaxAge).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

describe('K1: governing, RFC 9213', () => {
  const targeted = ['larder-cache-control', 'cdn-cache-control']
  const cacheControl = ['Cache-Control', 'no-store', 'Expires', 'x']

  it.each([
    ['a targeted field replaces Cache-Control and Expires', 'max-age=60', { maxAge: 60 }],
    ['parameters are ignored', 'max-age=60;a=1; b="x;y", private;c', { maxAge: 60, private: true }],
    ['unknown directives', 'foobar, ext="a,b", max-age=60', { maxAge: 60 }],
  ])('%s', (_, value, directives) => {
    const headers = [...cacheControl, 'CDN-Cache-Control', value]
    expect(governing(headers, targeted)).toEqual({ directives, expires: undefined })
  })

  it.each([
    ['empty', ''],
    ['no dictionary', 'max-age=60, &&&&&'],
    ['a time as a string', 'max-age="60"'],
    ['a time as a token', 'max-age=soon'],
    ['a time without a value', 'max-age'],
    ['a negative time', 'max-age=-60'],
    ['a key in upper case', 'MaX-aGe=60'],
    ['a space before the equals sign', 'max-age =60'],
    ['a space after it', 'max-age= 60'],
  ])('an invalid targeted field is ignored: %s', (_, value) => {
    const headers = [...cacheControl, 'CDN-Cache-Control', value]
    expect(governing(headers, targeted)).toEqual({ directives: { noStore: true }, expires: 'x' })
  })

  it('takes the first in the order of the list, not of the response', () => {
    const headers = ['CDN-Cache-Control', 'max-age=1', 'Larder-Cache-Control', 'max-age=2']
    expect(governing(headers, targeted).directives).toEqual({ maxAge: 2 })
  })

  it('goes on to the next where the first is invalid', () => {
    const headers = ['Larder-Cache-Control', '&', 'CDN-Cache-Control', 'max-age=1']
    expect(governing(headers, targeted).directives).toEqual({ maxAge: 1 })
  })

  it('knows no targeted field that is not listed', () => {
    expect(governing([...cacheControl, 'CDN-Cache-Control', 'max-age=1'], []).directives).toEqual({ noStore: true })
  })

  it('several Expires are none of them', () => {
    expect(governing(['Expires', 'a', 'Expires', 'b'], []).expires).toBe('a, b')
  })
})
