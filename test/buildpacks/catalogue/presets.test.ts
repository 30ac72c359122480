import { describe, expect, it } from 'vitest'
import { buildpackNames } from '../../../src/buildpacks/catalogue/buildpack.js'
import { buildpacks } from '../../../src/buildpacks/catalogue/buildpacks.js'
import { presetFor, presetNames, presetRepository, presets } from '../../../src/buildpacks/catalogue/presets.js'
import { isRouted } from '../../../src/caching/routing.js'
import { repositoryIndex } from '../../../src/config/repositories.js'
import { everyRepository, withPresets } from '../configured.js'

const all = presetNames.flatMap((preset) =>
  Object.entries(presets[preset]).map(([name, repository]) => ({ preset, name, repository })),
)
const find = repositoryIndex(everyRepository)
const forever = Number.POSITIVE_INFINITY

describe('presets', () => {
  it.each(presetNames.map((name) => [name]))('%s is a configuration by itself', (name) => {
    const { repositories } = withPresets([name])
    expect(repositories.map((repository) => repository.name)).toEqual(Object.keys(presets[name]))
  })

  it('make one configuration together', () => {
    expect(everyRepository.map(({ name }) => name)).toEqual([...new Set(all.map(({ name }) => name))])
  })

  it.each(buildpackNames.filter((name) => buildpacks[name].published !== undefined).map((name) => [name]))(
    'the one for %s serves that as it is published',
    (name) => {
      const own = repositoryIndex(withPresets([presetFor(name)]).repositories)
      expect(own('buildpack-registry.s3.us-east-1.amazonaws.com')?.name).toBe('buildpack-registry')
    },
  )

  it.each([['ruby'], ['nodejs'], ['python'], ['go'], ['php'], ['paketo']] as const)(
    'the one for %s serves all that downloads',
    (name) => {
      const needed = buildpacks[name].downloads.flatMap(({ repositories }) => repositories)
      expect(Object.keys(presets[presetFor(name)])).toEqual(expect.arrayContaining(needed))
    },
  )

  it('never define a repository in two ways', () => {
    for (const { name, repository } of all) expect([name, repository]).toEqual([name, presetRepository(name)])
  })

  it('never take a name or alias twice', () => {
    const names = everyRepository.flatMap(({ name, aliases }) => [name, ...aliases])
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('have https remotes only', () => {
    for (const { name, repository } of all)
      expect([name, new URL(repository.remote).protocol]).toEqual([name, 'https:'])
  })

  it('give a host for an alias only to a remote that is the whole of it', () => {
    for (const { name, repository } of all) {
      if ((repository.aliases ?? []).length > 0)
        expect([name, new URL(repository.remote).pathname]).toEqual([name, '/'])
    }
  })

  it.each([
    ['github.com', '/bell-sw/Liberica/releases/download/17.0.4+8/bellsoft-jdk17.0.4+8-linux-amd64.tar.gz'],
    ['repo1.maven.org', '/maven2/org/apache/maven/apache-maven/3.9.11/apache-maven-3.9.11-bin.tar.gz'],
    ['downloads.gradle.org', '/distributions/gradle-6.8.3-bin.zip'],
    ['services.gradle.org', '/distributions/gradle-8.5-bin.zip'],
    ['nodejs.org', '/dist/v22.13.1/node-v22.13.1-linux-x64.tar.xz'],
    ['go.dev', '/dl/go1.24.6.linux-amd64.tar.gz'],
    ['dl.google.com', '/go/go1.24.6.linux-amd64.tar.gz'],
    ['artifacts.paketo.io', '/python/python_3.10.20_linux_amd64_jammy.tgz'],
    ['deps.paketo.io', '/node/node_v16.7.0_linux_x64_bionic_a50ee095.tgz'],
    ['download.bell-sw.com', '/vm/22.1.0/bellsoft-liberica-vm-core-openjdk17.0.3.1+2-22.1.0+2-linux-amd64.tar.gz'],
    ['corretto.aws', '/downloads/resources/17.0.4.9.1/amazon-corretto-17.0.4.9.1-linux-x64.tar.gz'],
    ['builds.dotnet.microsoft.com', '/dotnet/aspnetcore/Runtime/8.0.22/aspnetcore-runtime-8.0.22-linux-x64.tar.gz'],
    ['download.clojure.org', '/install/linux-install-1.12.4.1618.sh'],
    ['storage.googleapis.com', '/cloud-profiler/java/cloud-profiler-java-agent_20220905_RC00.tar.gz'],
    ['cdn.azul.com', '/zulu/bin/zulu17.44.15-ca-jdk17.0.8-linux_x64.tar.gz'],
    ['files.pythonhosted.org', '/packages/70/27/6098b4b6/pip-24.0.tar.gz'],
    ['archive.apache.org', '/dist/tomcat/tomcat-10/v10.1.1/bin/apache-tomcat-10.1.1.tar.gz'],
    ['www.python.org', '/ftp/python/3.10.20/Python-3.10.20.tgz'],
  ])('{originalHost} %s: %s is served, and stays', (host, target) => {
    const repository = find(host)
    expect(repository?.remotes.map(({ url }) => url)).toEqual([`https://${host}`])
    expect(repository && isRouted(repository.routing, target)).toBe(true)
    const rule = repository?.caching.freshness.find(({ matches }) => matches(target.slice(1)))
    expect(rule?.maxAge).toBe(forever)
  })

  it.each([
    ['github', '/heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz', true],
    ['github', '/heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz/info/refs?service=git-upload-pack', true],
    ['github', '/heroku/heroku-buildpack-gradle.git/info/refs?service=git-upload-pack', false],
    ['github', '/heroku/heroku-buildpack-gradle', false],
    ['codeload', '/heroku/heroku-buildpack-gradle/tar.gz/refs/tags/v49', true],
    ['codeload', '/heroku/heroku-buildpack-gradle/legacy.tar.gz/v49', false],
    ['nodejs', '/dist/index.tab', true],
    ['nodejs', '/en/download', false],
    ['maven-by-host', '/maven2/a/b/1/b-1.jar', true],
    ['maven-by-host', '/', false],
  ])('%s %s: served %s', (name, target, served) => {
    const repository = find(name)
    expect(repository && isRouted(repository.routing, target)).toBe(served)
  })

  const sha = '0114d76d791558cb1c85aac0bbfa3c0c4ec3db18'
  it.each([
    ['github', `a/b/archive/${sha}.tar.gz`, forever],
    ['github', `a/b/archive/${sha.slice(1)}.tar.gz`, 300],
    ['github', 'a/b/archive/refs/tags/v49.tar.gz', 86_400],
    ['github', 'a/b/archive/refs/heads/main.tar.gz', 300],
    ['github', 'a/b/archive/main.zip', 300],
    ['github', 'a/b/releases/download/1.0/x-linux-amd64', forever],
    ['codeload', `a/b/tar.gz/${sha}`, forever],
    ['codeload', 'a/b/tar.gz/refs/tags/v49', 86_400],
    ['codeload', 'a/b/zip/main', 300],
    ['nodejs', 'dist/v22.13.1/SHASUMS256.txt', forever],
    ['nodejs', 'download/release/v22.13.1/node-v22.13.1-linux-x64.tar.gz', forever],
    ['nodejs', 'dist/latest-v22.x/SHASUMS256.txt', 3600],
    ['nodejs', 'dist/index.json', 3600],
    ['lang-php', 'dist-heroku-24-amd64-stable/packages.json', 300],
    ['lang-php', 'dist-heroku-24-amd64-stable/php-8.3.0.tar.gz', forever],
    ['heroku-buildpack-python', 'python-3.13.0-ubuntu-24.04-amd64.tar.zst', forever],
    ['maven-by-host', 'maven2/a/b/maven-metadata.xml', 300],
    ['clojure-downloads', 'install/linux-install-1.10.1.697.sh', forever],
    ['clojure-downloads', 'install/linux-install.sh', undefined],
  ])('%s: %s is fresh for %s s', (name, path, lifetime) => {
    expect(find(name)?.caching.freshness.find(({ matches }) => matches(path))?.maxAge).toBe(lifetime)
  })
})

describe('rewriting', () => {
  const ruleFor = (name: string, path: string) => find(name)?.rewrite.find(({ matches }) => matches(path))

  it.each([
    ['buildpack-registry', 'buildpacks/heroku/jvm.tgz', true],
    ['github', 'heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz', true],
    ['github', 'heroku/heroku-buildpack-gradle/archive/main.zip', true],
    ['github', 'heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz/info/refs', false],
    ['github', 'apache/maven-mvnd/archive/refs/tags/1.0.2.tar.gz', false],
    ['github', 'heroku/heroku-buildpack-php/releases/download/v1/x.tar.gz', false],
    ['codeload', 'heroku/heroku-buildpack-gradle/tar.gz/refs/tags/v49', true],
    ['codeload', 'apache/maven-mvnd/tar.gz/refs/tags/1.0.2', false],
    ['lang-php', 'dist-heroku-24-amd64-stable/packages.json', true],
    ['lang-php', 'dist-heroku-24-amd64-stable/php-8.3.0.tar.gz', false],
    ['lang-jvm', 'jdk/heroku-24/zulu-21.0.5.tar.gz', false],
    ['clojure-downloads', 'install/linux-install-1.10.1.697.sh', false],
  ])('of %s: %s: %s', (name, path, rewritten) => {
    expect(ruleFor(name, path) !== undefined).toBe(rewritten)
  })

  const inArchive = ruleFor('github', 'heroku/heroku-buildpack-x/archive/v1.tar.gz')?.in ?? []
  const inRegistry = ruleFor('buildpack-registry', 'buildpacks/heroku/jvm.tgz')?.in ?? []
  it.each([
    ['bin/compile'],
    ['bin/support/download_ruby'],
    ['lib/openjdk.sh'],
    ['lib/language_pack/helpers/nodebin.rb'],
    ['inventory.json'],
    ['inventory/node.toml'],
    ['buildpack.toml'],
    ['data.json'],
    ['files.json'],
  ])('looks into %s, at the top and below the one directory of an archive of GitHub', (member) => {
    for (const globs of [inArchive, inRegistry]) {
      for (const path of [member, `heroku-buildpack-x-1/${member}`]) {
        expect([path, globs.some(({ matches }) => matches(path))]).toEqual([path, true])
      }
    }
  })

  it.each([['README.md'], ['test/fixtures/package.json']])('leaves %s alone', (member) => {
    expect(inArchive.some(({ matches }) => matches(`heroku-buildpack-x-1/${member}`))).toBe(false)
  })
})
