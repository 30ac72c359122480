import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StoredRecord, StoredResponse } from '../../src/caching/record.js'
import { decodeRecord, encodeRecord } from '../../src/caching/record-encoding.js'
import { blobBody, inlineBody, record, response } from '../storage/fixtures.js'
import { limits } from './limits.js'

const body = fc
  .tuple(fc.boolean(), fc.uint8Array({ maxLength: 200 }))
  .map(([inline, bytes]) => (inline ? inlineBody : blobBody)(bytes))
const variants = fc.array(
  body.map((each) => response(each)),
  { maxLength: 3 },
)
const records = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 20 }), variants)
  .map(([path, each]) => record(`raw/${path}`, each, { version: 3, epoch: 2 }))

/** Damage as disks and half-done writes leave it. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('zero' as const), at: fc.nat(), length: fc.nat(64) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 8 }) }),
)
type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never

function damaged(bytes: Uint8Array, wrong: Damage): Uint8Array {
  const at = bytes.length === 0 ? 0 : wrong.at % bytes.length
  const copy = Buffer.from(bytes)
  switch (wrong.kind) {
    case 'flip':
      copy[at] = (copy[at] ?? 0) ^ (1 << wrong.bit)
      return copy
    case 'cut':
      return copy.subarray(0, at)
    case 'zero':
      return copy.fill(0, at, Math.min(copy.length, at + wrong.length))
    case 'insert':
      return Buffer.concat([copy.subarray(0, at), wrong.bytes, copy.subarray(at)])
  }
}

/** What everyone who serves a record relies on; a digest that its bytes belie is found by a check of the bytes. */
function isWellFormed({ key, version, epoch, remote, variants: each }: StoredRecord): boolean {
  return (
    typeof key === 'string' &&
    typeof remote === 'string' &&
    [version, epoch].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    each.every(isServable)
  )
}

const isServable = ({ status, headers, requestTime, responseTime, selecting, body: stored }: StoredResponse) =>
  Number.isSafeInteger(status) &&
  headers.length % 2 === 0 &&
  headers.every((text) => typeof text === 'string') &&
  [requestTime, responseTime].every(Number.isFinite) &&
  Object.values(selecting).every((value) => value === null || typeof value === 'string') &&
  /^sha256:[0-9a-f]{64}$/.test(stored.digest) &&
  Number.isSafeInteger(stored.size) &&
  (stored.inline === undefined || stored.inline.length === stored.size)

describe('D2: bytes that are no whole record', () => {
  it('are none, or well formed to the last field, whatever happened to them', () => {
    fc.assert(
      fc.property(records, fc.array(damage, { minLength: 1, maxLength: 4 }), (given, wrongs) => {
        const decoded = decodeRecord(wrongs.reduce(damaged, encodeRecord(given)))
        if (decoded) expect(isWellFormed(decoded)).toBe(true)
      }),
      limits(3000, 10),
    )
  })

  it('are never made up of two records', () => {
    fc.assert(
      fc.property(records, records, fc.nat(), fc.nat(), (a, b, cutA, cutB) => {
        const [first, second] = [encodeRecord(a), encodeRecord(b)]
        const at = cutA % first.length
        const from = cutB % second.length
        const decoded = decodeRecord(Buffer.concat([first.subarray(0, at), second.subarray(from)]))
        if (decoded) expect(isWellFormed(decoded)).toBe(true)
      }),
      limits(1000, 10),
    )
  })

  it('written again, a decoded record is the same', () => {
    fc.assert(
      fc.property(records, (given) => {
        const decoded = decodeRecord(encodeRecord(given))
        expect(decoded).toEqual(given)
        if (decoded) expect(Buffer.compare(encodeRecord(decoded), encodeRecord(given))).toBe(0)
      }),
      limits(500, 10),
    )
  })
})
