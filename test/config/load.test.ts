import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../src/config/load.js'
import { faultsOf } from './faults.js'

const remoteOf = (text: string, env: NodeJS.ProcessEnv) =>
  parseConfig(text, 'r.yaml', env).repositories[0]?.remotes.map(({ url }) => url)

describe('variables', () => {
  const text = (value: string) => `repositories:\n  a:\n    remote: ${value}\n`

  it.each([
    ['a whole value', `\${BASE}`, { BASE: 'https://a.test' }, 'https://a.test'],
    ['parts of a value', `https://\${HOST}/\${DIR}`, { HOST: 'a.test', DIR: 'x' }, 'https://a.test/x'],
    ['an empty variable', `https://a.test\${DIR}`, { DIR: '' }, 'https://a.test'],
    ['a lone dollar', 'https://a.test/$X', { X: 'x' }, 'https://a.test/$X'],
  ])('%s', (_, value, env, expected) => {
    expect(remoteOf(text(value), env)).toEqual([expected])
  })

  it.each([
    ['$${ stands for ${', `$\${X}-\${X}`, `\${X}-x`],
    ['what a variable holds is not expanded again', `\${Y}`, `\${X}`],
  ])('%s', (_, written, expected) => {
    const query = `repositories: { a: { remote: https://a.test, query: { drop: ['${written}'] } } }`
    const env = { X: 'x', Y: `\${X}` }
    expect(parseConfig(query, 'r.yaml', env).repositories[0]?.query).toEqual({ drop: [expected] })
  })

  it('keys are not expanded', () => {
    expect(faultsOf(`repositories:\n  '\${X}':\n    remote: https://a.test\n`, { X: 'a' })).toEqual([
      expect.stringMatching(/^2:3: repositories\["\$\{X\}"\]: is not a repository name/),
    ])
  })

  it.each([
    [
      'unset',
      `https://\${MIRROR}/x`,
      '3:13: repositories.a.remote: names the variable MIRROR, which is not set in the environment',
    ],
    [
      'unfinished',
      'https://${MIRROR/x',
      '3:13: repositories.a.remote: has "${" without a name and a brace after it, expected both, or "$${" for these characters',
    ],
    [
      'in a list',
      `["\${MIRROR}"]`,
      '3:14: repositories.a.remote[0]: names the variable MIRROR, which is not set in the environment',
    ],
  ])('%s is a single fault', (_, value, fault) => {
    expect(faultsOf(text(value))).toEqual([fault])
  })

  it.each([
    [`remote: \${SECRET}`],
    [`remote: https://\${SECRET}@a.test`],
    [`remote: https://a.test/?\${SECRET}`],
    [`{ remote: https://a.test, aliases: ["\${SECRET}", "\${SECRET}"], maxAge: "\${SECRET}", profile: "\${SECRET}" }`],
    [
      `{ remote: https://a.test, query: "\${SECRET}", format: "\${SECRET}", freshness: [{ match: "/\${SECRET}", maxAge: 0 }] }`,
    ],
    [`{ remote: https://a.test, forwardRequestHeaders: ["\${SECRET}"], redirects: { allow: ["\${SECRET}"] } }`],
    [`{ remote: https://a.test, maxRedirects: "\${SECRET}", keepOnUpstreamMissing: "\${SECRET}" }`],
  ])('no message shows a value: %s', (settings) => {
    const faults = faultsOf(`repositories:\n  a:\n    ${settings}\n`, { SECRET: 'hunter2 /' })
    expect(faults).not.toEqual([])
    expect(faults.join('\n')).not.toContain('hunter2')
  })
})

describe('loadConfig', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'larder-config-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  const written = async (content: string | Buffer) => {
    const file = join(directory, 'r.yaml')
    await writeFile(file, content)
    return file
  }

  it('reads a file', async () => {
    const config = await loadConfig(await written(`repositories: { a: { remote: "\${R}" } }`), { R: 'https://a.test' })
    expect(config.repositories.map(({ name }) => name)).toEqual(['a'])
  })

  it('passes over a byte order mark', async () => {
    const file = await written('\uFEFFrepositories: { a: { remote: https://a.test } }')
    await expect(loadConfig(file, {})).resolves.toBeDefined()
  })

  it('says that a file is missing', async () => {
    const file = join(directory, 'none.yaml')
    await expect(loadConfig(file, {})).rejects.toMatchObject({
      name: 'ConfigError',
      message: `${file}: does not exist, expected a YAML file`,
      faults: [{ file, line: 0, column: 0, path: '' }],
    })
  })

  it('says that a directory is no file', async () => {
    await expect(loadConfig(directory, {})).rejects.toThrow(`${directory}: is a directory, expected a YAML file`)
  })

  it('says that bytes are no text', async () => {
    const file = await written(Buffer.from([0x61, 0xff, 0xfe]))
    await expect(loadConfig(file, {})).rejects.toThrow(`${file}: is not UTF-8 text, expected a YAML file`)
  })

  it('gives each fault its place', async () => {
    const file = await written('repositories:\n  a:\n    remote: x\n')
    await expect(loadConfig(file, {})).rejects.toMatchObject({
      message: `${file}:3:13: repositories.a.remote: is not accepted, expected an http or https URL`,
      faults: [{ file, line: 3, column: 13, path: 'repositories.a.remote' }],
    })
  })
})
