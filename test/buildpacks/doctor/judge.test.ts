import { describe, expect, it } from 'vitest'
import { judge } from '../../../src/buildpacks/doctor/judge.js'
import { type Choice, readChoice } from '../../../src/buildpacks/environment/choices.js'
import { inForm } from '../../../src/buildpacks/environment/forms.js'
import { planEnvironment } from '../../../src/buildpacks/environment/plan.js'
import { everyRepository, withPresets } from '../configured.js'

const url = 'https://larder.corp'
const at = (path: string) => `${url}/repository/${path}`
const surroundings = {
  ...{ url, hosts: ['larder.corp', 'larder.corp:8443', 'cache:8080'] },
  ...{ repositories: everyRepository, choices: [], forwarding: false },
}
const setting = (name: string, value: string, line = 1, literal = false) => ({ name, value, line, literal })

/** `what is wrong; expected: what is expected`, of one variable. */
function faults(name: string, value: string, more: Partial<Parameters<typeof judge>[1]> = {}): readonly string[] {
  const findings = judge([setting(name, value)], { ...surroundings, ...more })
  return findings.map(({ variable, fault, expected }) => {
    expect(variable).toBe(name)
    return `${fault}; expected: ${expected}`
  })
}

const chosen = (...texts: string[]) => ({ choices: texts.map((text) => readChoice(text) as Choice) })
const jvm = at('buildpack-registry/buildpacks/heroku/jvm.tgz')

describe('nothing wrong', () => {
  it.each([
    ['a whole URL', 'JVM_COMMON_BUILDPACK', jvm],
    [
      'under the name of the host',
      'JVM_COMMON_BUILDPACK',
      at('buildpack-registry.s3.amazonaws.com/buildpacks/heroku/jvm.tgz'),
    ],
    [
      'from an archive of GitHub',
      'JVM_COMMON_BUILDPACK',
      at('github/heroku/heroku-buildpack-jvm-common/archive/v158.tar.gz'),
    ],
    ['by another of its hosts', 'JVM_BUILDPACK_ASSETS_BASE_URL', 'http://cache:8080/repository/lang-jvm'],
    ['a base with a slash', 'JVM_BUILDPACK_ASSETS_BASE_URL', at('lang-jvm/')],
    ['a base in another repository', 'JVM_BUILDPACK_ASSETS_BASE_URL', at('maven-central/own/jdks')],
    ['at a port, for what takes one', 'npm_config_disturl', 'https://larder.corp:8443/repository/nodejs/dist'],
    ['npm in capitals', 'NPM_CONFIG_DISTURL', at('nodejs/dist')],
    ['nvm', 'NVM_NODEJS_ORG_MIRROR', at('nodejs/dist')],
    ['Electron', 'ELECTRON_MIRROR', at('github/electron/electron/releases/download/')],
    ['Paketo', 'BP_DEPENDENCY_MIRROR', at('{originalHost}')],
    ['Paketo, one host', 'BP_DEPENDENCY_MIRROR_GITHUB_COM', at('{originalHost}')],
    ['Paketo, one host by name', 'BP_DEPENDENCY_MIRROR_GITHUB_COM', at('github')],
    ['PHP, as its list has it', 'HEROKU_PHP_PLATFORM_REPOSITORIES', `- ${at('lang-php/dist-heroku-24-amd64-stable/')}`],
    ['settings of Maven that are elsewhere', 'MAVEN_SETTINGS_URL', 'https://git.corp/settings.xml'],
    ['a buildpack', 'BUILDPACK_URL', at('github/heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz')],
    ['a buildpack of a registry', 'BUILDPACK_URL', 'heroku/gradle'],
    [
      'with credentials',
      'JVM_COMMON_BUILDPACK',
      'https://ci:secret@larder.corp/repository/buildpack-registry/buildpacks/heroku/jvm.tgz',
    ],
    ['not ours to judge', 'DATABASE_URL', 'postgres://db.corp/app'],
    ['hardly like one of ours', 'S3_BUCKET_URL', 'https://bucket.example'],
    ['hardly like another', 'CDN_BASE_URL', 'https://cdn.example'],
    ['nor that', 'GCS_BUCKET_URL', 'https://bucket.example'],
    ['with what nobody here knows', 'JVM_COMMON_BUILDPACK', '$SOMEWHERE/jvm.tgz'],
    [
      'with Larder in a variable of elsewhere',
      'JVM_COMMON_BUILDPACK',
      `\${LARDER_URL}/repository/buildpack-registry/buildpacks/heroku/jvm.tgz`,
    ],
  ])('%s: %s', (_, name, value) => {
    expect(faults(name, value)).toEqual([])
  })

  it.each([
    [['gradle@v49']],
    [['gradle@v36', 'jvm-common@v158']],
    [['php@v260']],
    [['nodejs@v280']],
    [['paketo']],
    [[]],
  ])('what larder env prints for %j', (buildpacks) => {
    const { choices } = chosen(...buildpacks)
    const plan = planEnvironment({ choices, stack: 'heroku-24', url, repositories: everyRepository })
    const set = plan.settings.map(({ name, value }, index) => setting(name, value, index + 1))
    const forwarded = /FORWARDED_CI_VARIABLES: "(.*)"/.exec(inForm('gitlab', plan, { app: '' }))?.[1]
    const list = forwarded ? [setting('AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES', forwarded, 99)] : []
    expect(set.length).toBeGreaterThan(0)
    expect(judge([...set, ...list], { ...surroundings, choices, forwarding: true })).toEqual([])
  })
})

describe('misspelt names', () => {
  it.each([
    ['JVM_BUILDPACK_ASSETS_BASE_UR', 'JVM_BUILDPACK_ASSETS_BASE_URL'],
    ['JVM_COMMON_BUILDPACK_URL', 'JVM_COMMON_BUILDPACK'],
    ['BUILDPACK_STDLIB', 'BUILDPACK_STDLIB_URL'],
    ['NVM_NODEJS_ORG_MIROR', 'NVM_NODEJS_ORG_MIRROR'],
    ['Go_Bucket_Url', 'GO_BUCKET_URL'],
    ['AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLE', 'AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES'],
  ])('%s', (name, meant) => {
    expect(faults(name, 'anything')).toEqual([`is read by nothing; expected: ${meant}`])
  })
})

describe('URLs that do not lead here', () => {
  it.each([
    [
      'a bucket: the same through Larder',
      'JVM_BUILDPACK_ASSETS_BASE_URL',
      'https://lang-jvm.s3.amazonaws.com',
      'leads to lang-jvm.s3.amazonaws.com, not to Larder',
      at('lang-jvm'),
    ],
    [
      'its file, too',
      'JVM_COMMON_BUILDPACK',
      'https://buildpack-registry.s3.us-east-1.amazonaws.com/buildpacks/heroku/jvm.tgz',
      'leads to buildpack-registry.s3.us-east-1.amazonaws.com, not to Larder',
      jvm,
    ],
    [
      'a bucket too deep: what is right, not the same',
      'JVM_BUILDPACK_ASSETS_BASE_URL',
      'https://lang-jvm.s3.amazonaws.com/jdk',
      'leads to lang-jvm.s3.amazonaws.com, not to Larder',
      at('lang-jvm'),
    ],
    [
      'a page of GitHub that is not served',
      'NODE_BINARY_URL',
      'https://github.com/a/b/raw/main/node.tar.gz',
      'leads to github.com, not to Larder',
      `a URL below ${at('NAME')} that ends in .tar.gz`,
    ],
    [
      'a host nobody has',
      'JVM_COMMON_BUILDPACK',
      'https://nexus.corp/jvm.tgz',
      'leads to nexus.corp, not to Larder',
      jvm,
    ],
    [
      'another port',
      'JVM_COMMON_BUILDPACK',
      'https://larder.corp:9999/repository/buildpack-registry/buildpacks/heroku/jvm.tgz',
      'leads to larder.corp:9999, not to Larder',
      jvm,
    ],
    [
      'git',
      'BUILDPACK_URL',
      'https://github.com/heroku/heroku-buildpack-gradle.git#v49',
      'leads to github.com, not to Larder',
      at('github/heroku/heroku-buildpack-gradle/archive/v49.tar.gz'),
    ],
    [
      'git without a tag',
      'BUILDPACK_URL',
      'https://github.com/heroku/heroku-buildpack-gradle',
      'leads to github.com, not to Larder',
      at('github/heroku/heroku-buildpack-gradle/archive/refs/tags/TAG.tar.gz'),
    ],
    ['no URL', 'JVM_COMMON_BUILDPACK', 'larder.corp/repository/x', 'is not an http or https URL', jvm],
    ['nothing', 'GO_BUCKET_URL', '', 'is not an http or https URL', at('heroku-golang-prod')],
    [
      'no URL, and none is known',
      'SENTRYCLI_CDNURL',
      'cdn',
      'is not an http or https URL',
      `a URL below ${at('NAME')}`,
    ],
    [
      'one of a list',
      'HEROKU_PHP_PLATFORM_REPOSITORIES',
      'https://relay.so/heroku/',
      'leads to relay.so, not to Larder',
      at('lang-php/dist-STACK-stable/'),
    ],
    [
      'a mirror',
      'BP_DEPENDENCY_MIRROR',
      'https://nexus.corp/{originalHost}',
      'leads to nexus.corp, not to Larder',
      at('{originalHost}'),
    ],
  ])('%s: %s', (_, name, value, fault, expected) => {
    expect(faults(name, value)).toEqual([`${fault}; expected: ${expected}`])
  })
})

describe('places that are none', () => {
  it.each([
    [
      'no repository',
      'JVM_COMMON_BUILDPACK',
      `${url}/buildpacks/heroku/jvm.tgz`,
      `names no repository; expected: ${jvm}`,
    ],
    [
      'a repository that is not configured',
      'GO_BUCKET_URL',
      at('heroku-golang-pord'),
      'names a repository that is not configured: heroku-golang-pord (did you mean heroku-golang-prod?); expected: one of repositories.yaml',
    ],
    [
      'a path that is not routed',
      'NODE_BINARY_URL',
      at('nodejs/en/node.tar.gz'),
      'has a path that the repository nodejs does not serve; expected: one that fits dist/** or download/**',
    ],
    [
      'a whole repository for a file',
      'MAVEN_SETTINGS_URL',
      at('maven-central'),
      `leads to a repository as a whole, and its reader appends nothing; expected: a URL below ${at('NAME')}`,
    ],
    [
      'a base for a file',
      'JVM_COMMON_BUILDPACK',
      at('buildpack-registry/buildpacks/heroku'),
      `is not the URL of a file that ends in .tgz or .tar.gz; expected: ${jvm}`,
    ],
    [
      'a page for an archive',
      'BUILDPACK_URL',
      at('github/heroku/heroku-buildpack-gradle/archive/v49.zip'),
      `is not the URL of a file that ends in .tgz or .tar.gz; expected: a URL below ${at('NAME')} that ends in .tgz or .tar.gz`,
    ],
    [
      'a file for a base',
      'GO_BUCKET_URL',
      at('heroku-golang-prod/go1.24.tar.gz'),
      `is the URL of a file, and its reader appends a path; expected: ${at('heroku-golang-prod')}`,
    ],
    [
      'a base too deep',
      'JVM_BUILDPACK_ASSETS_BASE_URL',
      at('lang-jvm/jdk'),
      `begins at the wrong directory: its reader appends the rest of the path itself; expected: ${at('lang-jvm')}`,
    ],
    [
      'a base not deep enough',
      'NVM_NODEJS_ORG_MIRROR',
      at('nodejs'),
      `begins at the wrong directory: its reader appends the rest of the path itself; expected: ${at('nodejs/dist')}`,
    ],
    [
      'a mirror without its placeholder',
      'BP_DEPENDENCY_MIRROR',
      at('github'),
      `lacks {originalHost}, so all hosts would be looked for in one repository; expected: ${at('{originalHost}')}`,
    ],
    [
      'a mirror with it elsewhere',
      'BP_DEPENDENCY_MIRROR',
      `${url}/{originalHost}`,
      `has {originalHost} elsewhere than behind /repository/; expected: ${at('{originalHost}')}`,
    ],
    [
      'a mirror of a host that is no alias',
      'BP_DEPENDENCY_MIRROR_EXAMPLE_COM',
      at('{originalHost}'),
      'names a repository that is not configured: example.com; expected: one of repositories.yaml',
    ],
    [
      'a mirror of one host in no repository',
      'BP_DEPENDENCY_MIRROR_GITHUB_COM',
      at('nothing-like-it'),
      'names a repository that is not configured: nothing-like-it; expected: one of repositories.yaml',
    ],
  ])('%s: %s', (_, name, value, fault) => {
    expect(faults(name, value)).toEqual([fault])
  })

  it('what is expected is told under the name the repository has here', () => {
    const { repositories } = withPresets(
      ['heroku-go'],
      'repositories: { jdks: { remote: "https://lang-jvm.s3.amazonaws.com" } }',
    )
    expect(faults('JVM_BUILDPACK_ASSETS_BASE_URL', at('jdks/jdk'), { repositories })).toEqual([
      `begins at the wrong directory: its reader appends the rest of the path itself; expected: ${at('jdks')}`,
    ])
  })
})

describe('what readers demand', () => {
  it.each([
    [
      'nvm: no port',
      'NVM_NODEJS_ORG_MIRROR',
      'https://larder.corp:8443/repository/nodejs/dist',
      /^has a port that nvm refuses/,
    ],
    [
      'nvm: no user',
      'NVM_NODEJS_ORG_MIRROR',
      'https://ci:secret@larder.corp/repository/nodejs/dist',
      /^has characters that nvm refuses/,
    ],
    [
      'Electron: a slash',
      'ELECTRON_MIRROR',
      at('github/electron/electron/releases/download'),
      /^does not end in a slash/,
    ],
    [
      'Paketo: https',
      'BP_DEPENDENCY_MIRROR',
      'http://cache:8080/repository/{originalHost}',
      /^is http, and Paketo takes https only; expected: https:/,
    ],
    [
      'Paketo: https, for one host',
      'BP_DEPENDENCY_MIRROR_GITHUB_COM',
      'http://cache:8080/repository/github',
      /^is http/,
    ],
  ])('%s', (_, name, value, fault) => {
    const found = faults(name, value)
    expect(found).toEqual([expect.stringMatching(fault)])
    expect(found.join()).not.toContain('secret')
  })

  it.each([
    ['BP_DEPENDENCY_MIRROR', 'http://nexus.corp/x'],
    ['NVM_NODEJS_ORG_MIRROR', 'http://larder.corp:8081/repository/nodejs/dist'],
    ['ELECTRON_MIRROR', 'https://github.com/electron/electron/releases/download'],
  ])('two things wrong are both told: %s', (name, value) => {
    expect(faults(name, value)).toHaveLength(2)
  })
})

describe('what the given release ignores', () => {
  const base = at('lang-jvm')
  it.each([
    [
      'the jvm-common that gradle fetches',
      ['gradle@v49'],
      /^is ignored by jvm-common \(newest\), only releases up to v158 read it; expected: JVM_COMMON_BUILDPACK/,
    ],
    ['since it is gone', ['jvm-common@v159'], /^is ignored by jvm-common@v159/],
    ['before it came', ['jvm-common@v109'], /only releases from v110 on read it/],
  ])('%s', (_, buildpacks, fault) => {
    expect(faults('JVM_BUILDPACK_ASSETS_BASE_URL', base, chosen(...buildpacks))).toEqual([expect.stringMatching(fault)])
  })

  it.each([
    ['read by it', ['jvm-common@v158']],
    ['read by a pinned one', ['gradle@v49', 'jvm-common@v158']],
    ['none of its business', ['go@v226']],
    ['no release given', []],
  ])('not: %s', (_, buildpacks) => {
    expect(faults('JVM_BUILDPACK_ASSETS_BASE_URL', base, chosen(...buildpacks))).toEqual([])
  })
})

describe('variables of variables', () => {
  const larder = setting('LARDER', 'https://larder.corp', 1)
  it.each([
    ['put in', [larder, setting('GO_BUCKET_URL', '$LARDER/repository/nope', 2)], [2]],
    [
      'one that ends in a slash, before another',
      [setting('BASE', 'https://larder.corp/'), setting('GO_BUCKET_URL', '$BASE/repository/heroku-golang-prod', 2)],
      [2],
    ],
    ['in braces', [larder, setting('GO_BUCKET_URL', `\${LARDER}/repository/heroku-golang-prod`, 2)], []],
    [
      'inside one another',
      [larder, setting('BASE', '$LARDER/repository', 2), setting('GO_BUCKET_URL', '$BASE/nope', 3)],
      [3],
    ],
    ['taken as they are in single quotes', [larder, setting('GO_BUCKET_URL', '$LARDER/repository/x', 2, true)], [2]],
    ['in a circle', [setting('A', '$B', 1), setting('B', '$A', 2), setting('GO_BUCKET_URL', '$A', 3)], []],
    ['without end', [setting('A', '$A'.repeat(1000), 1), setting('GO_BUCKET_URL', '$A', 2)], []],
    ['of elsewhere, before a wrong place', [setting('GO_BUCKET_URL', '$ELSEWHERE/repository/nope', 1)], [1]],
  ])('%s', (_, set, lines) => {
    expect(judge(set, surroundings).map(({ line }) => line)).toEqual(lines)
  })
})

describe('what GitLab forwards', () => {
  const list = 'AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES'
  const common = setting('JVM_COMMON_BUILDPACK', jvm, 1)
  const own = setting('GRADLE_TASK', 'stage', 2)
  const forwarding = { ...surroundings, forwarding: true }

  it.each([
    ['all of it', 'JVM_COMMON_BUILDPACK,GRADLE_TASK', []],
    ['what GitLab sets', 'JVM_COMMON_BUILDPACK,CI_COMMIT_SHA,GITLAB_USER_ID', []],
    ['a list of the same file put in', '$LIST,JVM_COMMON_BUILDPACK', []],
    ['a list of elsewhere put in', '$ELSEWHERE,GRADLE_TASK', []],
    [
      'what a list that was put in names',
      'JVM_COMMON_BUILDPACK,$WRONG',
      ['names NOT_HERE, which this file does not set; expected: a variable that is set here, or for the group'],
    ],
    ['one of the catalogue that the group may set', 'JVM_COMMON_BUILDPACK,GO_BUCKET_URL', []],
    [
      'one is missing',
      'GRADLE_TASK',
      ['does not name JVM_COMMON_BUILDPACK, which so never reaches the build; expected: JVM_COMMON_BUILDPACK'],
    ],
    [
      'a blank',
      'GRADLE_TASK, JVM_COMMON_BUILDPACK',
      [
        'has a blank beside JVM_COMMON_BUILDPACK; expected: names between commas without blanks',
        expect.stringMatching(/^does not name/),
      ],
    ],
    [
      'a value in the wrong place',
      'JVM_COMMON_BUILDPACK,https://u:hunter2@x',
      ['has an entry that is no name of a variable; expected: names between commas'],
    ],
    ['an empty name', 'JVM_COMMON_BUILDPACK,', [expect.stringMatching(/^has an empty name in it/)]],
    [
      'a misspelt one',
      'JVM_COMMON_BUILDPACK,BUILDPACK_STDLIB_UR',
      ['names BUILDPACK_STDLIB_UR, which is not set; expected: BUILDPACK_STDLIB_URL'],
    ],
    [
      'a misspelt one of its own',
      'JVM_COMMON_BUILDPACK,GRADLE_TSK',
      ['names GRADLE_TSK, which is not set; expected: GRADLE_TASK'],
    ],
    [
      'an unknown one',
      'JVM_COMMON_BUILDPACK,NOT_HERE',
      ['names NOT_HERE, which this file does not set; expected: a variable that is set here, or for the group'],
    ],
  ])('%s', (_, value, expected) => {
    const lists = [setting('LIST', 'GRADLE_TASK', 4), setting('WRONG', 'NOT_HERE', 5)]
    const findings = judge([common, own, setting(list, value, 3), ...lists], forwarding)
    expect(findings.map(({ fault, expected: wanted }) => `${fault}; expected: ${wanted}`)).toEqual(expected)
    for (const { line, variable } of findings) expect([line, variable]).toEqual([3, list])
  })

  it('no list at all', () => {
    expect(judge([common, own], forwarding)).toEqual([
      {
        line: 1,
        variable: list,
        fault: 'is not set, so no build gets the variables of this file',
        expected: 'JVM_COMMON_BUILDPACK',
      },
    ])
  })

  it.each([
    ['nothing that needs one', [own]],
    ['BUILDPACK_URL, which GitLab looks at itself', [setting('BUILDPACK_URL', at('github/a/b/archive/v1.tar.gz'), 1)]],
  ])('no list, and %s', (_, set) => {
    expect(judge(set, forwarding)).toEqual([])
  })

  it('outside GitLab nobody asks for a list', () => {
    expect(judge([common], surroundings)).toEqual([])
  })
})

it('findings come in the order of their lines', () => {
  const set = [setting('GO_BUCKET_URL', 'x', 9), setting('BUILDPACK_VENDOR_URL', 'x', 4)]
  expect(judge(set, surroundings).map(({ line }) => line)).toEqual([4, 9])
})
