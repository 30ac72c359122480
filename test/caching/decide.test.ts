import { describe, expect, it } from 'vitest'
import { parseCacheControl } from '../../src/caching/cache-control.js'
import { answersToo, type Decision, decide, mayServeStale, requestFacts } from '../../src/caching/decide.js'
import type { Freshness } from '../../src/caching/freshness.js'
import { artifact, rfc9111, t0 } from './fixtures.js'

const base: Freshness = {
  lifetime: 60,
  initialAge: 0,
  responseTime: t0,
  noCache: false,
  invalidated: false,
  mustRevalidate: false,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  heuristic: false,
}
const at = (seconds: number) => t0 + seconds * 1000
const asking = (value: string) => ({ directives: parseCacheControl([value]), pragmaNoCache: false })
const nothing = { directives: undefined, pragmaNoCache: false }
const reuse = (ttl: number, revalidate = false): Decision => ({ action: 'reuse', ttl, revalidate })
const stale: Decision = { action: 'validate', why: 'stale' }
const asked: Decision = { action: 'validate', why: 'request' }

describe('decide: what is stored (RFC 9111 §4)', () => {
  it.each<[string, Partial<Freshness>, number, Decision]>([
    ['fresh', {}, 0, reuse(60)],
    ['the last instant it is fresh', {}, 59.999, reuse(0.001)],
    ['the instant it turns stale', {}, 60, stale],
    ['stale', {}, 61, stale],
    ['aged on arrival', { initialAge: 60 }, 0, stale],
    ['for ever', { lifetime: Number.POSITIVE_INFINITY }, 1e9, reuse(Number.POSITIVE_INFINITY)],
    ['no-cache', { noCache: true }, 0, stale],
    ['must-revalidate while fresh', { mustRevalidate: true }, 0, reuse(60)],
    ['K2: the instant staleWhileRevalidate begins', { staleWhileRevalidate: 30 }, 60, reuse(0, true)],
    ['K2: within it', { staleWhileRevalidate: 30 }, 75, reuse(-15, true)],
    ['K2: the instant it ends', { staleWhileRevalidate: 30 }, 90, stale],
    ['K2: must-revalidate forbids it', { staleWhileRevalidate: 30, mustRevalidate: true }, 75, stale],
    ['K2: no-cache forbids it', { staleWhileRevalidate: 30, noCache: true }, 75, stale],
  ])('%s', (_, facts, seconds, decision) => {
    const result = decide({ freshness: { ...base, ...facts } }, false, nothing, at(seconds))
    if (result.action === 'reuse' && decision.action === 'reuse') {
      expect(result.ttl).toBeCloseTo(decision.ttl, 9)
      expect(result.revalidate).toBe(decision.revalidate)
    } else {
      expect(result).toEqual(decision)
    }
  })

  it.each([
    ['nothing at all', false, 'uri-miss'],
    ['other variants only', true, 'vary-miss'],
  ])('%s', (_, others, why) => {
    expect(decide(undefined, others, nothing, t0)).toEqual({ action: 'fetch', why })
  })
})

describe('decide: what the request asks (RFC 9111 §5.2.1)', () => {
  it.each<[string, string, Partial<Freshness>, number, Decision]>([
    ['no-cache', 'no-cache', {}, 0, asked],
    ['max-age above the age', 'max-age=11', {}, 10, reuse(50)],
    ['max-age at the age', 'max-age=10', {}, 10, reuse(50)],
    ['max-age below the age', 'max-age=9', {}, 10, asked],
    ['max-age=0, even at once', 'max-age=0', {}, 0, asked],
    ['max-age counts the age on arrival', 'max-age=10', { initialAge: 11 }, 0, asked],
    ['an invalid max-age is 0', 'max-age=x', {}, 0, asked],
    ['min-fresh below what is left', 'min-fresh=49', {}, 10, reuse(50)],
    ['min-fresh at what is left', 'min-fresh=50', {}, 10, reuse(50)],
    ['min-fresh above what is left', 'min-fresh=51', {}, 10, asked],
    ['max-stale while fresh', 'max-stale=5', {}, 10, reuse(50)],
    ['max-stale within', 'max-stale=5', {}, 64, reuse(-4)],
    ['max-stale at its end', 'max-stale=5', {}, 65, reuse(-5)],
    ['max-stale exceeded', 'max-stale=5', {}, 66, stale],
    ['max-stale without bound', 'max-stale', {}, 1e6, reuse(60 - 1e6)],
    ['max-stale and must-revalidate', 'max-stale', { mustRevalidate: true }, 61, stale],
    ['max-stale and no-cache of the response', 'max-stale', { noCache: true }, 0, stale],
    ['K5: purged softly, however fresh', 'min-fresh=1', { invalidated: true }, 0, stale],
    ['K5: purged softly and staleWhileRevalidate', 'x', { invalidated: true, staleWhileRevalidate: 10 }, 65, stale],
    ['K5: purged softly and max-stale', 'max-stale', { invalidated: true }, 0, stale],
    ['max-stale beyond staleWhileRevalidate', 'max-stale=20', { staleWhileRevalidate: 10 }, 75, reuse(-15)],
    ['staleWhileRevalidate before max-stale', 'max-stale=20', { staleWhileRevalidate: 10 }, 65, reuse(-5, true)],
    ['max-age over staleWhileRevalidate', 'max-age=10', { staleWhileRevalidate: 10 }, 65, asked],
    ['min-fresh over staleWhileRevalidate', 'min-fresh=1', { staleWhileRevalidate: 10 }, 65, asked],
    ['no-store and only-if-cached are for others', 'no-store, only-if-cached', {}, 10, reuse(50)],
  ])('%s', (_, value, facts, seconds, decision) => {
    expect(decide({ freshness: { ...base, ...facts } }, false, asking(value), at(seconds))).toEqual(decision)
  })

  it('Pragma: no-cache', () => {
    expect(decide({ freshness: base }, false, { ...nothing, pragmaNoCache: true }, t0)).toEqual(asked)
  })
})

describe('C12: requestFacts', () => {
  const honour = rfc9111
  it.each([
    ['nothing', [], honour, nothing],
    ['Cache-Control', ['Cache-Control', 'max-age=1'], honour, asking('max-age=1')],
    [
      'several lines',
      ['cache-control', 'max-age=1', 'Cache-Control', 'min-fresh=2'],
      honour,
      asking('max-age=1, min-fresh=2'),
    ],
    ['Pragma', ['Pragma', 'no-cache'], honour, { ...nothing, pragmaNoCache: true }],
    ['Pragma in a list and any case', ['Pragma', 'x, No-Cache'], honour, { ...nothing, pragmaNoCache: true }],
    ['another Pragma', ['Pragma', 'x-no-cache'], honour, nothing],
    ['Pragma beside Cache-Control', ['Pragma', 'no-cache', 'Cache-Control', 'x'], honour, asking('x')],
    ['ignored', ['Cache-Control', 'no-cache, no-store, max-age=0', 'Pragma', 'no-cache'], artifact, nothing],
    ['Pragma ignored', ['Pragma', 'no-cache'], artifact, nothing],
    [
      'only-if-cached is always seen, alone',
      ['Cache-Control', 'no-cache, only-if-cached'],
      artifact,
      asking('only-if-cached'),
    ],
    [
      'honoured in artifact by setting',
      ['Cache-Control', 'no-cache'],
      { ...artifact, clientCacheControl: 'honour' as const },
      asking('no-cache'),
    ],
  ])('%s', (_, headers, policy, facts) => {
    expect(requestFacts(headers, policy)).toEqual(facts)
  })
})

describe('K3: mayServeStale', () => {
  const bounded = { ...artifact, maxStale: 100 }
  const strict = { mustRevalidate: true, noCache: true, lifetime: 0 }
  it.each([
    ['artifact: however old', artifact, {}, 1e9, true],
    ['artifact: whatever the remote says', artifact, strict, 1e9, true],
    ['artifact: purged softly', artifact, { invalidated: true, lifetime: Number.POSITIVE_INFINITY }, 10, true],
    ['rfc9111: purged softly, while fresh', rfc9111, { invalidated: true }, 59, true],
    ['rfc9111: purged softly, stale', rfc9111, { invalidated: true }, 60, false],
    ['artifact: while fresh', { ...artifact, maxStale: 0 }, {}, 10, true],
    ['artifact: the last instant of maxStale', bounded, {}, 160, true],
    ['artifact: beyond maxStale', bounded, {}, 160.001, false],
    ['rfc9111: while fresh', rfc9111, {}, 59, true],
    ['rfc9111: fresh, must-revalidate', rfc9111, { mustRevalidate: true, staleIfError: 30 }, 59, true],
    ['rfc9111: fresh, no-cache', rfc9111, { noCache: true, staleIfError: 30 }, 0, false],
    ['rfc9111: stale', rfc9111, {}, 60, false],
    ['rfc9111: within stale-if-error', rfc9111, { staleIfError: 30 }, 89.999, true],
    ['rfc9111: the instant it ends', rfc9111, { staleIfError: 30 }, 90, false],
    ['rfc9111: must-revalidate forbids it', rfc9111, { staleIfError: 30, mustRevalidate: true }, 61, false],
    ['rfc9111: maxStale is not its', { ...rfc9111, maxStale: 1e9 }, {}, 61, false],
  ])('%s', (_, policy, facts, seconds, may) => {
    expect(mayServeStale({ ...base, ...facts }, policy, at(seconds))).toBe(may)
  })
})

describe('answersToo: a response another request brought (RFC 9111 §4)', () => {
  it.each<[string, string, Partial<Freshness>, number, boolean]>([
    ['no-cache, asked before it came', '', { noCache: true }, -1, true],
    ['no-cache, asked the instant it came', '', { noCache: true }, 0, true],
    ['no-cache, asked after', '', { noCache: true }, 0.001, false],
    ['aged on arrival, asked before it came', '', { initialAge: 60 }, -1, true],
    ['aged on arrival, asked after', '', { initialAge: 60 }, 0.001, false],
    ['fresh, asked after', '', {}, 59.999, true],
    ['the instant it turns stale', '', {}, 60, false],
    ['K2: within staleWhileRevalidate', '', { staleWhileRevalidate: 30 }, 61, true],
    ['a request for validation, before it came', 'no-cache', {}, -1, true],
    ['a request for validation, after', 'no-cache', {}, 0.001, false],
  ])('%s', (_, cacheControl, facts, seconds, shared) => {
    expect(answersToo({ ...base, ...facts }, asking(cacheControl), at(seconds))).toBe(shared)
  })
})
