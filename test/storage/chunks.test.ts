import { expect, it } from 'vitest'
import { slices, withoutFirst } from '../../src/storage/chunks.js'

it.each([
  ['nothing written', 0, ['abc', 'de', 'f']],
  ['within the first chunk', 2, ['c', 'de', 'f']],
  ['to the end of a chunk', 3, ['de', 'f']],
  ['within a later chunk', 4, ['e', 'f']],
  ['all but the last byte', 5, ['f']],
  ['all', 6, []],
])('what a short write leaves to be written: %s', (_, count, expected) => {
  const chunks = ['abc', 'de', 'f'].map((text) => Buffer.from(text))
  expect(withoutFirst(chunks, count).map((chunk) => Buffer.from(chunk).toString())).toEqual(expected)
})

it('nothing is left of empty chunks', () => {
  expect(withoutFirst([Buffer.alloc(0), Buffer.alloc(0)], 0)).toEqual([])
})

it.each([
  ['all', 0, 6, ['abc', 'de', 'f']],
  ['beyond the end', 0, 99, ['abc', 'de', 'f']],
  ['within one chunk', 1, 2, ['b']],
  ['across chunks', 2, 4, ['c', 'd']],
  ['from a boundary', 3, 5, ['de']],
  ['nothing, inside a chunk', 1, 1, []],
  ['nothing, at a boundary', 3, 3, []],
  ['an end before the start', 4, 2, []],
])('views without copying: %s', (_, start, end, expected) => {
  const chunks = ['abc', 'de', 'f'].map((text) => Buffer.from(text))
  expect(slices(chunks, start, end).map((chunk) => Buffer.from(chunk).toString())).toEqual(expected)
})
