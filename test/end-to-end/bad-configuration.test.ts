import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeIdentity } from '../config/certificates.js'
import { get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { type Origin, startOrigin } from '../support/origin.js'
import { until } from '../support/stage.js'

let origin: Origin
let larder: LarderProcess
let home: string
beforeAll(async () => {
  origin = await startOrigin()
  larder = await startLarder({ config: config(), env: { SECRET: 'hunter2' } })
  home = dirname(larder.configFile)
  makeIdentity(home, 'mine')
  makeIdentity(home, 'other')
  await writeFile(join(home, 'lines'), 'hunter2\nhunter2\n')
  await writeFile(join(home, 'no.pem'), 'hunter2')
})
afterAll(async () => {
  await larder.dispose()
  await origin.stop()
})

const config = (settings = '') => `repositories:\n  raw:\n    remote: ${origin.url}\n    ${settings}\n`

/** Editors write another file and rename it; so no half of it is read. */
async function replace(content: string | Buffer): Promise<void> {
  await writeFile(join(home, 'new.yaml'), content)
  await rename(join(home, 'new.yaml'), larder.configFile)
}

/** The log's line about the reload that `change` brings about. */
async function reloadAfter(change: () => Promise<unknown>): Promise<string> {
  const from = larder.logs.length
  await change()
  const line = await larder.log(({ msg }) => String(msg).includes('reload'), from)
  expect(line.msg).toBe('cannot reload the configuration; the old one stays in force')
  return String((line.err as { readonly message?: unknown }).message)
}

/** A path nobody has asked for yet goes to the remote of the good configuration. */
async function expectOldInForce(path: string): Promise<void> {
  const body = origin.put(path, `body of ${path}`)
  const { status, body: received } = await get(`${larder.url}/repository/raw${path}`)
  expect([status, received.toString()]).toEqual([200, body.toString()])
}

const settings: readonly (readonly [string, string, string])[] = [
  [
    'a wrong type',
    'maxRedirects: many',
    '4:19: repositories.raw.maxRedirects: is not accepted, expected a whole number',
  ],
  [
    'an unknown key',
    'maxage: 5m',
    '4:5: repositories.raw.maxage: is not a setting of this version (did you mean maxAge?)',
  ],
  ['a key twice', 'maxAge: 1s\n    maxAge: 2s', '5:5: repositories.raw.maxAge: stands here a second time'],
  ['a bad glob', 'allow: ["a["]', '4:13: repositories.raw.allow[0]: is not accepted, expected a glob'],
  ['a bad duration', 'maxAge: soon', '4:13: repositories.raw.maxAge: is not accepted, expected a duration'],
  ['a bad size', 'maxSize: big', '4:14: repositories.raw.maxSize: is not accepted, expected a size'],
  [
    'a breaker at odds',
    'breaker: { openFor: 1h }',
    '4:25: repositories.raw.breaker.openFor: is longer than maxOpenFor',
  ],
  [
    'a bad digest',
    'checksums: [{ match: a, sha256: b }]',
    '4:37: repositories.raw.checksums[0].sha256: is not accepted',
  ],
  ['an unset variable', `auth: { bearer: "\${TOKEN}" }`, 'names the variable TOKEN, which is not set'],
  ['an unreadable secret', 'auth: { bearer: file:nowhere }', 'names the file nowhere, which does not exist'],
  ['a secret of several lines', 'auth: { bearer: file:lines }', 'names the file lines, which has several lines'],
  [
    'several schemes',
    `auth: { bearer: "\${SECRET}", basic: { username: u, password: hunter2 } }`,
    'names several schemes',
  ],
  ['a header with a line break', 'headers: { X: "hunter2\\r\\nY: z" }', 'repositories.raw.headers.X: is not accepted'],
  [
    'Authorization twice',
    'headers: { Authorization: hunter2 }\n    auth: { bearer: hunter2 }',
    '4:16: repositories.raw.headers.Authorization: stands beside auth',
  ],
  ['a missing CA', 'tls: { ca: nowhere.pem }', '4:16: repositories.raw.tls.ca: names a file that does not exist'],
  ['an invalid CA', 'tls: { ca: no.pem }', '4:16: repositories.raw.tls.ca: is not accepted, expected PEM'],
  [
    'a certificate without key',
    'tls: { cert: mine.pem }',
    'repositories.raw.tls.key: is missing, expected it beside cert',
  ],
  [
    'the key of another',
    'tls: { cert: mine.pem, key: other.key }',
    'repositories.raw.tls.key: does not fit the certificate',
  ],
  ['a bad proxy', 'proxy: socks5://u:hunter2@p', 'repositories.raw.proxy: is not accepted, expected direct or a URL'],
  [
    'an alias that is a name',
    'aliases: [raw]',
    '4:15: repositories.raw.aliases[0]: already stands for the repository raw',
  ],
]

const texts: readonly (readonly [string, string | Buffer, string])[] = [
  [
    'a repository twice',
    'repositories:\n  a: { remote: http://a }\n  a: { remote: http://b }\n',
    '3:3: repositories.a: stands here a second time',
  ],
  [
    'an alias of two',
    'repositories:\n  a: { remote: http://a, aliases: [x] }\n  b: { remote: http://b, aliases: [x] }\n',
    '3:36: repositories.b.aliases[0]: already stands for the repository a',
  ],
  [
    'a remote with credentials',
    'repositories: { a: { remote: "https://u:hunter2@a" } }',
    '1:30: repositories.a.remote: holds credentials',
  ],
  [
    'a mirror twice',
    'repositories: { a: { remote: [http://a, http://a/] } }',
    '1:41: repositories.a.remote[1]: is a remote of this list already',
  ],
  ['an empty file', '', 'is empty, expected a map'],
  ['no YAML', 'repositories: ["hunter2', 'is not YAML: Missing closing "quote'],
  ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff]), 'is not UTF-8 text, expected a YAML file'],
  ['an alias bomb', `a: &a [x]\nb: &b [${'*a,'.repeat(50)}]\nc: [${'*b,'.repeat(50)}]\n`, 'or far too many'],
  ['deep nesting', '? '.repeat(100_000), 'is nested far too deeply'],
  ['a huge file', `a: ${'x'.repeat(256 * 1024)}`, 'is larger than 256KiB, expected a YAML file'],
]

describe('O4: a bad reload keeps the old configuration in force, and says what is wrong where', () => {
  it.each([
    ...settings.map(([name, line, fault]) => [name, line, fault, true] as const),
    ...texts.map((text) => [...text, false] as const),
  ])('%s', async (name, content, fault, isSetting) => {
    const said = await reloadAfter(() => replace(isSetting ? config(String(content)) : content))
    expect(said).toContain(`${larder.configFile}:`)
    expect(said).toContain(fault)
    await expectOldInForce(`/${name.replaceAll(' ', '-')}`)
  })

  it('the file gone, and a directory in its place', async () => {
    expect(await reloadAfter(() => rm(larder.configFile))).toContain('does not exist, expected a YAML file')
    await expectOldInForce('/gone')
    expect(await reloadAfter(() => mkdir(larder.configFile))).toContain('is a directory, expected a YAML file')
    await expectOldInForce('/directory')
    await rm(larder.configFile, { recursive: true })
  })

  it('a good one is taken over after all of them, and no secret was told', async () => {
    await replace(config(`aliases: [again]\n    auth: { bearer: "\${SECRET}" }`))
    origin.put('/again', 'x')
    await until(async () => (await get(`${larder.url}/repository/again/again`)).status === 200, 'it is read')
    expect(`${JSON.stringify(larder.logs)}${larder.errors}`).not.toContain('hunter2')
    expect(await (await fetch(`${larder.url}/metrics`)).text()).not.toContain('hunter2')
  })
})
