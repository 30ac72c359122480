import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { inForm } from '../../../src/buildpacks/environment/forms.js'

const settings = [
  { name: 'BUILDPACK_URL', value: 'https://larder.corp/repository/github/a/b/archive/refs/tags/v1.tar.gz' },
  { name: 'PLAIN', value: 'https://larder.corp:8443/x~y/repository/lang-jvm' },
  { name: 'MIRROR', value: 'https://larder.corp/repository/{originalHost}' },
  { name: 'BLANKS', value: '- https://larder.corp/repository/lang-php/' },
  { name: 'QUOTES', value: `it's "so" \\ and` },
  { name: 'SHELL', value: '$HOME `id` $(id) {a,b} {1..3} *' },
]
const plan = { settings, warnings: [] }
const expected = Object.fromEntries(settings.map(({ name, value }) => [name, value]))
const details = { app: 'APP' }

/** What a command gets for its arguments, in a shell where this text was typed. */
function argumentsIn(script: string): readonly string[] {
  const words = execFileSync('bash', [
    '--norc',
    '-c',
    `dokku() { printf '%s\\0' "$@"; }; pack() { printf '%s\\0' "$@"; }\n${script}`,
  ])
  return words.toString().split('\0').slice(0, -1)
}

/** What a program started by a shell has in its environment, after this text was read. */
function environmentAfter(script: string): Readonly<Record<string, string>> {
  const text = execFileSync('bash', ['--norc', '-c', `${script}\nenv -0`], {
    env: { PATH: process.env.PATH },
  }).toString()
  const all = Object.fromEntries(text.split('\0').map((entry) => entry.split(/=(.*)/s).slice(0, 2)))
  return Object.fromEntries(settings.map(({ name }) => [name, all[name] ?? '']))
}

describe('quoting', () => {
  it('shell: what bash exports', () => {
    expect(environmentAfter(inForm('shell', plan, details))).toEqual(expected)
  })

  it('dotenv: what bash takes for the same', () => {
    expect(environmentAfter(`set -a\n${inForm('dotenv', plan, details)}`)).toEqual(expected)
  })

  it('dotenv: no quotes where none are needed, for readers that know none', () => {
    const [url, , mirror] = inForm('dotenv', plan, details).split('\n')
    expect([url, mirror]).toEqual([`BUILDPACK_URL=${expected.BUILDPACK_URL}`, `MIRROR=${expected.MIRROR}`])
  })

  it('dokku: what its command gets, and the app it is for', () => {
    const assignments = settings.map(({ name, value }) => `${name}=${value}`)
    expect(argumentsIn(inForm('dokku', plan, details))).toEqual(['config:set', '--no-restart', 'APP', ...assignments])
    const named = argumentsIn(inForm('dokku', plan, { app: "my app's" }))
    expect(named.slice(0, 3)).toEqual(['config:set', '--no-restart', "my app's"])
  })

  it('pack: what its command gets', () => {
    const words = settings.flatMap(({ name, value }) => ['--env', `${name}=${value}`])
    expect(argumentsIn(`pack build app ${inForm('pack', plan, details)}`)).toEqual(['build', 'app', ...words])
  })

  it('pack: the same as $(larder env --for pack), which a shell reads no quotes in', () => {
    const mirror = { settings: settings.slice(0, 3).filter(({ name }) => name !== 'PLAIN'), warnings: ['one'] }
    const words = mirror.settings.flatMap(({ name, value }) => ['--env', `${name}=${value}`])
    const printed = inForm('pack', mirror, details)
    expect(argumentsIn(`printed=$(cat <<'END'\n${printed}END\n)\npack build app $printed`)).toEqual([
      'build',
      'app',
      ...words,
    ])
  })

  it('gitlab: what a YAML parser reads, with $ doubled as GitLab wants it', () => {
    const { variables } = parse(inForm('gitlab', plan, details))
    const { AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES: forwarded, ...rest } = variables
    expect(rest).toEqual({ ...expected, SHELL: '$$HOME `id` $$(id) {a,b} {1..3} *' })
    expect(forwarded).toBe('PLAIN,MIRROR,BLANKS,QUOTES,SHELL')
  })
})

describe('what is left to the reader', () => {
  const warned = { settings: settings.slice(0, 1), warnings: ['first', 'second'] }

  it.each([['gitlab'], ['dokku'], ['shell'], ['dotenv']] as const)('%s: stands in comments before', (form) => {
    expect(inForm(form, warned, details)).toMatch(/^# first\n# second\n[^#]/)
  })

  it('pack has no comments', () => {
    expect(inForm('pack', warned, details)).toBe(`--env BUILDPACK_URL=${expected.BUILDPACK_URL}\n`)
  })

  it.each([
    ['gitlab', 'variables: {}\n'],
    ['dokku', ''],
    ['shell', ''],
    ['dotenv', ''],
    ['pack', '\n'],
  ] as const)('%s: with nothing to set', (form, text) => {
    expect(inForm(form, { settings: [], warnings: [] }, details)).toBe(text)
  })

  it('gitlab: BUILDPACK_URL alone needs no list, for GitLab looks at it itself', () => {
    expect(parse(inForm('gitlab', warned, details))).toEqual({ variables: { BUILDPACK_URL: expected.BUILDPACK_URL } })
  })
})
