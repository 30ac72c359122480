import { describe, expect, it } from 'vitest'
import { selectCandidates } from '../../src/warming/filters.js'
import { architectureIn, compareVersions, versionIn } from '../../src/warming/versions.js'

describe('versions', () => {
  it.each([
    ['1.8.0_472', '1.8.0_482'],
    ['9.0.1', '11.0.1'],
    ['21', '21.0.1'],
    ['2.0-rc1', '2.0'],
    ['2.0-alpha', '2.0-beta'],
    ['1.0', '1.0.1'],
    ['21.0.5+9', '21.0.5+11'],
  ])('%s is older than %s', (older, newer) => {
    expect(Math.sign(compareVersions(older, newer))).toBe(-1)
    expect(Math.sign(compareVersions(newer, older))).toBe(1)
    expect(compareVersions(older, older)).toBe(0)
  })

  it.each([
    ['jdk/heroku-24/openjdk1.8.0_432.tar.gz', '1.8.0_432'],
    ['jdk/heroku-24/zulu-21.0.5.tar.gz', '21.0.5'],
    ['jdk/heroku-24/openjdk21.tar.gz', '21'],
    ['node-v20.11.1-linux-x64.tar.xz', '20.11.1'],
    ['v20.11.1/node-linux-x64.tar.xz', '20.11.1'],
    ['go1.22.1.linux-amd64.tar.gz', '1.22.1'],
    ['bellsoft-jdk21.0.5+11-linux-amd64.tar.gz', '21.0.5+11'],
    ['heroku-24/tool-x86_64.tar.bz2', undefined],
  ])('of %s: %s', (path, version) => {
    expect(versionIn(path)).toBe(version)
  })

  it.each([
    ['node-v20.11.1-linux-x64.tar.xz', 'amd64'],
    ['jdk-aarch64.tgz', 'arm64'],
    ['openjdk/zulu/amd64/21.0.5.tar.gz', 'amd64'],
    ['max64.tgz', undefined],
  ])('architecture of %s: %s', (path, architecture) => {
    expect(architectureIn(path)).toBe(architecture)
  })
})

describe('filters', () => {
  const zulu = (version: string, stacks = ['heroku-24']) => ({
    location: `https://remote.test/openjdk/zulu/amd64/${version}.tar.gz`,
    ...{ version, arch: 'amd64', stacks },
  })
  const told = [zulu('17.0.1'), zulu('21.0.1', ['heroku-22']), zulu('21.0.9'), zulu('21.0.10'), zulu('22')]
  const named = ['linux-x64', 'linux-arm64', 'headers'].flatMap((kind) =>
    ['20.1.0', '20.2.0', '22.0.0'].map((version) => ({ location: `dist/node-v${version}-${kind}.tar.gz` })),
  )
  const versions = (candidates: readonly { readonly location: string }[]) =>
    candidates.map(({ location }) => versionIn(location))

  it.each([
    ['none', {}, ['17.0.1', '21.0.1', '21.0.9', '21.0.10', '22']],
    ['a glob', { version: ['21.*'] }, ['21.0.1', '21.0.9', '21.0.10']],
    ['a beginning', { version: ['21'] }, ['21.0.1', '21.0.9', '21.0.10']],
    ['not within a number', { version: ['2'] }, []],
    ['a whole one', { version: ['22'] }, ['22']],
    ['the newest of each', { version: ['17', '21'], latest: 1 }, ['17.0.1', '21.0.10']],
    ['the newest of all', { latest: 2 }, ['21.0.10', '22']],
    ['the newest of those that fit', { version: ['21'], stack: 'heroku-22', latest: 1 }, ['21.0.1']],
    ['a stack', { stack: 'heroku-22' }, ['21.0.1']],
    ['another architecture', { arch: 'arm64' }, []],
    ['the same by another name', { arch: 'x86_64', latest: 1 }, ['22']],
    ['a path', { match: 'openjdk/**/22.*' }, ['22']],
  ])('of what is told: %s', (_, filters, expected) => {
    expect(versions(selectCandidates(told, filters))).toEqual(expected)
  })

  it.each([
    ['an architecture, and what names none', { arch: 'amd64', version: ['20'], latest: 1 }, 2],
    ['a glob besides', { arch: 'amd64', match: '**/*linux*' }, 3],
    ['a stack no path has', { stack: 'heroku-24' }, 0],
  ])('read off names: %s', (_, filters, count) => {
    expect(selectCandidates(named, filters)).toHaveLength(count)
  })

  it('a stack may be a folder, and every stack is', () => {
    const candidates = [
      { location: 'jdk/heroku-22/a.tgz' },
      { location: 'jdk/heroku-24/a.tgz' },
      { location: 'x.tgz', stacks: ['*'] },
    ]
    expect(selectCandidates(candidates, { stack: 'heroku-24' })).toEqual(candidates.slice(1))
  })
})
