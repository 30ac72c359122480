import { expect, it } from 'vitest'
import { withoutFirst } from '../../src/storage/chunks.js'

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
