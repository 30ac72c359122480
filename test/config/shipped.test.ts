import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { presetNames } from '../../src/buildpacks/catalogue/presets.js'
import type { Repository } from '../../src/caching/repository.js'
import { loadConfig, parseConfig } from '../../src/config/load.js'
import { repositoryIndex } from '../../src/config/repositories.js'

const file = new URL('../../repositories.yaml', import.meta.url).pathname
const forever = Number.POSITIVE_INFINITY

/** Their rules of freshness. */
const five: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  'lang-common': [['buildpack-stdlib/v*/**', forever]],
  'buildpack-registry': [['buildpacks/**', 300]],
  'lang-jvm': [['jdk/**', forever]],
  'heroku-buildpacks-jvm': [['openjdk/**', forever]],
  'maven-central': [
    ['**/maven-metadata.xml*', 300],
    ['**/*-SNAPSHOT*/**', 300],
    ['**/*.{jar,pom,module,war,aar,zip,tar.gz}{,.asc,.md5,.sha1,.sha256,.sha512}', forever],
  ],
}

describe('repositories.yaml as shipped', () => {
  let all: readonly Repository[]
  beforeAll(async () => {
    all = (await loadConfig(file, {})).repositories
  })

  it('names its schema in its first line, for editors', async () => {
    expect(await readFile(file, 'utf8')).toMatch(/^# yaml-language-server: \$schema=\.\/repositories\.schema\.json\n/)
  })

  it('uses all presets, and says of each what it is for', async () => {
    const text = await readFile(file, 'utf8')
    const listed = [...text.matchAll(/^ {2}- (\S+) # \S.*$/gm)].map(([, name]) => name)
    expect(listed).toEqual(presetNames)
  })

  it('shows an own repository, a setting laid over a preset and publicUrl, ready to be taken out of comments', async () => {
    const text = await readFile(file, 'utf8')
    const commented = /^# (publicUrl: .*)$/m.exec(text)?.[1]
    const example = /^# (repositories:\n(?:# .*\n)+)/m.exec(text)?.[1]?.replace(/^# /gm, '')
    const config = parseConfig(`presets: [heroku-jvm]\n${commented}\n${example}`, file, {})
    expect(config.publicUrl).toBe('https://larder.example.com')
    const find = repositoryIndex(config.repositories)
    expect(find('internal-tools')?.remotes[0]?.url).toBe('https://files.example.com/tools')
    expect(find('lang-jvm')).toMatchObject({
      remotes: [{ url: 'https://lang-jvm.s3.amazonaws.com' }],
      retention: { maxSize: 50 * 2 ** 30 },
    })
  })

  it('serves the five repositories it always had', () => {
    const known = all.filter(({ name }) => Object.hasOwn(five, name))
    expect(known.map(({ name, remotes, profile }) => [name, ...remotes.map(({ url }) => url), profile])).toEqual([
      ['lang-common', 'https://lang-common.s3.amazonaws.com', 'artifact'],
      ['buildpack-registry', 'https://buildpack-registry.s3.amazonaws.com', 'artifact'],
      ['lang-jvm', 'https://lang-jvm.s3.amazonaws.com', 'artifact'],
      ['heroku-buildpacks-jvm', 'https://heroku-buildpacks-jvm.s3.dualstack.us-east-1.amazonaws.com', 'artifact'],
      ['maven-central', 'https://repo1.maven.org/maven2', 'artifact'],
    ])
    for (const { name, caching, routing } of known) {
      expect([name, caching.freshness.map(({ match, maxAge }) => [match, maxAge])]).toEqual([name, five[name]])
      expect(routing).toEqual({ allow: [], block: [] })
    }
  })

  it.each([['lang-common'], ['buildpack-registry'], ['lang-jvm'], ['heroku-buildpacks-jvm']])(
    '%s by host name',
    (name) => {
      const find = repositoryIndex(all)
      for (const suffix of ['s3', 's3.us-east-1', 's3.dualstack.us-east-1']) {
        expect(find(`${name}.${suffix}.amazonaws.com`)).toBe(find(name))
      }
    },
  )

  it.each([
    ['lang-common', 'buildpack-stdlib/v7/stdlib.sh', forever],
    ['lang-common', 'other.sh', undefined],
    ['buildpack-registry', 'buildpacks/heroku/jvm.tgz', 300],
    ['lang-jvm', 'jdk/heroku-24/zulu-21.0.5.tar.gz', forever],
    ['heroku-buildpacks-jvm', 'openjdk/zulu/amd64/21.tar.gz', forever],
    ['maven-central', 'com/heroku/agent/heroku-java-metrics-agent/4.0.1/heroku-java-metrics-agent-4.0.1.jar', forever],
    ['maven-central', 'a/b/1/b-1.pom.sha1', forever],
    ['maven-central', 'a/b/1/b-1.jar.asc', forever],
    ['maven-central', 'a/b/1/b-1.tar.gz', forever],
    ['maven-central', 'a/b/maven-metadata.xml', 300],
    ['maven-central', 'a/b/maven-metadata.xml.sha1', 300],
    ['maven-central', 'a/b/1-SNAPSHOT/b-1-SNAPSHOT.jar', 300],
    ['maven-central', 'archetype-catalog.xml', undefined],
  ])('%s: %s', (name, path, lifetime) => {
    const rules = repositoryIndex(all)(name)?.caching.freshness
    expect(rules?.find(({ matches }) => matches(path))?.maxAge).toBe(lifetime)
  })
})
