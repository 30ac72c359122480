import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { temporaryDirectory } from '../support/stage.js'
import { larder } from './larder-command.js'

const shipped = new URL('../../repositories.yaml', import.meta.url).pathname
const gitlabExample = new URL('../../deploy/gitlab/larder.gitlab-ci.yml', import.meta.url).pathname

async function file(text: string, name = 'file'): Promise<string> {
  const path = join(await temporaryDirectory(), name)
  await writeFile(path, text)
  return path
}

/** A command with this repositories.yaml; the shipped one without. */
async function run(argv: readonly string[], configuration?: string) {
  const config = configuration === undefined ? shipped : await file(configuration, 'repositories.yaml')
  return larder(argv, { LARDER_CONFIG: config })
}

const corp = ['--url', 'https://larder.corp']

describe('larder env', () => {
  it('prints the variables on standard output, and warns on the other', async () => {
    const { code, out, err } = await run(['env', '--for', 'gitlab', '--buildpack', 'gradle@v49', ...corp])
    expect(code).toBe(0)
    expect(parse(out).variables).toMatchObject({
      BUILDPACK_URL:
        'https://larder.corp/repository/github/heroku/heroku-buildpack-gradle/archive/refs/tags/v49.tar.gz',
      AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES: 'JVM_COMMON_BUILDPACK,HEROKU_METRICS_JAR_URL',
    })
    expect(err).toMatch(/^warning: BUILDPACK_STDLIB_URL is not set: gradle@v49 ignores it/)
    expect(err.trimEnd().split('\n')).toHaveLength(2)
    for (const warning of err.trimEnd().split('\n')) expect(out).toContain(`# ${warning.replace('warning: ', '')}\n`)
  })

  it.each([
    [
      'publicUrl says where Larder is',
      [],
      'presets: [heroku-go]\npublicUrl: https://public.corp',
      'https://public.corp/',
    ],
    ['--url comes first', corp, 'presets: [heroku-go]\npublicUrl: https://public.corp', 'https://larder.corp/'],
    [
      'a slash at its end is taken off',
      ['--url', 'https://larder.corp/x/'],
      'presets: [heroku-go]',
      'https://larder.corp/x/',
    ],
  ])('%s', async (_, argv, configuration, prefix) => {
    const { code, out } = await run(['env', '--for', 'dotenv', '--buildpack', 'go@v225', ...argv], configuration)
    expect([code, out.split('\n').find((line) => line.startsWith('GO_'))]).toEqual([
      0,
      `GO_BUCKET_URL=${prefix}repository/heroku-golang-prod`,
    ])
  })

  it('for pack it is for Paketo, if nothing else is said', async () => {
    const { code, out, err } = await run(['env', '--for', 'pack', ...corp])
    expect([code, out, err]).toEqual([
      0,
      '--env BP_DEPENDENCY_MIRROR=https://larder.corp/repository/{originalHost}\n',
      '',
    ])
  })

  it('--app and --stack', async () => {
    const argv = ['env', '--for', 'dokku', '--app', 'shop', '--stack', 'heroku-22', '--buildpack', 'php@v260', ...corp]
    const { out } = await run(argv)
    expect(out).toMatch(/^dokku config:set --no-restart shop /m)
    expect(out).toContain('/lang-php/dist-heroku-22-stable/')
  })

  it.each([
    ['no form', ['env', ...corp], '--for'],
    [
      'a form there is not',
      ['env', '--for', 'gitlap', ...corp],
      '"gitlap" is not known (did you mean gitlab?), expected gitlab, dokku, shell, dotenv or pack',
    ],
    [
      'a stack there is not',
      ['env', '--for', 'shell', '--stack', 'heroku-25', ...corp],
      '"heroku-25" is not known (did you mean heroku-2',
    ],
    [
      'a buildpack there is not',
      ['env', '--for', 'shell', '--buildpack', 'gradel@v49', ...corp],
      '"gradel" is not in the catalogue (did you mean gradle?), expected jvm-common, gradle',
    ],
    [
      'a release that is none',
      ['env', '--for', 'shell', '--buildpack', 'gradle@49', ...corp],
      'expected a release as its tags have it, such as gradle@v49',
    ],
    [
      'a buildpack twice',
      ['env', '--for', 'shell', '--buildpack', 'go@v1', '--buildpack', 'go', ...corp],
      'go stands there twice',
    ],
    [
      'a URL that is none',
      ['env', '--for', 'shell', '--url', 'larder.corp'],
      '--url is not accepted, expected an http or https URL',
    ],
    [
      'a URL with credentials',
      ['env', '--for', 'shell', '--url', 'https://ci:secret@larder.corp'],
      '--url holds credentials',
    ],
    ['no URL at all', ['env', '--for', 'shell'], 'Say it with --url, or with publicUrl in repositories.yaml'],
  ])('%s: exit code 2', async (_, argv, message) => {
    const { code, out, err } = await run(argv)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
    expect(err).not.toContain('secret')
  })

  it('a faulty configuration: exit code 1, with its faults', async () => {
    const { code, err } = await run(['env', '--for', 'shell', ...corp], 'presets: [heroku-perl]')
    expect(code).toBe(1)
    expect(err).toMatch(/LARDER_CONFIG.*\n.*repositories\.yaml:1:11: presets/)
  })
})

describe('larder doctor', () => {
  it('nothing wrong: exit code 0', async () => {
    const path = await file('GO_BUCKET_URL=https://larder.corp/repository/heroku-golang-prod\n')
    expect(await run(['doctor', path, ...corp])).toMatchObject({
      code: 0,
      out: 'nothing wrong found\n',
      err: '',
    })
  })

  it('what is wrong: a line each, exit code 1, and no value of anything', async () => {
    const text =
      'TOKEN=hunter2\nJVM_BUILDPACK_ASSETS_BASE_UR=https://u:hunter2@x\nGO_BUCKET_URL=https://u:hunter2@nexus.corp/go\n'
    const path = await file(text)
    const { code, out, err } = await run(['doctor', path, ...corp])
    expect([code, err]).toEqual([1, 'larder: 2 found to be wrong\n'])
    expect(out).toBe(
      `${path}:2: JVM_BUILDPACK_ASSETS_BASE_UR is read by nothing; expected: JVM_BUILDPACK_ASSETS_BASE_URL\n` +
        `${path}:3: GO_BUCKET_URL leads to nexus.corp, not to Larder; expected: https://larder.corp/repository/heroku-golang-prod\n`,
    )
  })

  it('--json', async () => {
    const path = await file('BP_DEPENDENCY_MIRROR=http://larder.corp/repository/{originalHost}\n')
    const { code, out } = await run(['doctor', '--json', path, ...corp])
    expect([code, JSON.parse(out)]).toEqual([
      1,
      {
        file: path,
        findings: [
          {
            line: 1,
            variable: 'BP_DEPENDENCY_MIRROR',
            fault: 'is http, and Paketo takes https only',
            expected: 'https://larder.corp/repository/{originalHost}',
          },
        ],
      },
    ])
  })

  it.each([
    ['--url', ['--url', 'https://larder.corp'], 'presets: [heroku-go]'],
    ['publicUrl', [], 'presets: [heroku-go]\npublicUrl: https://larder.corp'],
    ['publicHosts', [], 'presets: [heroku-go]\npublicHosts: [cache.corp, larder.corp]'],
    [
      'publicHosts beside publicUrl',
      [],
      'presets: [heroku-go]\npublicUrl: http://cache.corp\npublicHosts: [larder.corp]',
    ],
  ])('knows our hosts by %s', async (_, argv, configuration) => {
    const path = await file('GO_BUCKET_URL=https://larder.corp/repository/heroku-golang-prod\n')
    expect((await run(['doctor', path, ...argv], configuration)).out).toBe('nothing wrong found\n')
  })

  it('of GitLab it asks what is forwarded, told by the file or by --for', async () => {
    const dotenv = await file('GO_BUCKET_URL=https://larder.corp/repository/heroku-golang-prod\n')
    expect((await run(['doctor', dotenv, '--for', 'gitlab', ...corp])).out).toContain('FORWARDED')
    const api = await file('[{"key":"GO_BUCKET_URL","value":"https://larder.corp/repository/heroku-golang-prod"}]')
    expect((await run(['doctor', '--env-file', api, ...corp])).out).toContain('FORWARDED')
    expect((await run(['doctor', '--env-file', api, '--for', 'shell', ...corp])).code).toBe(0)
  })

  it('finds nothing wrong with the pipeline that is shipped', async () => {
    expect(await run(['doctor', '--env-file', gitlabExample, ...corp])).toMatchObject({ code: 0, err: '' })
  })

  it.each([['gitlab'], ['shell'], ['dotenv']])(
    'understands what env prints for %s, and finds nothing wrong',
    async (form) => {
      const { out } = await run(['env', '--for', form, ...corp])
      const path = await file(out)
      expect(await run(['doctor', path, '--for', form, ...corp])).toMatchObject({ code: 0, err: '' })
    },
  )

  it.each([
    ['no file', ['doctor', ...corp], 'no file is named'],
    ['a file that is not there', ['doctor', '--env-file', '/nowhere', ...corp], '/nowhere: does not exist'],
    ['a file without variables', ['doctor', shipped, ...corp], 'repositories.yaml:7:1: is no variable'],
    [
      'a buildpack there is not',
      ['doctor', '--env-file', gitlabExample, '--buildpack', 'perl', ...corp],
      '"perl" is not in the catalogue',
    ],
    ['no URL at all', ['doctor', '--env-file', gitlabExample], 'publicUrl or publicHosts'],
  ])('%s: exit code 2', async (_, argv, message) => {
    const { code, out, err } = await run(argv)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
  })
})

describe('R4: larder check', () => {
  const presets = 'presets: [heroku-jvm]\n'

  it.each([
    [
      'warns where nothing says what rewritten URLs begin with',
      presets,
      /^warning: URLs are rewritten for requests from/,
    ],
    ['not with a publicUrl', `${presets}publicUrl: https://larder.corp\n`, /^$/],
    ['nor with publicHosts', `${presets}publicHosts: [larder.corp]\n`, /^$/],
    ['nor where nothing is rewritten', 'presets: [maven-central]\n', /^$/],
  ])('%s', async (_, configuration, err) => {
    expect(await run(['check'], configuration)).toMatchObject({ code: 0, err: expect.stringMatching(err) })
  })
})
