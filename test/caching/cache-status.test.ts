import { describe, expect, it } from 'vitest'
import { type CacheOutcome, cacheStatus } from '../../src/caching/cache-status.js'

describe('C3: cacheStatus (RFC 9211)', () => {
  it.each<[CacheOutcome, string]>([
    [{ outcome: 'hit', ttl: 376 }, 'larder; hit; ttl=376'],
    [{ outcome: 'hit' }, 'larder; hit'],
    [{ outcome: 'stale', ttl: -12 }, 'larder; hit; ttl=-12'],
    [{ outcome: 'stale', fwd: 'stale', fwdStatus: 503 }, 'larder; fwd=stale; fwd-status=503'],
    [{ outcome: 'stale', fwd: 'stale' }, 'larder; fwd=stale'],
    [{ outcome: 'stale', fwd: 'stale', fwdStatus: 503, ttl: -12 }, 'larder; fwd=stale; fwd-status=503; ttl=-12'],
    [{ outcome: 'revalidated' }, 'larder; fwd=stale; fwd-status=304'],
    [{ outcome: 'revalidated', fwd: 'request', ttl: 60 }, 'larder; fwd=request; fwd-status=304; ttl=60'],
    [{ outcome: 'miss', stored: true }, 'larder; fwd=uri-miss; stored'],
    [{ outcome: 'miss', collapsed: true }, 'larder; fwd=uri-miss; collapsed'],
    [{ outcome: 'miss', fwd: 'vary-miss', fwdStatus: 200, stored: false }, 'larder; fwd=vary-miss; fwd-status=200'],
    [{ outcome: 'miss', fwd: 'stale', stored: true, collapsed: true }, 'larder; fwd=stale; stored; collapsed'],
    [{ outcome: 'bypass' }, 'larder; fwd=bypass'],
    [{ outcome: 'negative', ttl: 60 }, 'larder; hit; ttl=60'],
    [{ outcome: 'error' }, 'larder'],
    [{ outcome: 'error', fwd: 'uri-miss', fwdStatus: 502 }, 'larder; fwd=uri-miss; fwd-status=502'],
  ])('%j', (outcome, value) => {
    expect(cacheStatus(outcome)).toBe(value)
  })

  it.each([
    ['a fraction below', 0.9, '; ttl=0'],
    ['just stale', -0.1, '; ttl=-1'],
    ['zero', -0, '; ttl=0'],
    ['for ever', Number.POSITIVE_INFINITY, ''],
    ['stale for ever', Number.NEGATIVE_INFINITY, ''],
    ['no number', Number.NaN, ''],
    ['the largest Integer', 999_999_999_999_999, '; ttl=999999999999999'],
    ['beyond it', 1e21, '; ttl=999999999999999'],
    ['beyond the smallest', -1e21, '; ttl=-999999999999999'],
  ])('ttl: %s', (_, ttl, parameter) => {
    expect(cacheStatus({ outcome: 'hit', ttl })).toBe(`larder; hit${parameter}`)
  })

  it.each([
    ['a token', 'breaker-open', 'breaker-open'],
    ['a code', 'UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT'],
    ['a space', 'no room', '"no room"'],
    ['a digit first', '5xx', '"5xx"'],
    ['empty', '', '""'],
    ['quotes and backslashes', 'a"b\\c', '"a\\"b\\\\c"'],
    ['a line break', 'a\r\nX: y', '"a??X: y"'],
    ['other letters', 'é', '"?"'],
    ['separators', 'a; hit', '"a; hit"'],
  ])('detail: %s', (_, detail, value) => {
    expect(cacheStatus({ outcome: 'error', detail })).toBe(`larder; detail=${value}`)
  })
})
