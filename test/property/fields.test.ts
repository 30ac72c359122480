import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { governing } from '../../src/caching/cache-control.js'
import { tagListed, weakMatch } from '../../src/caching/entity-tag.js'
import { endToEnd, fieldLines, filterFields, listMembers, usualSpelling } from '../../src/caching/headers.js'
import { parseHttpDate } from '../../src/caching/http-date.js'
import { contentRange, expectation } from '../../src/caching/integrity.js'
import { evaluate } from '../../src/caching/preconditions.js'
import { storedHeaders } from '../../src/caching/storable.js'
import { selecting, varyNames } from '../../src/caching/vary.js'
import { limits } from './limits.js'

/** What the peers may say: fragments of the real grammars put together at random, and plain noise. */
const fragments = fc.constantFrom(
  ...[
    'max-age',
    's-maxage',
    'no-store',
    'private',
    'no-cache',
    '=',
    '"',
    '\\',
    ',',
    ';',
    ' ',
    '\t',
    '*',
    '-',
    '/',
    ':',
  ],
  ...[
    'bytes',
    '0',
    '7',
    '10',
    '99999999999999999999',
    '-1',
    '1.5',
    '1e3',
    'W/',
    '"a"',
    '"b"',
    'W/"a"',
    '\u00e9',
    '\u0000',
  ],
  ...[
    'Mon, 01 Jan 2024 00:00:00 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Feb',
    ' GMT',
    '30',
  ],
  ...['sha-256', '=:', 'AAAAAAAAAAAAAAAAAAAAAA==', 'accept', 'Accept', '__proto__', 'constructor'],
)
const value = fc
  .array(fc.oneof({ weight: 4, arbitrary: fragments }, { weight: 1, arbitrary: fc.string({ unit: 'binary' }) }), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''))

const names = fc.constantFrom(
  ...['Cache-Control', 'cache-control', 'CDN-Cache-Control', 'Expires', 'Date', 'Age', 'Vary', 'ETag', 'Last-Modified'],
  ...['Content-Range', 'Content-Length', 'Transfer-Encoding', 'Content-MD5', 'Repr-Digest', 'Content-Digest'],
  ...['x-amz-request-id', 'x-amz-checksum-sha256', 'Connection', 'Keep-Alive', 'Set-Cookie', 'X-Any', '__proto__'],
)
const headers = fc.array(fc.tuple(names, value), { maxLength: 8 }).map((pairs) => pairs.flat())

const conditions = [
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
] as const
const asked = fc.record(Object.fromEntries(conditions.map((name) => [name, value])), { requiredKeys: [] })
const representation = fc.record({
  status: fc.constantFrom(200, 203, 206, 304, 404),
  etag: fc.option(value, { nil: undefined }),
  lastModified: fc.option(value, { nil: undefined }),
  date: fc.option(value, { nil: undefined }),
  size: fc.option(fc.nat(40), { nil: undefined }),
})

const whole = (status: number) => status === 206 || status >= 400

describe('whatever the peers send, their fields are read without a fault', () => {
  it('K1: the directives that govern have times that can be counted with', () => {
    fc.assert(
      fc.property(headers, (fields) => {
        const { directives } = governing(fields, ['cdn-cache-control'])
        for (const time of Object.values(directives)) if (time !== true) expect(time).toBeGreaterThanOrEqual(0)
      }),
      limits(1000, 10),
    )
  })

  it('C5: conditions and ranges come to an answer that fits the representation', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET', 'HEAD'), asked, representation, (method, fields, given) => {
        const outcome = evaluate({ method, headers: fields }, given, Date.UTC(2026, 0))
        const isSuccess = given.status >= 200 && given.status <= 299
        if (!isSuccess) expect(outcome.kind).toBe('whole')
        if (outcome.kind === 'failed') expect(fields['if-match'] ?? fields['if-unmodified-since']).toBeDefined()
        if (outcome.kind === 'not-modified')
          expect(fields['if-none-match'] ?? fields['if-modified-since']).toBeDefined()
        if (outcome.kind !== 'partial' && outcome.kind !== 'unsatisfiable') return
        expect([method, given.status, whole(given.status)]).toEqual(['GET', 200, false])
        const size = given.size ?? Number.NaN
        for (const { start, end } of outcome.kind === 'partial' ? outcome.ranges : []) {
          expect(start <= end && start >= 0 && end < size).toBe(true)
        }
      }),
      limits(2000, 10),
    )
  })

  it('a tag is found in every list it was put in, and never decided by a fault', () => {
    const tag = fc
      .tuple(fc.boolean(), fc.stringMatching(/^[!#-~]{0,8}$/))
      .map(([weak, text]) => `${weak ? 'W/' : ''}"${text}"`)
    fc.assert(
      fc.property(fc.array(tag), tag, fc.array(tag), (before, ours, after) => {
        expect(tagListed([...before, ours, ...after].join(', '), ours, weakMatch)).toBe(true)
      }),
      limits(500, 5),
    )
    fc.assert(
      fc.property(value, fc.option(value, { nil: undefined }), (list, ours) => {
        expect(typeof tagListed(list, ours, weakMatch)).toBe('boolean')
      }),
      limits(1000, 5),
    )
  })

  it('a date is a moment or none', () => {
    fc.assert(
      fc.property(value, (text) => {
        const time = parseHttpDate(text, Date.UTC(2026, 0))
        if (time !== undefined) expect(Number.isInteger(time)).toBe(true)
      }),
      limits(2000, 5),
    )
  })

  it('U3: a Content-Range is a part of something or none', () => {
    const number = fc.constantFrom('0', '1', '5', '9007199254740991', '9007199254740993', '00', '', '-1', 'x')
    const text = fc.tuple(number, number, fc.oneof(number, fc.constant('*'))).map(([a, b, c]) => `bytes ${a}-${b}/${c}`)
    fc.assert(
      fc.property(fc.oneof(text, value), (given) => {
        const range = contentRange(given)
        if (!range) return
        const { start, end, size = Number.MAX_SAFE_INTEGER + 1 } = range
        expect([start, end].every(Number.isSafeInteger) && start >= 0 && start <= end && end < size).toBe(true)
      }),
      limits(2000, 5),
    )
  })

  it('U4: what a head promises is a length that can be counted and digests of the right size', () => {
    fc.assert(
      fc.property(fc.constantFrom(200, 206), headers, (status, fields) => {
        const { length = 0, md5 = '0'.repeat(32), sha256 = '0'.repeat(64) } = expectation({ status, headers: fields })
        expect(Number.isSafeInteger(length) && length >= 0).toBe(true)
        expect(`${md5} ${sha256}`).toMatch(/^[0-9a-f]{32} [0-9a-f]{64}$/)
      }),
      limits(1000, 5),
    )
  })

  it('C2: what is stored of a head holds nothing of the connection, and no value is changed', () => {
    const ofTheConnection = ['connection', 'keep-alive', 'transfer-encoding', 'set-cookie', 'content-length']
    fc.assert(
      fc.property(headers, (fields) => {
        const stored = storedHeaders(fields)
        for (const name of ofTheConnection) expect(fieldLines(stored, name)).toEqual([])
        expect(storedHeaders(stored)).toEqual(stored)
        expect(usualSpelling(fields).filter((_, i) => i % 2 === 1)).toEqual(fields.filter((_, i) => i % 2 === 1))
        const rest = filterFields(fields, (name) => fieldLines(endToEnd(fields), name).length > 0)
        expect(endToEnd(fields)).toEqual(rest)
      }),
      limits(1000, 5),
    )
  })

  it('K1: what Vary names is chosen by, each name once', () => {
    fc.assert(
      fc.property(headers, headers, (answer, request) => {
        const chosenBy = varyNames(answer)
        if (chosenBy === '*') return
        expect(new Set(chosenBy).size).toBe(chosenBy.length)
        expect(Object.keys(selecting(chosenBy, request)).sort()).toEqual([...chosenBy].sort())
      }),
      limits(1000, 5),
    )
  })

  it('a list has no empty members, and none is lost by being put together again', () => {
    fc.assert(
      fc.property(fc.array(value), (lines) => {
        const members = listMembers(lines)
        expect(members.every((member) => member !== '' && member === member.trim())).toBe(true)
        for (const member of members) expect(lines.some((line) => line.includes(member))).toBe(true)
      }),
      limits(1000, 5),
    )
  })
})
