import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/caching/glob.js'
import { type Selection, selectionId, selectionPrefix, selects } from '../../src/caching/selection.js'

const means = (by: Selection['by'], pattern = ''): Selection => ({ repository: 'raw', by, pattern })

describe('K5: what a selection means', () => {
  it.each<[string, Selection, string, boolean]>([
    ['a path', means('path', 'a/b'), 'raw/a/b', true],
    ['a path, not what begins with it', means('path', 'a/b'), 'raw/a/b.tgz', false],
    ['a path, not the same with a query', means('path', 'a/b'), 'raw/a/b?x=1', false],
    ['a path with its query', means('path', 'a/b?x=1'), 'raw/a/b?x=1', true],
    ['a path in another repository', means('path', 'a/b'), 'raw2/a/b', false],
    ['a path, encoded as it stands', means('path', 'a%2Bb'), 'raw/a+b', false],
    ['the root', means('path', ''), 'raw/', true],
    ['a prefix', means('prefix', 'a/'), 'raw/a/b?x', true],
    ['a prefix, not of another folder', means('prefix', 'a/'), 'raw/ab', false],
    ['a prefix ends anywhere', means('prefix', 'a'), 'raw/ab', true],
    ['a prefix in a repository whose name begins alike', means('prefix', ''), 'raw2/a', false],
    ['a glob', means('glob', 'jdk/**/*.tgz'), 'raw/jdk/x/y/z.tgz', true],
    ['a glob is over the path, whatever the query', means('glob', 'jdk/*.tgz'), 'raw/jdk/z.tgz?v=2', true],
    ['a glob, not within a folder', means('glob', 'jdk/*'), 'raw/jdk/x/y', false],
    ['a glob sees dot files', means('glob', '*'), 'raw/.hidden', true],
    ['a glob in another repository', means('glob', '**'), 'raw2/a', false],
    ['all', means('all'), 'raw/a/b?x', true],
    ['all of this repository', means('all'), 'raw2/a', false],
  ])('%s', (_, selection, key, meant) => {
    expect(selects(selection)(key)).toBe(meant)
    if (meant) expect(key.startsWith(selectionPrefix(selection))).toBe(true)
  })

  it.each(['', '/a', 'a/{b', 'a/[b'])('"%s" is no glob', (pattern) => {
    expect(compileGlob(pattern)).toBeUndefined()
    expect(() => selects(means('glob', pattern))).toThrowError(expect.objectContaining({ code: 'PATH_INVALID' }))
  })

  it('two that differ are told apart', () => {
    const all = [
      means('all'),
      means('path'),
      means('prefix'),
      means('prefix', 'a'),
      { ...means('all'), repository: 'b' },
    ]
    expect(new Set(all.map(selectionId)).size).toBe(all.length)
  })
})
