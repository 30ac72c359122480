import { describe, expect, it } from 'vitest'
import { maxVariants } from '../../src/caching/record.js'
import { selecting, selectVariant, varyNames, withVariant } from '../../src/caching/vary.js'
import { stored } from './fixtures.js'

describe('varyNames', () => {
  it.each([
    ['none', [], []],
    ['empty', ['Vary', ''], []],
    ['a list', ['Vary', 'B, a'], ['a', 'b']],
    ['several lines, repeated', ['Vary', 'Foo', 'vary', 'foo , Bar'], ['bar', 'foo']],
    ['*', ['Vary', '*'], '*'],
    ['* in a list', ['Vary', 'Foo, *'], '*'],
    ['* on another line', ['Vary', 'Foo', 'Vary', '*'], '*'],
  ])('%s', (_, headers, names) => {
    expect(varyNames(headers)).toEqual(names)
  })
})

describe('selecting (RFC 9111 §4.1)', () => {
  it.each([
    ['one line', ['Foo', 'a'], 'a'],
    ['absent', ['Bar', 'a'], null],
    ['empty is not absent', ['Foo', ''], ''],
    ['white space around commas', ['foo', ' a ,\tb,c '], 'a,b,c'],
    ['lines combined', ['Foo', 'a', 'FOO', 'b'], 'a,b'],
    ['white space within a value counts', ['Foo', 'a  b'], 'a  b'],
    ['case counts', ['Foo', 'A'], 'A'],
  ])('%s', (_, headers, value) => {
    expect(selecting(['foo'], headers)).toEqual({ foo: value })
  })

  it('takes any name for what it is', () => {
    expect(Object.entries(selecting(['__proto__'], ['__proto__', 'x']))).toEqual([['__proto__', 'x']])
  })

  it('nothing selects what was stored by force', () => {
    expect(selecting('*', ['Foo', 'a'])).toEqual({})
  })
})

describe('selectVariant', () => {
  const plain = stored(['X', 'plain'])
  const en = stored(['X', 'en'], { selecting: { 'accept-language': 'en,de', foo: null } })

  it.each([
    ['nothing stored', [], [], undefined],
    ['no Vary fits all', [plain], ['Accept-Language', 'fr'], plain],
    ['the same values', [en], ['accept-language', 'en, de'], en],
    ['the same values on two lines', [en], ['Accept-Language', 'en', 'Accept-Language', 'de'], en],
    ['another value', [en], ['Accept-Language', 'de,en'], undefined],
    ['an absent one', [en], [], undefined],
    ['one that was absent then', [en], ['Accept-Language', 'en,de', 'Foo', ''], undefined],
    ['the newest of those that fit', [en, plain], ['Accept-Language', 'en,de'], en],
    ['an older one where the newest does not', [en, plain], ['Accept-Language', 'fr'], plain],
  ])('%s', (_, variants, headers, expected) => {
    expect(selectVariant(variants, headers)).toBe(expected)
  })
})

describe('K1: withVariant', () => {
  const variant = (value: string | null) => stored(['X', `${value}`], { selecting: { foo: value } })

  it('puts the fresh one first', () => {
    const [a, b] = [variant('a'), variant('b')]
    expect(withVariant([a], b)).toEqual([b, a])
  })

  it('replaces the one selected by the same values, in any order of names', () => {
    const before = stored(['X', 'old'], { selecting: { foo: 'a', bar: null } })
    const after = stored(['X', 'new'], { selecting: { bar: null, foo: 'a' } })
    expect(withVariant([variant('a'), before], after)).toEqual([after, variant('a')])
  })

  it('absent and empty are two variants, and so are other sets of names', () => {
    const all = [variant(null), stored([]), stored([], { selecting: { bar: null } })]
    expect(withVariant(all, variant(''))).toHaveLength(4)
  })

  it('the oldest beyond the limit go', () => {
    const full = Array.from({ length: maxVariants }, (_, i) => variant(`${i}`))
    const after = withVariant(full, variant('new'))
    expect(after).toEqual([variant('new'), ...full.slice(0, -1)])
    expect(withVariant(full, variant('3'))).toHaveLength(maxVariants)
  })
})
