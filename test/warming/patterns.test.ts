import { describe, expect, it } from 'vitest'
import { expandPattern } from '../../src/warming/patterns.js'

describe('a pattern stands for what a shell makes of it', () => {
  it.each([
    ['no brace', 'raw/a.tgz', ['raw/a.tgz']],
    ['choices', 'a{b,c}d', ['abd', 'acd']],
    ['an empty choice', 'a{,b}', ['a', 'ab']],
    ['a sequence', 'jdk{21..24}', ['jdk21', 'jdk22', 'jdk23', 'jdk24']],
    ['downwards', '{3..1}', ['3', '2', '1']],
    ['below zero', '{-1..1}', ['-1', '0', '1']],
    ['in steps', '{0..30..10}', ['0', '10', '20', '30']],
    ['steps of none are ones', '{1..3..0}', ['1', '2', '3']],
    ['to one width', '{08..11}', ['08', '09', '10', '11']],
    ['letters', '{a..c}', ['a', 'b', 'c']],
    ['several', '{a,b}{1..2}', ['a1', 'a2', 'b1', 'b2']],
    ['one within another', '{a,b{1..2}}', ['a', 'b1', 'b2']],
    ['a brace that is neither', 'a{b}c', ['a{b}c']],
    ['one around another', '{x{1,2}}', ['{x1}', '{x2}']],
    ['an open brace', 'a{b,c', ['a{b,c']],
    ['an open brace before a closed one', 'a{b{1,2}', ['a{b1', 'a{b2']],
    ['a brace taken as it is', 'a\\{b,c\\}', ['a{b,c}']],
    ['a comma taken as it is', '{a\\,b,c}', ['a,b', 'c']],
  ])('%s: %s', (_, pattern, expected) => {
    expect(expandPattern(pattern)).toEqual(expected)
  })

  it.each([
    ['{1..99999999}'],
    ['{1..200}{1..200}'],
    ['{a,b}'.repeat(40)],
    ['{'.repeat(8000)],
    ['{a,'.repeat(2000) + '}'.repeat(2000)],
  ])('not for too many: %s', (pattern) => {
    expect(() => expandPattern(pattern)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }))
  })
})
