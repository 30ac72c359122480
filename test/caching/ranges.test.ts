import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluateRanges, maxRanges } from '../../src/caching/ranges.js'

const size = 1000
const whole = { kind: 'whole' }
const unsatisfiable = { kind: 'unsatisfiable' }
const partial = (...bounds: [number, number][]) => ({
  kind: 'partial',
  ranges: bounds.map(([start, end]) => ({ start, end })),
})
const huge = '9'.repeat(40)

describe('C5: evaluateRanges (RFC 9110 §14)', () => {
  it.each([
    ['the first byte', 'bytes=0-0', partial([0, 0])],
    ['the last byte', 'bytes=999-999', partial([999, 999])],
    ['open-ended', 'bytes=500-', partial([500, 999])],
    ['all of it is still a part', 'bytes=0-', partial([0, 999])],
    ['a suffix', 'bytes=-1', partial([999, 999])],
    ['a suffix as long as it is', 'bytes=-1000', partial([0, 999])],
    ['a longer suffix', 'bytes=-1001', partial([0, 999])],
    ['an end beyond the end', 'bytes=998-1000', partial([998, 999])],
    ['an end beyond every number', `bytes=0-${huge}`, partial([0, 999])],
    ['a suffix beyond every number', `bytes=-${huge}`, partial([0, 999])],
    ['leading zeros', 'bytes=0005-00010', partial([5, 10])],
    ['the unit in any case', 'Bytes=0-0', partial([0, 0])],
    ['white space around commas', 'bytes= 0-0 ,\t5-6 ', partial([0, 0], [5, 6])],
    ['empty members', 'bytes=,0-0,,', partial([0, 0])],
    ['the order asked for', 'bytes=500-599,0-99', partial([500, 599], [0, 99])],
    ['overlapping', 'bytes=0-99,50-149', partial([0, 149])],
    ['adjacent', 'bytes=100-199,0-99', partial([0, 199])],
    ['a byte apart', 'bytes=0-99,101-199', partial([0, 99], [101, 199])],
    ['one that joins two', 'bytes=0-9,500-509,20-29,5-25', partial([0, 29], [500, 509])],
    ['the same twice', 'bytes=0-9,0-9', partial([0, 9])],
    ['one of two beyond the end', 'bytes=0-9,1000-', partial([0, 9])],
    [
      'the longest list',
      `bytes=${Array.from({ length: maxRanges }, (_, i) => `${2 * i}-${2 * i}`).join()}`,
      partial(...Array.from({ length: maxRanges }, (_, i): [number, number] => [2 * i, 2 * i])),
    ],
    ['twice the size in all', 'bytes=0-999,0-999', partial([0, 999])],
  ])('%s', (_, value, outcome) => {
    expect(evaluateRanges(value, size)).toEqual(outcome)
  })

  it.each([
    ['a start at the end', 'bytes=1000-'],
    ['a start beyond it', 'bytes=1000-1001'],
    ['a start beyond every number', `bytes=${huge}-`],
    ['nothing but an empty suffix', 'bytes=-0'],
    ['all of several', 'bytes=1000-1001,-0'],
  ])('416: %s', (_, value) => {
    expect(evaluateRanges(value, size)).toEqual(unsatisfiable)
  })

  it.each([
    ['another unit', 'items=0-1'],
    ['no unit', '0-1'],
    ['no ranges', 'bytes='],
    ['only commas', 'bytes=,,'],
    ['a dash alone', 'bytes=-'],
    ['no dash', 'bytes=5'],
    ['an end before the start', 'bytes=5-4'],
    ['an end just before the start, beyond every number', `bytes=${huge}1-${huge}0`],
    ['letters', 'bytes=a-b'],
    ['a sign', 'bytes=+1-2'],
    ['two dashes', 'bytes=--1'],
    ['a decimal', 'bytes=0.5-1'],
    ['an exponent', 'bytes=0-1e2'],
    ['white space within', 'bytes=0 - 1'],
    ['one invalid of several', 'bytes=0-1,x'],
    ['white space before the equals sign', 'bytes =0-1'],
    [
      'more than we serve in parts',
      `bytes=${Array.from({ length: maxRanges + 1 }, (_, i) => `${2 * i}-${2 * i}`).join()}`,
    ],
    ['more than twice the size in all', 'bytes=0-999,0-999,0-0'],
  ])('whole: %s', (_, value) => {
    expect(evaluateRanges(value, size)).toEqual(whole)
  })

  it.each([
    ['from the start', 'bytes=0-', unsatisfiable],
    ['an empty suffix', 'bytes=-0', unsatisfiable],
    ['a suffix, satisfied by nothing', 'bytes=-5', whole],
  ])('of nothing: %s', (_, value, outcome) => {
    expect(evaluateRanges(value, 0)).toEqual(outcome)
  })

  it('agrees with a model that counts bytes one by one', () => {
    const bound = fc.nat(24)
    const spec = fc.oneof(
      fc.tuple(bound, bound).map(([a, b]) => ({
        text: `${Math.min(a, b)}-${Math.max(a, b)}`,
        has: (i: number) => i >= Math.min(a, b) && i <= Math.max(a, b),
      })),
      bound.map((a) => ({ text: `${a}-`, has: (i: number) => i >= a })),
      bound.map((n) => ({ text: `-${n}`, has: (i: number, length: number) => i >= length - n })),
    )
    const specs = fc.array(spec, { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(specs, fc.integer({ min: 1, max: 20 }), (specs, length) => {
        const every = Array.from({ length }, (_, i) => i)
        const asked = specs.reduce((sum, { has }) => sum + every.filter((i) => has(i, length)).length, 0)
        const wanted = every.filter((i) => specs.some(({ has }) => has(i, length)))
        const outcome = evaluateRanges(`bytes=${specs.map(({ text }) => text).join()}`, length)
        const served = outcome.kind === 'partial' ? outcome.ranges : []
        const kind = asked > 2 * length ? 'whole' : wanted.length === 0 ? 'unsatisfiable' : 'partial'
        expect(outcome.kind).toBe(kind)
        const bytes = served.flatMap(({ start, end }) => Array.from({ length: end - start + 1 }, (_, i) => start + i))
        expect(bytes.toSorted((a, b) => a - b)).toEqual(kind === 'partial' ? wanted : [])
      }),
      { numRuns: 2000 },
    )
  })

  it('parts are inside, whatever is asked', () => {
    const word = fc.constantFrom('0', '7', '-', ',', ' ', '99', huge, 'x')
    fc.assert(
      fc.property(fc.array(word), fc.nat(100), (words, length) => {
        const outcome = evaluateRanges(`bytes=${words.join('')}`, length)
        for (const { start, end } of outcome.kind === 'partial' ? outcome.ranges : []) {
          expect(start).toBeGreaterThanOrEqual(0)
          expect(end).toBeGreaterThanOrEqual(start)
          expect(end).toBeLessThan(length)
        }
      }),
    )
  })
})
