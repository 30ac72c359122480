import { describe, expect, it } from 'vitest'
import { newest } from '../../../src/buildpacks/catalogue/releases.js'
import { type Choice, readChoice } from '../../../src/buildpacks/environment/choices.js'
import { planEnvironment } from '../../../src/buildpacks/environment/plan.js'
import { everyRepository, withPresets } from '../configured.js'

const url = 'https://larder.corp'
const at = (path: string) => `${url}/repository/${path}`

function plan(buildpacks: readonly string[], wish: Partial<Parameters<typeof planEnvironment>[0]> = {}) {
  const choices = buildpacks.map((text) => readChoice(text) as Choice)
  const { settings, warnings } = planEnvironment({
    choices,
    stack: 'heroku-24',
    url,
    repositories: everyRepository,
    ...wish,
  })
  return { values: Object.fromEntries(settings.map(({ name, value }) => [name, value])), warnings }
}

describe('what --buildpack says', () => {
  it.each([
    ['gradle', { buildpack: 'gradle', release: newest }],
    ['gradle@v49', { buildpack: 'gradle', release: 49 }],
    ['paketo', { buildpack: 'paketo', release: newest }],
    ['gradel@v49', { unknown: 'gradel' }],
    ['', { unknown: '' }],
    ['gradle@49', { wanted: expect.stringContaining('gradle@v49') }],
    ['gradle@', { wanted: expect.stringContaining('gradle@v49') }],
    ['gradle@v0', { wanted: expect.stringContaining('gradle@v49') }],
    ['paketo@v1', { wanted: expect.stringContaining('paketo alone') }],
  ])('%s', (text, choice) => {
    expect(readChoice(text)).toEqual(choice)
  })
})

const jvm = at('buildpack-registry/buildpacks/heroku/jvm.tgz')
const agent = at('maven-central/com/heroku/agent/heroku-java-metrics-agent/4.0.1/heroku-java-metrics-agent-4.0.1.jar')
const archive = (name: string, version: string) =>
  at(`github/heroku/heroku-buildpack-${name}/archive/refs/tags/${version}.tar.gz`)

describe('the variables of one buildpack', () => {
  it.each([
    [
      'gradle of today',
      ['gradle@v49'],
      { BUILDPACK_URL: archive('gradle', 'v49'), JVM_COMMON_BUILDPACK: jvm, HEROKU_METRICS_JAR_URL: agent },
    ],
    [
      'gradle of 2021, with the stdlib its forks read',
      ['gradle@v36'],
      {
        BUILDPACK_URL: archive('gradle', 'v36'),
        BUILDPACK_STDLIB_URL: at('lang-common/buildpack-stdlib/v7/stdlib.sh'),
        JVM_COMMON_BUILDPACK: jvm,
        HEROKU_METRICS_JAR_URL: agent,
      },
    ],
    [
      'gradle with a pinned jvm-common that still reads a base',
      ['gradle@v49', 'jvm-common@v158'],
      {
        BUILDPACK_URL: archive('gradle', 'v49'),
        JVM_COMMON_BUILDPACK: archive('jvm-common', 'v158'),
        JVM_BUILDPACK_ASSETS_BASE_URL: at('lang-jvm'),
        HEROKU_METRICS_JAR_URL: agent,
      },
    ],
    [
      'ruby',
      ['ruby@v300'],
      { BUILDPACK_URL: archive('ruby', 'v300'), BUILDPACK_VENDOR_URL: at('heroku-buildpack-ruby') },
    ],
    [
      'the last python that reads a base',
      ['python@v301'],
      { BUILDPACK_URL: archive('python', 'v301'), BUILDPACK_S3_BASE_URL: at('heroku-buildpack-python') },
    ],
    [
      'the newest that holds URLs, as it is published',
      ['go'],
      { BUILDPACK_URL: at('buildpack-registry/buildpacks/heroku/go.tgz') },
    ],
    [
      'java, which downloads Maven by a URL of its own',
      ['java'],
      {
        BUILDPACK_URL: at('buildpack-registry/buildpacks/heroku/java.tgz'),
        JVM_COMMON_BUILDPACK: jvm,
        HEROKU_METRICS_JAR_URL: agent,
        MVNW_REPOURL: at('maven-central'),
      },
    ],
    [
      'clojure, which downloads Leiningen so',
      ['clojure'],
      {
        BUILDPACK_URL: at('buildpack-registry/buildpacks/heroku/clojure.tgz'),
        JVM_COMMON_BUILDPACK: jvm,
        HEROKU_METRICS_JAR_URL: agent,
      },
    ],
    ['the first python that does not', ['python@v302'], { BUILDPACK_URL: archive('python', 'v302') }],
    ['python before there was one', ['python@v181'], { BUILDPACK_URL: archive('python', 'v181') }],
    [
      'the last go that reads a base',
      ['go@v225'],
      { BUILDPACK_URL: archive('go', 'v225'), GO_BUCKET_URL: at('heroku-golang-prod') },
    ],
    ['the first go that does not', ['go@v226'], { BUILDPACK_URL: archive('go', 'v226') }],
    [
      'php',
      ['php@v260'],
      {
        BUILDPACK_URL: archive('php', 'v260'),
        HEROKU_PHP_PLATFORM_REPOSITORIES: `- ${at('lang-php/dist-heroku-24-amd64-stable/')}`,
      },
    ],
    [
      'nodejs, with what npm may run',
      ['nodejs@v280'],
      {
        BUILDPACK_URL: archive('nodejs', 'v280'),
        NVM_NODEJS_ORG_MIRROR: at('nodejs/dist'),
        npm_config_disturl: at('nodejs/dist'),
        ELECTRON_MIRROR: at('github/electron/electron/releases/download/'),
      },
    ],
    ['Paketo', ['paketo'], { BP_DEPENDENCY_MIRROR: at('{originalHost}') }],
  ])('%s', (_, buildpacks, values) => {
    expect(plan(buildpacks).values).toEqual(values)
  })

  it.each([
    ['before it came', 109, false],
    ['since it came', 110, true],
    ['the last', 158, true],
    ['since it is gone', 159, false],
  ])('JVM_BUILDPACK_ASSETS_BASE_URL: %s', (_, release, isSet) => {
    expect('JVM_BUILDPACK_ASSETS_BASE_URL' in plan([`jvm-common@v${release}`]).values).toBe(isSet)
  })

  it('of a stack whose paths name no architecture', () => {
    const { values } = plan(['php@v260'], { stack: 'heroku-22' })
    expect(values.HEROKU_PHP_PLATFORM_REPOSITORIES).toBe(`- ${at('lang-php/dist-heroku-22-stable/')}`)
  })
})

describe('warnings', () => {
  it.each([
    [
      'ignored by what is newer',
      ['python@v302'],
      /^BUILDPACK_S3_BASE_URL is not set: python@v302 ignores it, only releases up to v301 read it\. Instead: BUILDPACK_URL with/,
    ],
    ['ignored by what is older', ['python@v181'], /python@v181 ignores it, only releases from v182 on read it/],
    [
      'ignored by the jvm-common that is fetched',
      ['gradle@v49'],
      /^JVM_BUILDPACK_ASSETS_BASE_URL is not set: jvm-common \(newest\) ignores it, only releases up to v158 read it\. Instead: JVM_COMMON_BUILDPACK/,
    ],
    ['read by forks only', ['gradle@v37'], /^BUILDPACK_STDLIB_URL: only forks of gradle read it/],
    [
      'no longer needed',
      ['gradle@v38'],
      /^BUILDPACK_STDLIB_URL is not set: gradle@v38 ignores it, only releases up to v37 read it\. Instead: nothing/,
    ],
    [
      'several hold URLs',
      ['nodejs@v1', 'go@v226'],
      /^nodejs, go: part of what they download has its URL in the buildpack/,
    ],
  ])('%s', (_, buildpacks, warning) => {
    expect(plan(buildpacks).warnings).toContainEqual(expect.stringMatching(warning))
  })

  it.each([
    ['nothing ignored', ['ruby@v300']],
    ['nothing ignored by the last that reads it', ['go@v225']],
    ['Paketo', ['paketo']],
  ])('none: %s', (_, buildpacks) => {
    expect(plan(buildpacks).warnings).toEqual([])
  })

  it('none of URLs in the buildpack, where its BUILDPACK_URL is set and only what it calls stands beside it', () => {
    const { values, warnings } = plan(['scala@v94', 'jvm-common@v158'])
    expect(values.BUILDPACK_URL).toBe(archive('scala', 'v94'))
    expect(warnings).toEqual([expect.stringMatching(/^BUILDPACK_STDLIB_URL is not set/)])
  })

  it.each([
    ['JVM_COMMON_BUILDPACK', 'heroku-jvm', ['gradle@v49']],
    ['JVM_COMMON_BUILDPACK', 'heroku-jvm', []],
    ['BUILDPACK_URL', 'heroku-python', ['python']],
    ['BUILDPACK_URL', 'heroku-nodejs', ['nodejs']],
    ['HEROKU_METRICS_JAR_URL', 'maven-central', ['gradle@v49']],
    ['BUILDPACK_URL', 'github-archives', ['gradle@v49']],
    ['NVM_NODEJS_ORG_MIRROR', 'heroku-nodejs', ['nodejs@v280']],
    ['BP_DEPENDENCY_MIRROR', 'paketo', ['paketo']],
  ])('%s without its repository: left out, and the preset %s named', (name, preset, buildpacks) => {
    const { repositories } = withPresets([], 'repositories: { own: { type: hosted } }')
    const { values, warnings } = plan(buildpacks, { repositories })
    expect(values).not.toHaveProperty(name)
    expect(warnings).toContainEqual(
      expect.stringMatching(new RegExp(`^${name} is not set: .*Add the preset ${preset} `)),
    )
  })

  it('a mirror by host with some hosts unknown names them', () => {
    const { repositories } = withPresets(['github-archives'])
    const { values, warnings } = plan(['paketo'], { repositories })
    expect(values).toEqual({ BP_DEPENDENCY_MIRROR: at('{originalHost}') })
    expect(warnings).toEqual([expect.stringMatching(/repo1\.maven\.org.*artifacts\.paketo\.io/)])
    expect(warnings.join()).not.toContain('github.com')
  })

  it('over http Paketo has no mirror', () => {
    const { values, warnings } = plan(['paketo'], { url: 'http://larder.corp' })
    expect(values).toEqual({})
    expect(warnings).toEqual([expect.stringContaining('https only')])
  })

  it('at a port nvm has no mirror, and all others have', () => {
    const { values, warnings } = plan(['nodejs@v280'], { url: 'https://larder.corp:8443' })
    expect(Object.keys(values)).toEqual(['BUILDPACK_URL', 'npm_config_disturl', 'ELECTRON_MIRROR'])
    expect(warnings).toEqual([expect.stringMatching(/^NVM_NODEJS_ORG_MIRROR is not set: nvm takes no URL with a port/)])
  })
})

describe('without a choice', () => {
  const { values, warnings } = plan([])

  it('what the newest of all read', () => {
    expect(Object.keys(values)).toEqual([
      'JVM_COMMON_BUILDPACK',
      'HEROKU_METRICS_JAR_URL',
      'MVNW_REPOURL',
      'BUILDPACK_VENDOR_URL',
      'NVM_NODEJS_ORG_MIRROR',
      'npm_config_disturl',
      'ELECTRON_MIRROR',
      'HEROKU_PHP_PLATFORM_REPOSITORIES',
      'BP_DEPENDENCY_MIRROR',
    ])
  })

  it('and what is to be done where none of them reads a variable', () => {
    const [stdlib, assets, s3, bucket, rest, ...more] = warnings
    expect(stdlib).toContain('BUILDPACK_STDLIB_URL is not set')
    expect(assets).toContain('JVM_BUILDPACK_ASSETS_BASE_URL is not set')
    expect(s3).toContain('BUILDPACK_S3_BASE_URL is not set')
    expect(bucket).toContain('GO_BUCKET_URL is not set')
    expect(rest).toMatch(/^java, scala, clojure, ruby, nodejs, python, go, php: part of what they download/)
    expect(more).toEqual([])
  })
})

describe('repositories under other names', () => {
  it.each([
    [
      'a name of the user for the same remote',
      'repositories: { jdks: { remote: "https://lang-jvm.s3.us-east-1.amazonaws.com" } }',
      'jdks',
    ],
    [
      'the host for a name',
      'repositories: { lang-jvm.s3.amazonaws.com: { remote: "https://lang-jvm.s3.amazonaws.com" } }',
      'lang-jvm.s3.amazonaws.com',
    ],
    [
      'the name with a mirror of the company',
      'repositories: { lang-jvm: { remote: "https://mirror.corp/jvm" } }',
      'lang-jvm',
    ],
    [
      'an alias with another remote',
      'repositories: { jdks: { remote: "https://mirror.corp/jvm", aliases: [lang-jvm] } }',
      'jdks',
    ],
  ])('%s', (_, yaml, name) => {
    const { repositories } = withPresets(['maven-central'], yaml)
    const { values } = plan(['jvm-common@v158'], { repositories })
    expect(values.JVM_BUILDPACK_ASSETS_BASE_URL).toBe(at(name))
  })
})
