import { describe, expect, it } from 'vitest'
import { evaluate, wantsRange } from '../../src/caching/preconditions.js'
import { httpDate, t0 } from './fixtures.js'

const etag = '"a"'
const lastModified = httpDate(t0 - 60_000)
const before = httpDate(t0 - 61_000)
const after = httpDate(t0 - 59_000)
const base = { status: 200, etag, lastModified, size: 1000 }

type Headers = Record<string, string | string[] | undefined>

/** The kind of the outcome of a GET. */
const kind = (headers: Headers, representation: Partial<typeof base> & { date?: string } = {}, method = 'GET') =>
  evaluate({ method, headers }, { ...base, ...representation }, t0).kind

describe('C5: preconditions (RFC 9110 §13)', () => {
  it.each<[string, Headers, string]>([
    ['none', { accept: '*/*' }, 'whole'],
    ['If-Match, the same', { 'if-match': '"a"' }, 'whole'],
    ['If-Match in a list', { 'if-match': '"b", "a"' }, 'whole'],
    ['If-Match on several lines', { 'if-match': ['"b"', '"a"'] }, 'whole'],
    ['If-Match, another', { 'if-match': '"b"' }, 'failed'],
    ['If-Match, weak', { 'if-match': 'W/"a"' }, 'failed'],
    ['If-Match: *', { 'if-match': '*' }, 'whole'],
    ['If-Unmodified-Since before', { 'if-unmodified-since': before }, 'failed'],
    ['If-Unmodified-Since at', { 'if-unmodified-since': lastModified }, 'whole'],
    ['If-Unmodified-Since after', { 'if-unmodified-since': after }, 'whole'],
    ['If-Unmodified-Since, invalid', { 'if-unmodified-since': 'yesterday' }, 'whole'],
    ['If-Unmodified-Since beside If-Match', { 'if-match': '"a"', 'if-unmodified-since': before }, 'whole'],
    ['If-None-Match, the same', { 'if-none-match': '"a"' }, 'not-modified'],
    ['If-None-Match, weak', { 'if-none-match': 'W/"a"' }, 'not-modified'],
    ['If-None-Match in a list', { 'if-none-match': '"b",W/"a"' }, 'not-modified'],
    ['If-None-Match, another', { 'if-none-match': '"b"' }, 'whole'],
    ['If-None-Match: *', { 'if-none-match': '*' }, 'not-modified'],
    ['If-Modified-Since before', { 'if-modified-since': before }, 'whole'],
    ['If-Modified-Since at', { 'if-modified-since': lastModified }, 'not-modified'],
    ['If-Modified-Since after', { 'if-modified-since': after }, 'not-modified'],
    ['If-Modified-Since, RFC 850', { 'if-modified-since': 'Wednesday, 21-Oct-26 07:27:00 GMT' }, 'not-modified'],
    ['If-Modified-Since, invalid', { 'if-modified-since': '2026-10-21' }, 'whole'],
    ['If-Modified-Since beside If-None-Match', { 'if-none-match': '"b"', 'if-modified-since': after }, 'whole'],
    ['If-Match fails before If-None-Match', { 'if-match': '"b"', 'if-none-match': '"a"' }, 'failed'],
    ['If-Match holds, then If-None-Match', { 'if-match': '"a"', 'if-none-match': '"a"' }, 'not-modified'],
    [
      'If-Unmodified-Since fails before If-None-Match',
      { 'if-unmodified-since': before, 'if-none-match': '"a"' },
      'failed',
    ],
    ['If-None-Match before Range', { 'if-none-match': '"a"', range: 'bytes=0-1' }, 'not-modified'],
    ['If-Match fails before Range', { 'if-match': '"b"', range: 'bytes=0-1' }, 'failed'],
    [
      'If-Unmodified-Since holds, then Range (Maven resumes so)',
      { 'if-unmodified-since': lastModified, range: 'bytes=5-' },
      'partial',
    ],
  ])('%s', (_, headers, outcome) => {
    expect(kind(headers)).toBe(outcome)
  })

  it.each<[string, Headers, object, string]>([
    ['If-Match without our ETag', { 'if-match': '"a"' }, { etag: undefined }, 'failed'],
    ['If-Match: * without our ETag', { 'if-match': '*' }, { etag: undefined }, 'whole'],
    ['If-Match, our ETag weak', { 'if-match': 'W/"a"' }, { etag: 'W/"a"' }, 'failed'],
    ['If-None-Match without our ETag', { 'if-none-match': '"a"' }, { etag: undefined }, 'whole'],
    ['If-None-Match, our ETag weak', { 'if-none-match': '"a"' }, { etag: 'W/"a"' }, 'not-modified'],
    ['If-Unmodified-Since without our date', { 'if-unmodified-since': before }, { lastModified: undefined }, 'whole'],
    ['If-Modified-Since without our date', { 'if-modified-since': after }, { lastModified: undefined }, 'whole'],
    [
      'If-Modified-Since, Date stands in',
      { 'if-modified-since': after },
      { lastModified: undefined, date: before },
      'not-modified',
    ],
    ['If-Modified-Since, Last-Modified before Date', { 'if-modified-since': before }, { date: before }, 'whole'],
    ['the last of the successes', { 'if-none-match': '*' }, { status: 299 }, 'not-modified'],
    ['the first status beyond', { 'if-none-match': '*' }, { status: 300 }, 'whole'],
    ['the last before', { 'if-none-match': '*' }, { status: 199 }, 'whole'],
    ['not a success', { 'if-none-match': '*', 'if-match': '"b"', range: 'bytes=0-1' }, { status: 404 }, 'whole'],
  ])('%s', (_, headers, representation, outcome) => {
    expect(kind(headers, representation)).toBe(outcome)
  })

  it('HEAD has the preconditions of GET', () => {
    expect(kind({ 'if-none-match': '"a"' }, {}, 'HEAD')).toBe('not-modified')
    expect(kind({ 'if-match': '"b"' }, {}, 'HEAD')).toBe('failed')
  })

  it('costs no allocation where nothing is asked', () => {
    const one = evaluate({ method: 'GET', headers: {} }, base, t0)
    expect(one).toEqual({ kind: 'whole' })
    expect(evaluate({ method: 'HEAD', headers: { accept: 'x' } }, base, t0)).toBe(one)
  })
})

describe('C5: Range and If-Range', () => {
  it.each<[string, Headers, object, string]>([
    ['Range', { range: 'bytes=0-1' }, {}, 'partial'],
    ['beyond the end', { range: 'bytes=1000-' }, {}, 'unsatisfiable'],
    ['an unknown size', { range: 'bytes=0-1' }, { size: undefined }, 'whole'],
    ['another success', { range: 'bytes=0-1' }, { status: 203 }, 'whole'],
    ['several Range fields', { range: ['bytes=0-1', 'bytes=0-1'] }, {}, 'whole'],
    ['If-Range alone', { 'if-range': '"b"' }, {}, 'whole'],
    ['the same tag', { range: 'bytes=0-1', 'if-range': '"a"' }, {}, 'partial'],
    ['another tag', { range: 'bytes=0-1', 'if-range': '"b"' }, {}, 'whole'],
    ['a weak tag', { range: 'bytes=0-1', 'if-range': 'W/"a"' }, { etag: 'W/"a"' }, 'whole'],
    ['a list of tags', { range: 'bytes=0-1', 'if-range': '"b", "a"' }, {}, 'whole'],
    ['a tag where there is none', { range: 'bytes=0-1', 'if-range': '"a"' }, { etag: undefined }, 'whole'],
    ['exactly our date', { range: 'bytes=0-1', 'if-range': lastModified }, {}, 'partial'],
    ['a later date', { range: 'bytes=0-1', 'if-range': after }, {}, 'whole'],
    ['an earlier date', { range: 'bytes=0-1', 'if-range': before }, {}, 'whole'],
    ['a date where there is none', { range: 'bytes=0-1', 'if-range': after }, { lastModified: undefined }, 'whole'],
    ['neither tag nor date', { range: 'bytes=0-1', 'if-range': 'x' }, { lastModified: 'x' }, 'whole'],
    ['a range beyond the end of another version', { range: 'bytes=5000-', 'if-range': '"b"' }, {}, 'whole'],
  ])('%s', (_, headers, representation, outcome) => {
    expect(kind(headers, representation)).toBe(outcome)
  })

  it('only of GET', () => {
    expect(kind({ range: 'bytes=0-1' }, {}, 'HEAD')).toBe('whole')
  })

  it('says which bytes', () => {
    const outcome = evaluate({ method: 'GET', headers: { range: 'bytes=-10' } }, base, t0)
    expect(outcome).toEqual({ kind: 'partial', ranges: [{ start: 990, end: 999 }] })
  })

  it.each<[string, Headers, boolean]>([
    ['none', {}, false],
    ['bytes', { range: 'bytes=0-' }, true],
    ['another unit', { range: 'items=0-' }, false],
    ['several', { range: ['bytes=0-', 'bytes=1-'] }, false],
  ])('wantsRange: %s', (_, headers, wants) => {
    expect(wantsRange(headers)).toBe(wants)
  })
})
