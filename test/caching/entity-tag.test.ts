import { describe, expect, it } from 'vitest'
import { entityTag, strongMatch, tagListed, weakMatch } from '../../src/caching/entity-tag.js'

describe('the comparison of entity tags (RFC 9110 §8.8.3.2)', () => {
  it.each([
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', 'W/"1"', false, true],
    ['"1"', '"1"', true, true],
    ['"1"', '"2"', false, false],
  ])('%s and %s: strong %s, weak %s', (a, b, strong, weak) => {
    expect(strongMatch(a, b)).toBe(strong)
    expect(weakMatch(a, b)).toBe(weak)
  })
})

describe('tagListed', () => {
  it.each([
    ['*', '"a"', true],
    ['*', undefined, true],
    ['"a"', undefined, false],
    ['"a"', '"a"', true],
    [' "b" , W/"a"', '"a"', true],
    ['"b","c"', '"a"', false],
    ['"x, y", "a,b"', '"a,b"', true],
    ['"x, y"', '"y"', false],
    ['a', '"a"', false],
    ['a', 'a', true],
    ['"a', '"a"', false],
    ['', '"a"', false],
  ])('%s names %s: %s', (list, tag, listed) => {
    expect(tagListed(list, tag, weakMatch)).toBe(listed)
  })
})

it('the first ETag counts, an empty one is none', () => {
  expect(entityTag(['etag', '"a"', 'ETag', '"b"'])).toBe('"a"')
  expect(entityTag(['ETag', ''])).toBeUndefined()
})
