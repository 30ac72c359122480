import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Digest, StoredRecord, StoredResponse } from '../../src/caching/record.js'
import { decodeRecord, encodeRecord } from '../../src/caching/record-encoding.js'

const text = fc.string({ unit: 'binary' })
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes): Digest => `sha256:${Buffer.from(bytes).toString('hex')}`)
const body = fc.oneof(
  fc.record({ digest, size: fc.maxSafeNat() }),
  fc.tuple(digest, fc.uint8Array()).map(([digest, inline]) => ({ digest, size: inline.length, inline })),
)
const response: fc.Arbitrary<StoredResponse> = fc.record(
  {
    status: fc.integer({ min: 200, max: 599 }),
    headers: fc.array(fc.tuple(text, text)).map((pairs) => pairs.flat()),
    requestTime: fc.maxSafeNat(),
    responseTime: fc.maxSafeNat(),
    selecting: fc
      .array(fc.tuple(fc.oneof(text, fc.constantFrom('inline', '__proto__')), fc.option(text)))
      .map((pairs) => Object.fromEntries(pairs)),
    body,
    ...{ invalidated: fc.constant(true as const) },
  },
  { requiredKeys: ['status', 'headers', 'requestTime', 'responseTime', 'selecting', 'body'] },
)
const record: fc.Arbitrary<StoredRecord> = fc.record({
  key: text,
  version: fc.maxSafeNat(),
  epoch: fc.maxSafeNat(),
  remote: text,
  variants: fc.array(response, { maxLength: 8 }),
})

const sample: StoredRecord = {
  key: 'r/a',
  version: 7,
  epoch: 4,
  remote: 'https://example.com',
  variants: [
    {
      status: 200,
      headers: ['ETag', '"a"'],
      requestTime: 1,
      responseTime: 2,
      selecting: { accept: null, inline: 'x' },
      body: { digest: `sha256:${'a'.repeat(64)}`, size: 3, inline: Uint8Array.of(1, 2, 3) },
    },
  ],
}

/** The sample's encoding with another head. */
function withHead(head: unknown): Uint8Array {
  const json = Buffer.from(JSON.stringify(head))
  const start = Buffer.alloc(5)
  start[0] = 1
  start.writeUInt32BE(json.length, 1)
  return Buffer.concat([start, json, Uint8Array.of(1, 2, 3)])
}

const head = {
  ...sample,
  variants: sample.variants.map((variant) => ({ ...variant, body: { ...variant.body, inline: true as unknown } })),
}
const [variant] = head.variants

describe('D5: the encoding of records', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(record, (given) => {
        expect(decodeRecord(encodeRecord(given))).toEqual(given)
      }),
    )
  })

  it('the layout is the drawn one', () => {
    expect(decodeRecord(withHead(head))).toEqual(sample)
    expect(Buffer.from(encodeRecord(sample)).equals(withHead(head))).toBe(true)
  })

  it('a decoded body is a copy', () => {
    const bytes = encodeRecord(sample)
    const decoded = decodeRecord(bytes)
    bytes.fill(0)
    expect(decoded).toEqual(sample)
  })

  it('reads from within a larger buffer', () => {
    const bytes = encodeRecord(sample)
    const larger = new Uint8Array(bytes.length + 20).fill(9)
    larger.set(bytes, 10)
    expect(decodeRecord(larger.subarray(10, 10 + bytes.length))).toEqual(sample)
  })

  it.each([
    ['no bytes', new Uint8Array()],
    ['another format version', Uint8Array.of(2, ...encodeRecord(sample).slice(1))],
    ['a byte too many', Uint8Array.of(...encodeRecord(sample), 0)],
    ['no record', withHead([])],
    ['null', withHead(null)],
    ['a version below 0', withHead({ ...head, version: -1 })],
    ['no epoch', withHead({ ...head, epoch: undefined })],
    ['no key', withHead({ ...head, key: undefined })],
    ['no remote', withHead({ ...head, remote: 1 })],
    ['variants of another kind', withHead({ ...head, variants: {} })],
    ['a variant of another kind', withHead({ ...head, variants: [null] })],
    ['an odd number of header strings', withHead({ ...head, variants: [{ ...variant, headers: ['a'] }] })],
    ['header values of another kind', withHead({ ...head, variants: [{ ...variant, headers: ['a', 1] }] })],
    ['a status of another kind', withHead({ ...head, variants: [{ ...variant, status: '200' }] })],
    ['no times', withHead({ ...head, variants: [{ ...variant, requestTime: null }] })],
    ['no response time', withHead({ ...head, variants: [{ ...variant, responseTime: 'x' }] })],
    ['selecting values of another kind', withHead({ ...head, variants: [{ ...variant, selecting: { a: 1 } }] })],
    ['no digest', withHead({ ...head, variants: [{ ...variant, body: { size: 3, inline: true } }] })],
    ['another digest', withHead({ ...head, variants: [{ ...variant, body: { ...variant?.body, digest: 'md5:0' } }] })],
    [
      'a longer body than there are bytes',
      withHead({ ...head, variants: [{ ...variant, body: { ...variant?.body, size: 4 } }] }),
    ],
    [
      'a body of another kind',
      withHead({ ...head, variants: [{ ...variant, body: { ...variant?.body, inline: 'x' } }] }),
    ],
  ])('nothing in %s', (_, bytes) => {
    expect(decodeRecord(bytes)).toBeUndefined()
  })

  it('nothing in any truncation', () => {
    const bytes = encodeRecord(sample)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeRecord(bytes.subarray(0, length))).toBeUndefined()
    }
  })

  it('never throws, whatever the bytes', () => {
    const garbled = fc
      .tuple(record, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }))
      .map(([given, changes]) => {
        const bytes = encodeRecord(given)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(garbled, fc.uint8Array()), (bytes) => {
        expect(() => decodeRecord(bytes)).not.toThrow()
      }),
      { numRuns: 500 },
    )
  })
})
