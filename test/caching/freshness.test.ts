import fc from 'fast-check'
import CachePolicy from 'http-cache-semantics'
import { describe, expect, it } from 'vitest'
import { currentAge, freshness, timeToLive } from '../../src/caching/freshness.js'
import type { RawHeaders } from '../../src/caching/headers.js'
import type { StoredResponse } from '../../src/caching/record.js'
import { artifact, httpDate, rfc9111, rule, stored, t0 } from './fixtures.js'

const day = 86_400
const dated = (...headers: string[]) => ['Date', httpDate(t0), ...headers]

const lifetime = (headers: RawHeaders, overrides: Partial<StoredResponse> = {}) =>
  freshness(stored(headers, overrides), 'a', rfc9111).lifetime

describe('the lifetime the remote gives (RFC 9111 §4.2.1)', () => {
  it.each([
    ['max-age', ['Cache-Control', 'max-age=60'], 60],
    ['s-maxage over a longer max-age', ['Cache-Control', 'max-age=60, s-maxage=1'], 1],
    ['s-maxage over a shorter max-age', ['Cache-Control', 'max-age=1, s-maxage=60'], 60],
    ['s-maxage on a line of its own', ['Cache-Control', 'max-age=1', 'Cache-Control', 's-maxage=60'], 60],
    ['max-age over a past Expires', ['Cache-Control', 'max-age=60', 'Expires', httpDate(0)], 60],
    ['max-age=0 over a future Expires', ['Cache-Control', 'max-age=0', 'Expires', httpDate(t0 + 1e6)], 0],
    ['an invalid max-age over a future Expires', ['Cache-Control', 'max-age=x', 'Expires', httpDate(t0 + 1e6)], 0],
    ['Expires', ['Expires', httpDate(t0 + 60_000)], 60],
    ['Expires at Date', ['Expires', httpDate(t0)], 0],
    ['a past Expires', ['Expires', httpDate(t0 - 60_000)], 0],
    ['Expires: 0', ['Expires', '0'], 0],
    ['Expires: -1', ['Expires', '-1'], 0],
    ['an Expires in another zone', ['Expires', 'Thu, 18 Aug 2050 02:01:18 UTC'], 0],
    ['two Expires', ['Expires', httpDate(t0 + 60_000), 'Expires', httpDate(t0 + 60_000)], 0],
    ['an invalid Expires silences the heuristic', ['Expires', '0', 'Last-Modified', httpDate(t0 - 1e9)], 0],
    ['no-cache', ['Cache-Control', 'max-age=60, no-cache'], 0],
    ['nothing', [], 0],
  ])('%s', (_, headers, seconds) => {
    expect(lifetime(dated(...headers))).toBe(seconds)
  })

  it('Expires counts from Date, not from when it came', () => {
    expect(lifetime(['Date', httpDate(t0 - 30_000), 'Expires', httpDate(t0 + 60_000)])).toBe(90)
  })

  it.each([
    ['missing', []],
    ['invalid', ['Date', 'yesterday']],
  ])('with a Date %s Expires counts from the response time', (_, date) => {
    expect(lifetime([...date, 'Expires', httpDate(t0 + 60_000)])).toBe(60)
  })

  it('K1: a targeted field replaces Cache-Control and Expires (RFC 9213)', () => {
    const headers = ['CDN-Cache-Control', 'max-age=5', 'Cache-Control', 'max-age=60, no-cache']
    const f = freshness(stored(headers), 'a', { ...rfc9111, targetedFields: ['cdn-cache-control'] })
    expect(f).toMatchObject({ lifetime: 5, noCache: false })
  })
})

describe('the heuristic lifetime (RFC 9111 §4.2.2)', () => {
  const old = ['Last-Modified', httpDate(t0 - 1000_000)]

  it.each([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])(
    'a tenth of the unchanged time for %i',
    (status) => {
      expect(freshness(stored(dated(...old), { status }), 'a', rfc9111)).toMatchObject({
        lifetime: 100,
        heuristic: true,
      })
    },
  )

  it.each([201, 302, 403, 500, 599])('none for %i', (status) => {
    expect(freshness(stored(dated(...old), { status }), 'a', rfc9111)).toMatchObject({ lifetime: 0, heuristic: false })
  })

  it('any status where it is public', () => {
    expect(lifetime(dated(...old, 'Cache-Control', 'public'), { status: 599 })).toBe(100)
  })

  it.each([
    ['in the future', httpDate(t0 + 1000)],
    ['invalid', 'long ago'],
  ])('none from a Last-Modified %s', (_, value) => {
    expect(lifetime(dated('Last-Modified', value))).toBe(0)
  })

  it('without Date it counts from the response time', () => {
    expect(lifetime(old)).toBe(100)
  })
})

describe('K1: profile artifact', () => {
  const withRules = { ...artifact, freshness: [rule('jdk/', Number.POSITIVE_INFINITY), rule('', 300)] }

  it.each([
    ['the first rule that fits', 'jdk/a.tgz', [], Number.POSITIVE_INFINITY],
    ['the next rule', 'b.tgz', [], 300],
    ['a rule over max-age', 'b.tgz', ['Cache-Control', 'max-age=60'], 300],
    ['a rule over no-cache', 'b.tgz', ['Cache-Control', 'no-cache'], 300],
    ['a rule over Expires: 0', 'b.tgz', ['Expires', '0'], 300],
  ])('%s', (_, path, headers, seconds) => {
    expect(freshness(stored(headers), path, withRules)).toMatchObject({ lifetime: seconds, noCache: false })
  })

  it.each([
    ['the repository where the remote says nothing', [], day],
    ['no heuristic', dated('Last-Modified', httpDate(t0 - 1000_000)), day],
    ['the remote', ['Cache-Control', 'max-age=60'], 60],
    ['the remote, stale at once', ['Expires', '0'], 0],
    ['the remote, no-cache', ['Cache-Control', 'no-cache'], 0],
  ])('without a rule: %s', (_, headers, seconds) => {
    expect(freshness(stored(headers), 'a', artifact)).toMatchObject({ lifetime: seconds, heuristic: false })
  })

  it.each([
    ['a rule', withRules, 300],
    ['the repository', artifact, day],
  ])('a lifetime of %s counts from when it came, however old it was at a CDN', (_, policy, seconds) => {
    const f = freshness(stored(dated('Age', '1000000')), 'b.tgz', policy)
    expect(currentAge(f, t0)).toBe(1_000_000)
    expect(timeToLive(f, t0)).toBe(seconds)
  })

  it('the lifetime of the remote counts from the origin', () => {
    const f = freshness(stored(dated('Age', '50', 'Cache-Control', 'max-age=60')), 'a', artifact)
    expect(timeToLive(f, t0)).toBe(10)
  })

  it('for ever stays for ever', () => {
    const f = freshness(stored([]), 'jdk/a', withRules)
    expect(timeToLive(f, t0 + 1e15)).toBe(Number.POSITIVE_INFINITY)
  })

  it('rfc9111 has no rules and no lifetime of the repository', () => {
    const f = freshness(stored([]), 'jdk/a', { ...withRules, profile: 'rfc9111' })
    expect(f.lifetime).toBe(0)
  })
})

describe('the age (RFC 9111 §4.2.3)', () => {
  it.each([
    ['none', [], 0],
    ['Age', ['Age', '50'], 50],
    ['leading zeros', ['Age', '0050'], 50],
    ['the first member', ['Age', '50, 0'], 50],
    ['the first member, the younger', ['Age', '0,50'], 0],
    ['the first line', ['Age', '50', 'Age', '0'], 50],
    ['the first valid member', ['Age', 'abc, 50'], 50],
    ['negative', ['Age', '-50'], 0],
    ['decimal', ['Age', '50.0'], 0],
    ['quoted', ['Age', '"50"'], 0],
    ['empty', ['Age', ''], 0],
    ['2^31', ['Age', '2147483648'], 2 ** 31],
    ['above 2^31', ['Age', '99999999999999'], 2 ** 31],
  ])('of %s', (_, headers, seconds) => {
    expect(freshness(stored(dated(...headers)), 'a', rfc9111).initialAge).toBe(seconds)
  })

  it.each([
    ['a Date in the past', -100_000, '0', 100],
    ['a Date in the past beside a larger Age', -100_000, '200', 200],
    ['a Date in the future', 100_000, '7', 7],
  ])('of %s', (_, offset, age, seconds) => {
    const headers = ['Date', new Date(t0 + offset).toUTCString(), 'Age', age]
    expect(freshness(stored(headers), 'a', rfc9111).initialAge).toBe(seconds)
  })

  it.each([
    ['the fraction of a second a Date has lost is no age', 999, 0],
    ['a whole second is', 1000, 1],
  ])('%s', (_, late, seconds) => {
    const times = { requestTime: t0 + late, responseTime: t0 + late }
    expect(freshness(stored(dated(), times), 'a', rfc9111).initialAge).toBe(seconds)
  })

  it('the time the response was under way adds to Age', () => {
    const f = freshness(stored(dated('Age', '5'), { requestTime: t0 - 1500 }), 'a', rfc9111)
    expect(f.initialAge).toBe(6.5)
  })

  it('a clock set back between request and response takes nothing off', () => {
    expect(freshness(stored(['Age', '5'], { requestTime: t0 + 9000 }), 'a', rfc9111).initialAge).toBe(5)
  })

  it('grows with the time it is here', () => {
    const f = freshness(stored(dated('Age', '5')), 'a', rfc9111)
    expect(currentAge(f, t0)).toBe(5)
    expect(currentAge(f, t0 + 2500)).toBe(7.5)
    expect(currentAge(f, t0 - 9000)).toBe(5)
  })

  it('never falls while the clock goes on', () => {
    const ages = fc.record({ age: fc.nat(), date: fc.integer({ min: -1e9, max: 1e9 }), delay: fc.nat(60_000) })
    fc.assert(
      fc.property(ages, fc.nat(), fc.nat(), ({ age, date, delay }, a, b) => {
        const headers = ['Age', String(age), 'Date', httpDate(t0 + date)]
        const f = freshness(stored(headers, { requestTime: t0 - delay }), 'a', rfc9111)
        const earlier = t0 + Math.min(a, b)
        const later = t0 + Math.max(a, b)
        expect(currentAge(f, later)).toBeGreaterThanOrEqual(currentAge(f, earlier))
        expect(currentAge(f, earlier)).toBeGreaterThanOrEqual(age)
      }),
    )
  })
})

describe('what may be done with it when stale', () => {
  it.each([
    ['nothing said', '', {}],
    ['must-revalidate', 'must-revalidate', { mustRevalidate: true }],
    ['proxy-revalidate', 'proxy-revalidate', { mustRevalidate: true }],
    ['s-maxage', 's-maxage=1', { mustRevalidate: true }],
    ['no-cache', 'no-cache', { noCache: true }],
    ['qualified no-cache', 'no-cache="x"', { noCache: true }],
    ['RFC 5861', 'stale-while-revalidate=7, stale-if-error=8', { staleWhileRevalidate: 7, staleIfError: 8 }],
    ['RFC 5861, invalid', 'stale-while-revalidate=x, stale-if-error=-1', {}],
  ])('%s', (_, value, facts) => {
    const neutral = { mustRevalidate: false, noCache: false, staleWhileRevalidate: 0, staleIfError: 0 }
    expect(freshness(stored(['Cache-Control', value]), 'a', rfc9111)).toMatchObject({ ...neutral, ...facts })
  })

  it.each([
    ['the repository where the response says nothing', '', 30],
    ['the response', 'stale-while-revalidate=7', 7],
    ['the response that wants none', 'stale-while-revalidate=0', 0],
  ])('K2: staleWhileRevalidate of %s', (_, value, seconds) => {
    const policy = { ...artifact, staleWhileRevalidate: 30 }
    expect(freshness(stored(['Cache-Control', value]), 'a', policy).staleWhileRevalidate).toBe(seconds)
  })
})

describe('beside http-cache-semantics, where it reads the RFC as we do', () => {
  /** Its clock is a method, to be replaced. It leaves Date out of the age, so ours is that of the arrival. */
  function oracle(headers: Record<string, string>, now: number): CachePolicy {
    const at = (time: number) =>
      class extends CachePolicy {
        now() {
          return time
        }
      }
    const policy = new (at(t0))({ headers: {} }, { status: 200, headers }, { shared: true })
    return (at(now) as unknown as { fromObject(o: unknown): CachePolicy }).fromObject(policy.toObject())
  }

  const seconds = fc.oneof(fc.nat(100), fc.nat(1_000_000))
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
  const response = fc.record({
    maxAge: optional(seconds),
    sMaxAge: optional(seconds),
    expires: optional(
      fc.oneof(
        fc.constant('0'),
        fc.integer({ min: -1e6, max: 1e6 }).map((s) => httpDate(t0 + s * 1000)),
      ),
    ),
    lastModified: optional(fc.nat(10_000_000).map((s) => httpDate(t0 - s * 1000))),
    age: optional(seconds),
    date: fc.boolean(),
  })

  it('lifetime and age agree', () => {
    fc.assert(
      fc.property(response, fc.nat(1_000_000), ({ maxAge, sMaxAge, expires, lastModified, age, date }, resident) => {
        const directives = [
          ...(maxAge === undefined ? [] : [`max-age=${maxAge}`]),
          ...(sMaxAge === undefined ? [] : [`s-maxage=${sMaxAge}`]),
        ].join(', ')
        const headers = {
          ...(directives && { 'cache-control': directives }),
          ...(expires && { expires }),
          ...(lastModified && { 'last-modified': lastModified }),
          ...(age !== undefined && { age: String(age) }),
          ...(date && { date: httpDate(t0) }),
        }
        const now = t0 + resident * 1000
        const theirs = oracle(headers, now)
        const ours = freshness(stored(Object.entries(headers).flat()), 'a', rfc9111)
        expect(ours.lifetime).toBeCloseTo((theirs as unknown as { maxAge(): number }).maxAge(), 6)
        expect(currentAge(ours, now)).toBeCloseTo(theirs.age(), 6)
        if (Math.abs(timeToLive(ours, now)) > 1e-6) expect(timeToLive(ours, now) <= 0).toBe(theirs.stale())
      }),
      { numRuns: 1000 },
    )
  })
})
