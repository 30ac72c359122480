import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeIdentity } from './certificates.js'
import { faultsIn } from './faults.js'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'larder-remote-faults-'))
  const { key } = makeIdentity(directory, 'mine')
  makeIdentity(directory, 'other')
  execFileSync('openssl', ['ec', '-in', key, '-aes256', '-passout', 'pass:x', '-out', join(directory, 'locked.key')], {
    stdio: 'ignore',
  })
  mkdirSync(join(directory, 'folder'))
  execFileSync('mkfifo', [join(directory, 'pipe')])
  const files = {
    empty: '',
    blank: '\n',
    lines: 'hunter2\nhunter2\n',
    control: 'hunter2\x01',
    word: 'hunter2',
    binary: Buffer.from([0x68, 0xff]),
    huge: 'x'.repeat(1024 * 1024 + 1),
    'broken.pem': `${readFileSync(join(directory, 'mine.pem'), 'utf8')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content)
})
afterAll(() => rmSync(directory, { recursive: true }))

const env = { SECRET: 'hunter2', EMPTY: '', LINES: 'hunter2\nhunter2' }

/** The faults of a repository with one more line of settings, which is line 4; without what is the same in all. */
function faultsWith(line: string): string[] {
  const text = `repositories:\n  a:\n    remote: https://a.test\n    ${line}\n`
  return faultsIn(directory, text, env).map((fault) => fault.replace(' repositories.a.', ' '))
}

const wanted = 'expected a file with the secret as its only line'
const pemWanted = 'expected the path of a PEM file, from the directory of this one'

describe('O4: faulty credentials', () => {
  it.each([
    ['a word', 'auth: basic', '4:11: auth: is not accepted, expected none or a map with one of basic, bearer or sigv4'],
    ['empty', 'auth:', '4:5: auth: is empty, expected none or a map with one of basic, bearer or sigv4'],
    ['no scheme', 'auth: {}', '4:11: auth: names no scheme, expected one of basic, bearer or sigv4'],
    [
      'several schemes',
      'auth: { bearer: x, basic: { username: u, password: p } }',
      '4:11: auth: names several schemes, expected one of basic, bearer or sigv4',
    ],
    ['an unknown scheme', 'auth: { digest: x }', '4:13: auth.digest: is not a setting of this version'],
    [
      'no password',
      'auth: { basic: { username: u } }',
      '4:13: auth.basic.password: is missing, expected a password of one line',
    ],
    [
      'a colon in the name',
      'auth: { basic: { username: "u:v", password: p } }',
      '4:32: auth.basic.username: is not accepted, expected a user name without colons',
    ],
    [
      'a password of several lines',
      `auth: { basic: { username: u, password: "\${LINES}" } }`,
      '4:45: auth.basic.password: is not accepted, expected a password of one line',
    ],
    [
      'an empty variable',
      `auth: { bearer: "\${EMPTY}" }`,
      '4:21: auth.bearer: is not accepted, expected a token without blanks',
    ],
    [
      'an unset variable',
      `auth: { bearer: "\${TOKEN}" }`,
      '4:21: auth.bearer: names the variable TOKEN, which is not set in the environment',
    ],
    [
      'a token with a blank',
      'auth: { bearer: a b }',
      '4:21: auth.bearer: is not accepted, expected a token without blanks',
    ],
    [
      'no region',
      'auth: { sigv4: { accessKeyId: a, secretAccessKey: b } }',
      '4:13: auth.sigv4.region: is missing, expected the name of a region, such as us-east-1',
    ],
  ])('%s', (_, line, fault) => {
    expect(faultsWith(line)).toEqual([fault])
  })

  it.each([['auth: { bearer: x }'], ['headers: { X: y }']])('%s is not for defaults', (line) => {
    const [name] = line.split(':')
    expect(faultsIn(directory, `defaults: { ${line} }\nrepositories: { a: { remote: https://a.test } }\n`)).toEqual([
      `1:13: defaults.${name}: is not a setting of this version`,
    ])
  })
})

describe('O4: a secret in a file', () => {
  it.each([
    ['nowhere', 'names the file nowhere, which does not exist'],
    ['word/x', 'names the file word/x, which does not exist'],
    ['folder', 'names the file folder, which is a directory'],
    ['pipe', 'names the file pipe, which is not a regular file'],
    ['empty', 'names the file empty, which is empty'],
    ['blank', 'names the file blank, which is empty'],
    ['lines', 'names the file lines, which has several lines'],
    ['binary', 'names the file binary, which is not UTF-8 text'],
    ['huge', 'names the file huge, which is larger than 1024KiB'],
    [`\${SECRET}`, `names the file \${SECRET}, which does not exist`],
  ])('%s', (file, fault) => {
    expect(faultsWith(`auth: { bearer: "file:${file}" }`)).toEqual([`4:21: auth.bearer: ${fault}, ${wanted}`])
  })

  it('what it holds is checked as if it stood there', () => {
    expect(faultsWith('auth: { bearer: file:control }')).toEqual([
      '4:21: auth.bearer: is not accepted, expected a token without blanks',
    ])
    expect(faultsWith('proxy: file:word')).toEqual([
      '4:12: proxy: is not accepted, expected direct or a URL such as http://proxy.example:3128',
    ])
  })

  it('only secrets are read from files', () => {
    expect(faultsWith('aliases: ["file:word"]')).toEqual([
      expect.stringMatching(/^4:15: aliases\[0\]: is not an alias/),
    ])
    expect(faultsWith('auth: { sigv4: { region: file:word, accessKeyId: a, secretAccessKey: b } }')).toEqual([
      '4:30: auth.sigv4.region: is not accepted, expected the name of a region, such as us-east-1',
    ])
  })
})

describe('O4: faulty header fields', () => {
  const name =
    'is not accepted, expected a header field name, none that Larder sets itself or that belongs to one connection'
  const value = 'is not accepted, expected a field value: printable Latin-1 characters, no blank at its ends'
  it.each([
    ['a name with a blank', 'headers: { "X Y": z }', `4:16: headers["X..."]: ${name}`],
    ['a field of ours', 'headers: { Range: z }', `4:16: headers.Range: ${name}`],
    ['a condition', 'headers: { If-None-Match: z }', `4:16: headers.If-None-Match: ${name}`],
    ['a field of the connection', 'headers: { TE: z }', `4:16: headers.TE: ${name}`],
    ['a line break', 'headers: { X: "a\\r\\nY: b" }', `4:19: headers.X: ${value}`],
    ['a control character', 'headers: { X: "file:control" }', `4:19: headers.X: ${value}`],
    ['beyond Latin-1', 'headers: { X: "\u0161" }', `4:19: headers.X: ${value}`],
    ['nothing', 'headers: { X: "" }', `4:19: headers.X: ${value}`],
    [
      'a number',
      'headers: { X: 5 }',
      '4:19: headers.X: is a number, expected a field value: printable Latin-1 characters, no blank at its ends',
    ],
    ['a list', 'headers: [X]', '4:14: headers: is a list, expected a map'],
    [
      'one field in two spellings',
      'headers: { X-Key: a, x-key: b }',
      '4:33: headers.x-key: is here already, expected each field once in any case',
    ],
    [
      'Authorization beside auth',
      'headers: { authorization: x }, auth: { bearer: y }',
      '4:16: headers.authorization: stands beside auth, which sets this field, expected one of them',
    ],
  ])('%s', (_, settings, fault) => {
    const text = `repositories:\n  a: { remote: https://a.test,\n    #\n    ${settings} }\n`
    expect(faultsIn(directory, text, env).map((line) => line.replace(' repositories.a.', ' '))).toEqual([fault])
  })

  it.each([
    [
      'the field of the repository and auth of an entry',
      '{ url: https://a.test, auth: { bearer: x } }',
      '3:19: repositories.a.headers.Authorization',
    ],
    [
      'the field of an entry',
      '{ url: https://b.test, headers: { AUTHORIZATION: x }, auth: { bearer: x } }',
      '2:45: repositories.a.remote[0].headers.AUTHORIZATION',
    ],
    [
      'two entries, once',
      '{ url: https://a.test, auth: { bearer: x } }, { url: https://b.test, auth: { bearer: x } }',
      '3:19: repositories.a.headers.Authorization',
    ],
    ['an entry without auth', '{ url: https://a.test, auth: none }', undefined],
    ['an entry with other fields', '{ url: https://a.test, auth: { bearer: x }, headers: {} }', undefined],
  ])('Authorization twice: %s', (_, entries, place) => {
    const text = `repositories: { a: {\n remote: [${entries}],\n       headers: { Authorization: x } } }\n`
    const message = 'stands beside auth, which sets this field, expected one of them'
    expect(faultsIn(directory, text)).toEqual(place === undefined ? [] : [`${place}: ${message}`])
  })
})

describe('O4: faulty TLS and proxies', () => {
  const authorities = 'expected PEM with at least one certificate, all of them valid, or the path of such a file'
  const key = 'expected PEM with a private key without a passphrase, or the path of such a file'
  it.each([
    [
      'a CA that is missing',
      'tls: { ca: nowhere.pem }',
      `4:16: tls.ca: names a file that does not exist, ${pemWanted}`,
    ],
    ['a CA that is a directory', 'tls: { ca: folder }', `4:16: tls.ca: names a file that is a directory, ${pemWanted}`],
    ['a CA that is no PEM', 'tls: { ca: word }', `4:16: tls.ca: is not accepted, ${authorities}`],
    ['a CA that is a key', 'tls: { ca: mine.key }', `4:16: tls.ca: is not accepted, ${authorities}`],
    ['a CA that is broken', 'tls: { ca: broken.pem }', `4:16: tls.ca: is not accepted, ${authorities}`],
    ['a certificate without key', 'tls: { cert: mine.pem }', '4:5: tls.key: is missing, expected it beside cert'],
    ['a key without certificate', 'tls: { key: mine.key }', '4:5: tls.cert: is missing, expected it beside key'],
    ['a key with a passphrase', 'tls: { cert: mine.pem, key: locked.key }', `4:33: tls.key: is not accepted, ${key}`],
    ['a key that is a certificate', 'tls: { cert: mine.pem, key: mine.pem }', `4:33: tls.key: is not accepted, ${key}`],
    [
      'the key of another certificate',
      'tls: { cert: mine.pem, key: other.key }',
      '4:33: tls.key: does not fit the certificate, expected the key of the first one in cert',
    ],
    [
      'a proxy without scheme',
      'proxy: proxy.test:3128',
      '4:12: proxy: is not accepted, expected direct or a URL such as http://proxy.example:3128',
    ],
    [
      'a SOCKS proxy',
      'proxy: socks5://u:hunter2@p',
      '4:12: proxy: is not accepted, expected direct or a URL such as http://proxy.example:3128',
    ],
    [
      'no connection',
      'maxConnections: 0',
      '4:21: maxConnections: is out of bounds, expected a whole number from 1 to 10000',
    ],
    [
      'too many',
      'maxConnections: 10001',
      '4:21: maxConnections: is out of bounds, expected a whole number from 1 to 10000',
    ],
  ])('%s', (_, line, fault) => {
    expect(faultsWith(line)).toEqual([fault])
  })
})

describe('O3: no message shows a secret, however it is miswritten', () => {
  it.each([
    ['auth: { bearer: "hunter2 x" }'],
    ['auth: { basic: { username: "hunter2:", password: "hunter2\\n" } }'],
    ['auth: { basic: { username: u, password: { hunter2 } } }'],
    ['auth: { basic: { username: u, password:hunter2 } }'],
    ['auth: { basic: { username: u, password hunter2: x } }'],
    ['auth: { bearer: !hunter2 }'],
    ['auth: { bearer: !hunter2! x }'],
    ['auth: { bearer: !<hunter2 }'],
    ['auth: { bearer: *hunter2 }'],
    ['auth: { bearer: &hunter2 }'],
    ['auth: { bearer: @hunter2 }'],
    ['auth: { bearer: %hunter2 }'],
    ['auth: { bearer: "hunter2 }'],
    ['auth: { bearer: "x"hunter2 }'],
    ['auth: { bearer: "\\hunter2" }'],
    ['auth: { bearer: x } hunter2'],
    ['auth: { bearer: |hunter2 }'],
    ['headers: { X: "hunter2\\n" }'],
    ['headers: { X:hunter2 }'],
    ['proxy: hunter2'],
    ['tls: { key: hunter2 }'],
    ['tls: { key: "-----BEGIN hunter2" }'],
    ['remote: https://u:hunter2@a.test'],
    ['auth:\n      bearer hunter2'],
    ['auth:\n      bearer: |hunter2\n        x'],
    ['auth:\n      bearer: hunter2\n     x: y'],
    ['auth:\n      bearer: "hunter2\n'],
    ['%hunter2 x\n---'],
  ])('%s', (line) => {
    const faults = faultsWith(line)
    expect(faults).not.toEqual([])
    expect(faults.join('\n')).not.toContain('hunter2')
  })
})
