import { describe, expect, it } from 'vitest'
import { buildpackNames } from '../../../src/buildpacks/catalogue/buildpack.js'
import { buildpacks } from '../../../src/buildpacks/catalogue/buildpacks.js'
import { presetRepository } from '../../../src/buildpacks/catalogue/presets.js'
import { isAmong, newest } from '../../../src/buildpacks/catalogue/releases.js'
import { mirroredHost, variableNamed, variables } from '../../../src/buildpacks/catalogue/variables.js'

const downloads = buildpackNames.flatMap((buildpack) =>
  buildpacks[buildpack].downloads.map((download) => ({ buildpack, ...download })),
)

describe('the catalogue agrees with itself', () => {
  it('names only repositories that a preset brings', () => {
    const named = [
      ...downloads.flatMap(({ repositories }) => repositories),
      ...variables.flatMap(({ leadsTo }) => leadsTo?.repository ?? []),
    ]
    expect(named.filter((name) => presetRepository(name) === undefined)).toEqual([])
  })

  it.each(
    downloads
      .filter(({ url }) => !url.includes('HOST'))
      .map((download) => [download.buildpack, download.what, download]),
  )(
    '%s: %s comes from a host of the first repository that is named for it',
    (_, __, { url, repositories: [name = ''] }) => {
      const { remote = '', aliases = [] } = presetRepository(name) ?? {}
      expect([new URL(remote).host, ...aliases]).toContain(new URL(url).host)
    },
  )

  it('tells of each download what leads it elsewhere, or where its URL is written', () => {
    for (const { buildpack, what, variable, writtenIn } of downloads) {
      expect([buildpack, what, variable !== undefined || writtenIn !== undefined]).toEqual([buildpack, what, true])
      if (variable !== undefined) expect(variableNamed(variable)?.name).toBe(variable)
    }
  })

  it('has a variable of a download read by that buildpack, in just those releases', () => {
    for (const { buildpack, variable, since, until } of downloads) {
      if (variable === undefined) continue
      const reader = variableNamed(variable)?.readBy.find((candidate) => candidate.buildpack === buildpack)
      expect([variable, reader?.since, reader?.until]).toEqual([variable, since, until])
    }
  })

  it('says what to do instead of each variable that its newest readers ignore', () => {
    const gone = variables.filter(({ readBy }) => !readBy.some((reader) => isAmong(reader, newest)))
    expect(gone.map(({ name }) => name)).toEqual([
      'BUILDPACK_STDLIB_URL',
      'JVM_BUILDPACK_ASSETS_BASE_URL',
      'JDK_BASE_URL',
      'BUILDPACK_S3_BASE_URL',
      'GO_BUCKET_URL',
    ])
    expect(gone.filter(({ instead }) => instead === undefined)).toEqual([])
  })

  it('has each variable once', () => {
    expect(new Set(variables.map(({ name }) => name)).size).toBe(variables.length)
  })
})

describe('variables by name', () => {
  it.each([
    ['as it is', 'GO_BUCKET_URL', 'GO_BUCKET_URL'],
    ['in another case', 'go_bucket_url', undefined],
    ['of npm, in any case', 'NPM_CONFIG_DISTURL', 'npm_config_disturl'],
    ['a mirror of one host', 'BP_DEPENDENCY_MIRROR_GITHUB_COM', 'BP_DEPENDENCY_MIRROR_GITHUB_COM'],
    ['unknown', 'DATABASE_URL', undefined],
  ])('%s', (_, name, found) => {
    expect(variableNamed(name)?.name).toBe(found)
  })

  it.each([
    ['BP_DEPENDENCY_MIRROR', undefined],
    ['BP_DEPENDENCY_MIRROR_GITHUB_COM', 'github.com'],
    ['BP_DEPENDENCY_MIRROR_DOWNLOAD_BELL__SW_COM', 'download.bell-sw.com'],
  ])('%s is for %s', (name, host) => {
    expect(mirroredHost(name)).toBe(host)
  })
})
