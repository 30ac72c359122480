import { describe, expect, it } from 'vitest'
import { canValidate, conditionalHeaders, freshened, matches304, sameVersion } from '../../src/caching/validation.js'
import { httpDate, stored, t0 } from './fixtures.js'

const lm = httpDate(t0 - 1e6)
const older = httpDate(t0 - 2e6)

describe('K2: conditionalHeaders (RFC 9111 §4.3.1)', () => {
  it.each([
    ['none', [], []],
    ['ETag', ['ETag', 'W/"a"'], ['If-None-Match', 'W/"a"']],
    ['Last-Modified', ['last-modified', lm], ['If-Modified-Since', lm]],
    ['both', ['Last-Modified', lm, 'ETag', '"a"'], ['If-None-Match', '"a"', 'If-Modified-Since', lm]],
    ['empty ones', ['Last-Modified', '', 'ETag', ''], []],
  ])('%s', (_, headers, conditional) => {
    expect(conditionalHeaders(stored(headers))).toEqual(conditional)
    expect(canValidate(stored(headers))).toBe(conditional.length > 0)
  })
})

it('K5: what was purged softly is good again once it was validated', () => {
  const next = freshened(stored(['ETag', '"a"'], { invalidated: true }), {
    headers: [],
    requestTime: t0,
    responseTime: t0,
  })
  expect(next).not.toHaveProperty('invalidated')
})

describe('K2: matches304 (RFC 9111 §4.3.4)', () => {
  it.each([
    ['no validators', ['ETag', '"a"'], [], true],
    ['the same tag', ['ETag', '"a"'], ['ETag', '"a"'], true],
    ['its weak form', ['ETag', '"a"'], ['ETag', 'W/"a"'], true],
    ['another tag', ['ETag', '"a"'], ['ETag', '"b"'], false],
    ['another weak tag', ['ETag', 'W/"a"'], ['ETag', 'W/"b"'], false],
    ['a tag where none was', ['Last-Modified', lm], ['ETag', '"b"'], true],
    ['the same date', ['Last-Modified', lm], ['Last-Modified', lm], true],
    ['another date', ['Last-Modified', lm], ['Last-Modified', older], false],
    [
      'the same tag and another date',
      ['ETag', '"a"', 'Last-Modified', lm],
      ['ETag', '"a"', 'Last-Modified', older],
      true,
    ],
  ])('%s', (_, ours, theirs, matches) => {
    expect(matches304(stored(ours), theirs)).toBe(matches)
  })
})

describe('K2: freshened (RFC 9111 §3.2)', () => {
  const times = { requestTime: t0 + 60_000, responseTime: t0 + 61_000 }
  const updated = (before: string[], headers: string[]) => freshened(stored(before), { headers, ...times }).headers

  it.each([
    ['a field of the same name, in any spelling', ['X-A', '1', 'X-B', '2'], ['x-a', '3'], ['X-B', '2', 'x-a', '3']],
    ['all lines of it', ['X-A', '1', 'X-A', '2'], ['X-A', '3'], ['X-A', '3']],
    ['by several lines', ['X-A', '1'], ['X-A', '2', 'X-A', '3'], ['X-A', '2', 'X-A', '3']],
    ['Cache-Control', ['Cache-Control', 'max-age=1'], ['Cache-Control', 'max-age=9'], ['Cache-Control', 'max-age=9']],
    ['Content-Type', ['Content-Type', 'a/b'], ['Content-Type', 'c/d'], ['Content-Type', 'c/d']],
    ['Last-Modified', ['Last-Modified', older], ['Last-Modified', lm], ['Last-Modified', lm]],
    ['Date', ['Date', older], ['Date', lm], ['Date', lm]],
    ['Age', ['Age', '900'], ['Age', '3'], ['Age', '3']],
  ])('replaces %s', (_, before, headers, expected) => {
    expect(updated(before, headers)).toEqual(expected)
  })

  it.each([
    ['a new field', [], ['X-A', '1'], ['X-A', '1']],
    ['a new ETag', ['Last-Modified', lm], ['ETag', '"a"'], ['Last-Modified', lm, 'ETag', '"a"']],
  ])('adds %s', (_, before, headers, expected) => {
    expect(updated(before, headers)).toEqual(expected)
  })

  it.each([
    ['Date', ['Date', lm]],
    ['Age', ['Age', '900']],
  ])('removes an old %s the 304 does not renew', (_, before) => {
    expect(updated(before, [])).toEqual([])
  })

  it.each([
    ['what a 304 omits', ['X-A', '1'], ['X-B', '2'], ['X-A', '1', 'X-B', '2']],
    ['Content-Encoding', ['Content-Encoding', 'gzip'], ['Content-Encoding', 'br'], ['Content-Encoding', 'gzip']],
    ['Content-Encoding, absent', [], ['Content-Encoding', 'br'], []],
    ['Content-Length, absent', [], ['Content-Length', '0'], []],
    ['Content-Range, absent', [], ['Content-Range', 'bytes 0-1/2'], []],
    ['a strong ETag in spite of its weak form', ['ETag', '"a"'], ['ETag', 'W/"a"'], ['ETag', '"a"']],
    ['hop-by-hop fields out', [], ['Connection', 'X-A', 'X-A', '1', 'Keep-Alive', 'x'], []],
    ['Set-Cookie out', [], ['Set-Cookie', 'a=b'], []],
  ])('keeps %s', (_, before, headers, expected) => {
    expect(updated(before, headers)).toEqual(expected)
  })

  it('takes the times of the validation, and leaves the body', () => {
    const before = stored(['ETag', '"a"'], { selecting: { foo: 'x' } })
    expect(freshened(before, { headers: [], ...times })).toEqual({ ...before, ...times })
  })

  it('a changed Vary is followed only where the request is known', () => {
    const before = stored(['Vary', 'A'], { selecting: { a: '1' } })
    const notModified = { headers: ['Vary', 'B'], ...times }
    const known = freshened(before, { ...notModified, requestHeaders: ['A', '1', 'B', '2'] })
    expect(known).toMatchObject({ headers: ['Vary', 'B'], selecting: { b: '2' } })
    expect(known.selecting).not.toHaveProperty('a')
    expect(freshened(before, notModified)).toMatchObject({ headers: ['Vary', 'A'], selecting: { a: '1' } })
  })
})

describe('sameVersion (RFC 9111 §4.3.5)', () => {
  it.each([
    ['the same strong tag', ['ETag', '"a"'], ['etag', '"a"'], true],
    ['another tag', ['ETag', '"a"'], ['ETag', '"b"'], false],
    ['the same weak tag', ['ETag', 'W/"a"'], ['ETag', 'W/"a"'], false],
    ['a tag on one side', ['ETag', '"a"', 'Last-Modified', lm], ['Last-Modified', lm], false],
    ['a tag on the other', ['Last-Modified', lm], ['ETag', '"a"', 'Last-Modified', lm], false],
    ['the same tag, other dates', ['ETag', '"a"', 'Last-Modified', lm], ['ETag', '"a"', 'Last-Modified', older], true],
    ['the same date', ['Last-Modified', lm], ['Last-Modified', lm], true],
    ['another date', ['Last-Modified', lm], ['Last-Modified', older], false],
    ['a date on one side', ['Last-Modified', lm], [], false],
    ['nothing', [], [], false],
    [
      'the same date and length',
      ['Last-Modified', lm, 'Content-Length', '3'],
      ['Last-Modified', lm, 'Content-Length', '3'],
      true,
    ],
    [
      'the same date, another length',
      ['Last-Modified', lm, 'Content-Length', '3'],
      ['Last-Modified', lm, 'Content-Length', '4'],
      false,
    ],
    ['the same date, one length unknown', ['Last-Modified', lm], ['Last-Modified', lm, 'Content-Length', '4'], true],
  ])('%s', (_, a, b, same) => {
    expect(sameVersion(a, b)).toBe(same)
  })
})
