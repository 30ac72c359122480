import fc from 'fast-check'
import picomatch from 'picomatch'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/caching/glob.js'
import { limits } from './limits.js'

const pieces = fc.constantFrom(
  '*',
  '*',
  '*',
  '-',
  'a',
  'b',
  '?',
  '.',
  '/',
  '**/',
  '/**',
  '[ab]',
  '{a,b-*}',
  '@(a|b*-*)',
  '!(a*b*)',
  '+(a*-*)',
)
const pattern = fc.array(pieces, { minLength: 1, maxLength: 7 }).map((parts) => parts.join(''))
const path = fc.array(fc.constantFrom('a', 'b', '-', '.', '/', 'ab'), { maxLength: 9 }).map((parts) => parts.join(''))

describe('K1, C9: globs', () => {
  it('mean what picomatch says', () => {
    fc.assert(
      fc.property(pattern, fc.array(path, { minLength: 10 }), (match, paths) => {
        const glob = compileGlob(match)
        if (!glob) return
        const theirs = picomatch(match, { dot: true, strictBrackets: true })
        for (const each of paths) expect([each, glob.matches(each)]).toEqual([each, theirs(each)])
      }),
      limits(3000, 15),
    )
  })

  it.each(['*-*-*-*.tgz', '**/*-*-*-*.tgz', '*a*b*-*-*-*/x', '*?-?*?-?*?-?*.x', 'jdk/*-*-*-*_*.tar.gz', '!*-*-*-*.x'])(
    '%s: a path that nearly fits takes no longer',
    (match) => {
      const glob = compileGlob(match)
      const started = performance.now()
      for (const text of ['-', 'ab-', '-/', 'jdk/-']) glob?.matches(text.repeat(8000 / text.length))
      // Minutes, if every star tried every place.
      expect(performance.now() - started).toBeLessThan(5_000)
    },
  )
})
