import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RemoteAccess } from '../../src/caching/repository.js'
import { parseConfig } from '../../src/config/load.js'
import { createLog } from '../../src/log.js'
import { type Identity, makeIdentity } from './certificates.js'

let directory: string
let mine: Identity
let other: Identity
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'larder-remotes-'))
  mine = makeIdentity(directory, 'mine')
  other = makeIdentity(directory, 'other')
  writeFileSync(join(directory, 'password'), 'pa ss:wörd\n')
  writeFileSync(join(directory, 'token'), 'abc.DEF-123')
  writeFileSync(join(directory, 'proxy'), 'http://u:hunter2@proxy.test:3128\r\n')
})
afterAll(() => rmSync(directory, { recursive: true }))

const parse = (text: string, env: NodeJS.ProcessEnv = {}) => parseConfig(text, join(directory, 'r.yaml'), env)

/** How the remotes are reached of a repository with these settings, in flow style. */
function accesses(settings: string, defaults = '', env: NodeJS.ProcessEnv = {}): readonly RemoteAccess[] {
  const text = `defaults: { ${defaults} }\nrepositories: { a: { ${settings} } }`
  return (parse(text, env).repositories[0]?.remotes ?? []).map(({ access }) => access)
}
const access = (settings: string, defaults = '', env: NodeJS.ProcessEnv = {}) =>
  accesses(`remote: https://a.test, ${settings}`, defaults, env)[0]

it('U6: mirrors are kept in their order, as URLs or as maps', () => {
  const { repositories } = parse(
    'repositories: { a: { remote: [https://b.test/, { url: https://a.test/x }, https://c.test] } }',
  )
  expect(repositories[0]?.remotes.map(({ url }) => url)).toEqual([
    'https://b.test',
    'https://a.test/x',
    'https://c.test',
  ])
})

describe('U6: credentials', () => {
  const sigv4 = `region: us-east-1, accessKeyId: AKIA, secretAccessKey: "\${KEY}"`
  it.each([
    ['none', undefined],
    ['{ basic: { username: u, password: "p w" } }', { scheme: 'basic', username: 'u', password: 'p w' }],
    ['{ basic: { username: u, password: file:password } }', { scheme: 'basic', username: 'u', password: 'pa ss:wörd' }],
    [`{ bearer: "\${KEY}" }`, { scheme: 'bearer', token: 'file:token' }],
    [`{ bearer: "file:\${DIR}/token" }`, { scheme: 'bearer', token: 'abc.DEF-123' }],
    [
      `{ sigv4: { ${sigv4} } }`,
      {
        ...{ scheme: 'sigv4', region: 'us-east-1', accessKeyId: 'AKIA', secretAccessKey: 'file:token' },
        ...{ sessionToken: undefined, service: 's3' },
      },
    ],
    [
      `{ sigv4: { ${sigv4}, sessionToken: t, service: s3-object-lambda } }`,
      {
        ...{ scheme: 'sigv4', region: 'us-east-1', accessKeyId: 'AKIA', secretAccessKey: 'file:token' },
        ...{ sessionToken: 't', service: 's3-object-lambda' },
      },
    ],
  ])('auth: %s', (written, expected) => {
    // What a variable holds is not looked into again: here it only looks like a file.
    expect(access(`auth: ${written}`, '', { KEY: 'file:token', DIR: directory })?.auth).toEqual(expected)
  })

  it('header fields keep their spelling and order', () => {
    expect(access('headers: { X-JFrog-Art-Api: file:token, x-b: "1 2" }')?.headers).toEqual([
      ...['X-JFrog-Art-Api', 'abc.DEF-123', 'x-b', '1 2'],
    ])
  })

  it('Authorization may be a header field where auth is not', () => {
    const headers = 'headers: { Authorization: Token x }'
    expect(access(headers)?.headers).toEqual(['Authorization', 'Token x'])
    expect(access(`auth: none, ${headers}`)?.headers).toEqual(['Authorization', 'Token x'])
  })
})

describe('U6: the way there', () => {
  it.each([
    ['direct', 'direct'],
    ['http://proxy.test:3128', 'http://proxy.test:3128'],
    ['https://u:p@proxy.test', 'https://u:p@proxy.test'],
    ['file:proxy', 'http://u:hunter2@proxy.test:3128'],
  ])('proxy: %s', (written, expected) => {
    expect(access(`proxy: ${written}`)?.proxy).toBe(expected)
  })

  it('TLS by paths from the directory of the file, absolute ones, and PEM itself', () => {
    const [cert, key] = [readFileSync(mine.cert, 'utf8'), readFileSync(mine.key, 'utf8')]
    const expected = { ca: cert, clientCertificate: { cert, key } }
    expect(access('tls: { ca: mine.pem, cert: mine.pem, key: mine.key }')).toMatchObject(expected)
    expect(access(`tls: { ca: ${mine.cert}, cert: ${mine.cert}, key: ${mine.key} }`)).toMatchObject(expected)
    const inline = `tls: { ca: "\${CERT}", cert: "\${CERT}", key: "\${KEY}" }`
    expect(access(inline, '', { CERT: cert, KEY: key })).toMatchObject(expected)
  })
})

describe('what comes before what', () => {
  const shared = 'proxy: http://default.test, maxConnections: 3, tls: { ca: mine.pem }'

  it('an entry before the repository before defaults', () => {
    const settings = 'auth: { bearer: own }, headers: { X: own }, proxy: http://own.test, maxConnections: 2'
    const entry = 'auth: { bearer: entry }, headers: { X: entry }, proxy: direct, maxConnections: 1'
    const bare = 'auth: none, headers: {}'
    expect(
      accesses(
        `remote: [https://a.test, { url: https://b.test, ${entry} }, { url: https://c.test, ${bare} }], ${settings}`,
        shared,
      ),
    ).toMatchObject([
      { auth: { token: 'own' }, headers: ['X', 'own'], proxy: 'http://own.test', maxConnections: 2 },
      { auth: { token: 'entry' }, headers: ['X', 'entry'], proxy: 'direct', maxConnections: 1 },
      { auth: undefined, headers: [], proxy: 'http://own.test', maxConnections: 2 },
    ])
    expect(access('', shared)).toMatchObject({ proxy: 'http://default.test', maxConnections: 3 })
  })

  it('tls field by field', () => {
    const [first, second] = accesses(
      'remote: [https://a.test, { url: https://b.test, tls: { ca: other.pem } }], tls: { cert: mine.pem, key: mine.key }',
      shared,
    )
    expect(first?.ca).toBe(readFileSync(mine.cert, 'utf8'))
    expect(second?.ca).toBe(readFileSync(other.cert, 'utf8'))
    expect(second?.clientCertificate).toEqual(first?.clientCertificate)
    expect(second?.clientCertificate).toBeDefined()
  })
})

describe('O3: a repository that is logged by accident shows no secret', () => {
  const text = `repositories:
  a:
    remote: [https://a.test, { url: https://b.test, headers: { X-Key: hunter2 } }]
    auth: { basic: { username: hunter2, password: hunter2 } }
    headers: { X-Api: hunter2 }
    proxy: http://u:hunter2@proxy.test
    tls: { cert: mine.pem, key: mine.key }
`
  const whole = () => parse(text)
  const remote = () => whole().repositories[0]?.remotes[1]
  it.each([
    ['the configuration', whole],
    ['a remote', remote],
    ['how it is reached', () => remote()?.access],
    ['its credentials', () => remote()?.access.auth],
    ['its header fields', () => ({ headers: remote()?.access.headers })],
    ['its certificate', () => remote()?.access.clientCertificate],
  ])('%s', (_, value) => {
    const lines: string[] = []
    const log = createLog('info', { write: (line) => void lines.push(line) })
    log.info({ value: value(), repository: value() }, 'by accident')
    const shown = [
      ...lines,
      JSON.stringify(value()),
      inspect(value(), { depth: 10 }),
      inspect(value(), { depth: 10, showHidden: true }),
    ]
    for (const text of shown) {
      expect(text).toContain('[concealed]')
      expect(text).not.toMatch(/hunter2|PRIVATE KEY/)
    }
  })
})
