import { describe, expect, it } from 'vitest'
import type { CachingPolicy } from '../../src/caching/repository.js'
import { storable, storedHeaders } from '../../src/caching/storable.js'
import { artifact, httpDate, rfc9111, rule, t0 } from './fixtures.js'

interface Case {
  readonly policy?: CachingPolicy
  readonly request?: string[]
  readonly status?: number
  readonly headers?: string[]
}

/** `true`, or why not. */
function verdict({ policy = artifact, request = [], status = 200, headers = [] }: Case): true | string {
  const result = storable({ headers: request }, { status, headers }, 'a.tgz', policy)
  return result.store || result.why
}

const cc = (value: string) => ['Cache-Control', value]
const authorization = ['Authorization', 'Bearer x']
const targeted = { targetedFields: ['cdn-cache-control'] }

describe('K1: storable in profile artifact', () => {
  it.each<[string, Case, true | string]>([
    ['a bare 200', {}, true],
    ['203', { status: 203 }, true],
    ['204', { status: 204 }, 'status'],
    ['206', { status: 206 }, 'range'],
    ['301', { status: 301, headers: cc('max-age=60') }, 'status'],
    ['304', { status: 304 }, 'status'],
    ['404', { status: 404, headers: cc('max-age=60') }, 'status'],
    ['500', { status: 500 }, 'status'],
    ['no-cache', { headers: cc('no-cache') }, true],
    ['max-age=0', { headers: cc('max-age=0') }, true],
    ['no-store', { headers: cc('max-age=60, no-store') }, 'no-store'],
    ['private', { headers: cc('private') }, 'private'],
    ['qualified private', { headers: cc('private="x"') }, 'private'],
    ['Vary', { headers: ['Vary', 'Accept'] }, true],
    ['Vary: *', { headers: ['Vary', '*'] }, 'vary'],
    ['Vary: * within a list', { headers: ['Vary', 'Accept', 'Vary', 'x, *'] }, 'vary'],
    ['Set-Cookie', { headers: ['Set-Cookie', 'a=b'] }, true],
    ['a request no-store, ignored', { request: cc('no-store') }, true],
    [
      'a request no-store, honoured',
      { request: cc('no-store'), policy: { ...artifact, clientCacheControl: 'honour' } },
      'no-store',
    ],
    ['Authorization', { request: authorization }, 'authorization'],
    ['Authorization and max-age', { request: authorization, headers: cc('max-age=60') }, 'authorization'],
    [
      'Authorization and proxy-revalidate',
      { request: authorization, headers: cc('proxy-revalidate') },
      'authorization',
    ],
    ['Authorization and public', { request: authorization, headers: cc('public') }, true],
    ['Authorization and s-maxage', { request: authorization, headers: cc('s-maxage=60') }, true],
    ['Authorization and s-maxage=0', { request: authorization, headers: cc('s-maxage=0') }, true],
    ['Authorization and must-revalidate', { request: authorization, headers: cc('must-revalidate') }, true],
    ['Cookie', { request: ['Cookie', 'a=b'], headers: cc('max-age=60') }, 'cookie'],
    ['Cookie and public', { request: ['Cookie', 'a=b'], headers: cc('public') }, true],
    ['Authorization, public and private', { request: authorization, headers: cc('public, private') }, 'private'],
    ['a targeted field not listed', { headers: ['CDN-Cache-Control', 'no-store'] }, true],
    [
      'a targeted field listed',
      { headers: ['CDN-Cache-Control', 'no-store'], policy: { ...artifact, ...targeted } },
      'no-store',
    ],
    [
      'a targeted field over no-store',
      { headers: ['CDN-Cache-Control', 'max-age=1', ...cc('no-store')], policy: { ...artifact, ...targeted } },
      true,
    ],
  ])('%s', (_, given, expected) => {
    expect(verdict(given)).toBe(expected)
  })

  const forcing: CachingPolicy = { ...artifact, freshness: [rule('a', 60, { force: true })] }

  it.each<[string, Case]>([
    ['no-store', { headers: cc('no-store') }],
    ['private', { headers: cc('private') }],
    ['Vary: *', { headers: ['Vary', '*'] }],
    ['Authorization', { request: authorization }],
  ])('force stores in spite of %s', (_, given) => {
    expect(verdict({ ...given, policy: forcing })).toBe(true)
    expect(verdict({ ...given, policy: { ...artifact, freshness: [rule('a', 60)] } })).not.toBe(true)
    expect(verdict({ ...given, policy: { ...artifact, freshness: [rule('b', 60, { force: true })] } })).not.toBe(true)
    expect(verdict({ ...given, policy: { ...forcing, profile: 'rfc9111' } })).not.toBe(true)
  })

  it('the first rule that fits decides about force', () => {
    const policy = { ...artifact, freshness: [rule('a', 60), rule('', 60, { force: true })] }
    expect(verdict({ headers: cc('no-store'), policy })).toBe('no-store')
  })

  it('force makes no artifact of an error', () => {
    expect(verdict({ status: 404, policy: forcing })).toBe('status')
  })
})

describe('RFC 9111 §3: storable in profile rfc9111', () => {
  const etag = ['ETag', '"a"']
  const lm = ['Last-Modified', httpDate(t0)]
  it.each<[string, Case, true | string]>([
    ['neither lifetime nor validator', {}, 'no-validator-or-lifetime'],
    ['max-age', { headers: cc('max-age=60') }, true],
    ['s-maxage', { headers: cc('s-maxage=60') }, true],
    ['Expires', { headers: ['Expires', httpDate(t0)] }, true],
    ['Expires behind Date', { headers: ['Expires', httpDate(t0), 'Date', httpDate(t0)] }, 'no-validator-or-lifetime'],
    ['invalid Expires', { headers: ['Expires', '0'] }, 'no-validator-or-lifetime'],
    ['max-age=0', { headers: cc('max-age=0') }, 'no-validator-or-lifetime'],
    ['stale, but open to validation', { headers: [...cc('max-age=0'), ...etag] }, true],
    ['stale, but allowed for a while', { headers: cc('max-age=0, stale-if-error=60') }, true],
    ['stale, but served while validated', { headers: cc('max-age=0, stale-while-revalidate=60') }, true],
    ['stale on arrival by Age', { headers: [...cc('max-age=60'), 'Age', '100'] }, true],
    ['a validator alone', { headers: etag }, true],
    ['Last-Modified alone', { headers: lm }, true],
    ['no-cache and a validator', { headers: [...cc('no-cache'), ...lm] }, true],
    ['no-cache without one', { headers: cc('no-cache, max-age=60') }, 'no-validator-or-lifetime'],
    ['public alone', { headers: cc('public') }, 'no-validator-or-lifetime'],
    ['404 with max-age', { status: 404, headers: cc('max-age=60') }, true],
    ['404 with a validator', { status: 404, headers: etag }, true],
    ['302 with max-age', { status: 302, headers: cc('max-age=60') }, true],
    ['302 with a validator alone', { status: 302, headers: etag }, 'no-validator-or-lifetime'],
    ['302, public, with a validator', { status: 302, headers: [...cc('public'), ...etag] }, true],
    ['599 with max-age', { status: 599, headers: cc('max-age=60') }, true],
    ['599, must-understand', { status: 599, headers: cc('max-age=60, must-understand') }, 'status'],
    ['200, must-understand', { headers: cc('max-age=60, must-understand') }, true],
    ['200, must-understand lifts no-store', { headers: cc('max-age=60, must-understand, no-store') }, true],
    ['599, must-understand, no-store', { status: 599, headers: cc('max-age=60, must-understand, no-store') }, 'status'],
    ['no-store', { headers: [...cc('no-store'), ...etag] }, 'no-store'],
    ['private', { headers: cc('private, max-age=60') }, 'private'],
    ['206', { status: 206, headers: cc('max-age=60') }, 'range'],
    ['304', { status: 304, headers: cc('max-age=60') }, 'status'],
    ['103', { status: 103, headers: cc('max-age=60') }, 'status'],
    ['Vary: *', { headers: [...cc('max-age=60'), 'Vary', '*'] }, 'vary'],
    ['a request no-store', { request: cc('no-store'), headers: cc('max-age=60') }, 'no-store'],
    ['Authorization', { request: authorization, headers: cc('max-age=60') }, 'authorization'],
    ['Authorization and public', { request: authorization, headers: cc('max-age=60, public') }, true],
  ])('%s', (_, given, expected) => {
    expect(verdict({ policy: rfc9111, ...given })).toBe(expected)
  })
})

describe('C2: storedHeaders', () => {
  it.each([
    'Set-Cookie',
    'set-cookie2',
    'Alt-Svc',
    'Strict-Transport-Security',
    'Clear-Site-Data',
    'Content-Length',
    'Accept-Ranges',
    'Connection',
    'Transfer-Encoding',
  ])('drops %s', (name) => {
    expect(storedHeaders([name, 'x'])).toEqual([])
  })

  it.each(['Age', 'Cache-Status', 'Repr-Digest', 'X-Checksum-Sha256', 'Content-Encoding', 'x-amz-request-id'])(
    'keeps %s',
    (name) => {
      expect(storedHeaders([name, 'x'])).toEqual([name, 'x'])
    },
  )

  it('gives the usual spelling and drops what Connection lists', () => {
    const headers = ['connection', 'x-hop', 'x-hop', '1', 'etag', '"a"', 'Via', '1', 'via', '2']
    expect(storedHeaders(headers)).toEqual(['ETag', '"a"', 'Via', '1', 'Via', '2'])
  })
})
