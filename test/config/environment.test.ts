import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readEnvironment } from '../../src/config/environment.js'
import { environmentTable } from '../../src/config/environment-schema.js'
import { faultLines } from './faults.js'

const faultsOf = (env: NodeJS.ProcessEnv) => faultLines(() => readEnvironment(env))
const redisWanted =
  'a URL such as redis://host:6379/0, redis-sentinel://host:26379,host:26379/master or redis-cluster://host:6379,host:6379, each with user:password@ before the first host where needed, and rediss for TLS'
const durationWanted = 'a duration such as 500ms, 30s, 5m, 24h, 7d or 0'

let directory: string
let cert: string
let key: string
let secret: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'larder-environment-'))
  cert = join(directory, 'cert.pem')
  key = join(directory, 'key.pem')
  secret = join(directory, 'secret')
  writeFileSync(secret, '0123456789abcdef')
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  execFileSync('openssl', [...request, '-subj', '/CN=test', '-out', cert, '-keyout', key], { stdio: 'ignore' })
})
afterAll(() => rmSync(directory, { recursive: true }))

it('defaults', () => {
  expect(readEnvironment({})).toEqual({
    host: '0.0.0.0',
    port: 8080,
    dataDirectory: './data',
    configFile: './repositories.yaml',
    tls: undefined,
    caFile: undefined,
    readTokensFile: undefined,
    writeTokensFile: undefined,
    adminTokenFile: undefined,
    redis: undefined,
    redisDeadline: 50,
    s3: undefined,
    accessLog: 'stdout',
    logLevel: 'info',
    shutdownGrace: 30_000,
    clientTimeout: 300_000,
    maxConnections: 10_000,
    hotBytes: 268_435_456,
    maxSize: { percent: 90 },
    egress: { noProxy: [] },
  })
})

it('every setting', () => {
  const settings = readEnvironment({
    ...{ LARDER_HOST: '127.0.0.1', LARDER_PORT: '0', LARDER_DATA: '/data', LARDER_CONFIG: '/etc/r.yaml' },
    ...{ LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key, LARDER_TLS_PORT: '0', LARDER_CA_FILE: cert },
    ...{ LARDER_READ_TOKENS_FILE: key, LARDER_WRITE_TOKENS_FILE: key, LARDER_ADMIN_TOKEN_FILE: key },
    ...{ REDIS_URL: 'rediss://:secret@redis:6380/1', LARDER_REDIS_DEADLINE: '20ms', LARDER_ACCESS_LOG: '/log' },
    ...{ LARDER_PEER_URL: 'https://10.0.0.5', LARDER_PEER_PORT: '443', LARDER_PEER_SECRET_FILE: secret },
    ...{ LARDER_S3_BUCKET: 'larder', LARDER_S3_ENDPOINT: 'https://s3.example', LARDER_S3_REGION: 'eu-west-1' },
    ...{ LARDER_S3_PREFIX: 'a/b/', LARDER_S3_PATH_STYLE: 'false', LARDER_S3_MAX_SIZE: '1GiB' },
    ...{ LARDER_LOG_LEVEL: 'debug', LARDER_SHUTDOWN_GRACE: '0', LARDER_CLIENT_TIMEOUT: '1m' },
    ...{ LARDER_MAX_CONNECTIONS: '7', LARDER_MEMORY: '1GiB', LARDER_MAX_SIZE: '50GiB' },
    ...{ HTTP_PROXY: 'http://p:1', HTTPS_PROXY: 'http://u:pw@p:2', NO_PROXY: 'localhost, .corp 10.0.0.0/8,' },
    ...{ PATH: '/bin', LARDERS: 'of another' },
  })
  expect(settings).toEqual({
    host: '127.0.0.1',
    port: 0,
    dataDirectory: '/data',
    configFile: '/etc/r.yaml',
    tls: { cert, key, port: 0 },
    caFile: cert,
    readTokensFile: key,
    writeTokensFile: key,
    adminTokenFile: key,
    redis: {
      ...{ kind: 'single', tls: true, login: { password: 'secret' } },
      ...{ node: { host: 'redis', port: 6380 }, database: 1 },
    },
    redisDeadline: 20,
    peer: { url: 'https://10.0.0.5', secretFile: secret, port: 443, secure: true },
    s3: {
      ...{ bucket: 'larder', endpoint: 'https://s3.example', region: 'eu-west-1', prefix: 'a/b/', pathStyle: false },
      maxSize: 1_073_741_824,
    },
    accessLog: '/log',
    logLevel: 'debug',
    shutdownGrace: 0,
    clientTimeout: 60_000,
    maxConnections: 7,
    hotBytes: 1_073_741_824,
    maxSize: { bytes: 53_687_091_200 },
    egress: { httpProxy: 'http://p:1', httpsProxy: 'http://u:pw@p:2', noProxy: ['localhost', '.corp', '10.0.0.0/8'] },
  })
  expect(Object.isFrozen(settings)).toBe(true)
})

it('the TLS listener has a port of its own by default', () => {
  expect(readEnvironment({ LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key }).tls?.port).toBe(8443)
})

it.each([
  ['of AWS in the host', {}, false],
  ['of a gateway in the path', { LARDER_S3_ENDPOINT: 'http://s3.example' }, true],
  ['of AWS in the path, as wanted', { LARDER_S3_PATH_STYLE: 'true' }, true],
])('a bucket is named %s', (_, env, pathStyle) => {
  expect(readEnvironment({ LARDER_S3_BUCKET: 'larder', ...env }).s3?.pathStyle).toBe(pathStyle)
})

it.each(['LARDER_S3_ENDPOINT', 'LARDER_S3_PREFIX', 'LARDER_S3_MAX_SIZE'])('%s without a bucket is a fault', (name) => {
  const value = { LARDER_S3_ENDPOINT: 'http://s3', LARDER_S3_PREFIX: 'a/', LARDER_S3_MAX_SIZE: '1GiB' }[name]
  expect(faultsOf({ [name]: value })).toEqual([expect.stringContaining('expected LARDER_S3_BUCKET beside it')])
})

it.each(['larder', '/larder/', 'a b/'])('LARDER_S3_PREFIX=%s is none', (written) => {
  const faults = faultsOf({ LARDER_S3_BUCKET: 'larder', LARDER_S3_PREFIX: written })
  expect(faults).toEqual([expect.stringContaining('LARDER_S3_PREFIX')])
})

it('an empty variable counts as unset', () => {
  const empty = Object.fromEntries(environmentTable().map(({ name }) => [name, '']))
  expect(readEnvironment(empty)).toEqual(readEnvironment({}))
})

it.each([
  ['100%', { percent: 100 }],
  ['1%', { percent: 1 }],
  ['2TiB', { bytes: 2 * 1024 ** 4 }],
  ['unlimited', { bytes: Number.POSITIVE_INFINITY }],
])('LARDER_MAX_SIZE=%s', (written, expected) => {
  expect(readEnvironment({ LARDER_MAX_SIZE: written }).maxSize).toEqual(expected)
})

describe('proxies', () => {
  it.each([
    ['upper case', { HTTPS_PROXY: 'http://upper:1' }, 'http://upper:1'],
    ['lower case', { https_proxy: 'http://lower:1' }, 'http://lower:1'],
    ['lower case wins', { HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1' }, 'http://lower:1'],
    ['an empty one does not', { HTTPS_PROXY: 'http://upper:1', https_proxy: '' }, 'http://upper:1'],
  ])('%s', (_, env, expected) => {
    expect(readEnvironment(env).egress.httpsProxy).toBe(expected)
  })
})

describe('faults', () => {
  const portWanted = 'a whole number from 0 to 65535'
  const file = 'the path of a file that can be read'
  const cap = 'a size such as 50GiB, a share of the volume such as 90%, or unlimited'
  const bundle = 'the path of a readable PEM file with at least one certificate, all of them valid'
  it.each([
    ['LARDER_PORT', 'http', portWanted],
    ['LARDER_PORT', '-1', portWanted],
    ['LARDER_PORT', '65536', portWanted],
    ['LARDER_PORT', '80.5', portWanted],
    ['LARDER_MAX_CONNECTIONS', '0', 'a whole number from 1 to 1000000'],
    ['LARDER_REDIS_DEADLINE', '50', `${durationWanted}, from 1ms to 24h`],
    ['LARDER_REDIS_DEADLINE', '0', `${durationWanted}, from 1ms to 24h`],
    ['LARDER_SHUTDOWN_GRACE', '25h', `${durationWanted}, at most 24h`],
    ['LARDER_MEMORY', '1000KiB', 'a size of at least 1MiB, such as 256MiB or 1GiB'],
    ['LARDER_MEMORY', '256', 'a size of at least 1MiB, such as 256MiB or 1GiB'],
    ['LARDER_LOG_LEVEL', 'loud', 'fatal or error or warn or info or debug or trace or silent'],
    ['REDIS_URL', 'redis', redisWanted],
    ['REDIS_URL', 'http://redis', redisWanted],
    ['LARDER_S3_BUCKET', 'A_B', 'the name of a bucket'],
    ['HTTP_PROXY', 'proxy:3128', 'a URL such as http://proxy.example:3128'],
    ['https_proxy', 'socks5://proxy', 'a URL such as http://proxy.example:3128'],
    ['LARDER_CA_FILE', '/nowhere/ca.pem', bundle],
    ['LARDER_CA_FILE', '/tmp', bundle],
    ['LARDER_READ_TOKENS_FILE', '/nowhere/tokens', file],
    ['LARDER_ADMIN_TOKEN_FILE', '/tmp', file],
    ['LARDER_MAX_SIZE', '90', cap],
    ['LARDER_MAX_SIZE', '0%', cap],
    ['LARDER_MAX_SIZE', '101%', cap],
    ['LARDER_MAX_SIZE', '1.5%', cap],
    ['LARDER_MAX_SIZE', '100KiB', cap],
    ['LARDER_MAX_SIZE', 'forever', cap],
  ])('%s=%s', (name, value, wanted) => {
    expect(faultsOf({ [name]: value })).toEqual([`environment: ${name}: is not accepted, expected ${wanted}`])
  })

  it('a CA file without a certificate, or with a broken one', () => {
    expect(faultsOf({ LARDER_CA_FILE: key })).toEqual([
      `environment: LARDER_CA_FILE: is not accepted, expected ${bundle}`,
    ])
    const broken = join(directory, 'broken.pem')
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    expect(faultsOf({ LARDER_CA_FILE: broken })).toHaveLength(1)
  })

  it('TLS takes both files, and both readable', () => {
    expect(faultsOf({ LARDER_TLS_CERT: cert })).toEqual([
      'environment: LARDER_TLS_KEY: is missing, expected it beside LARDER_TLS_CERT',
    ])
    expect(faultsOf({ LARDER_TLS_KEY: key })).toEqual([
      'environment: LARDER_TLS_CERT: is missing, expected it beside LARDER_TLS_KEY',
    ])
    expect(faultsOf({ LARDER_TLS_CERT: cert, LARDER_TLS_KEY: '/nowhere' })).toEqual([
      `environment: LARDER_TLS_KEY: is not accepted, expected ${file}`,
    ])
    expect(faultsOf({ LARDER_TLS_PORT: '443' })).toEqual([
      'environment: LARDER_TLS_PORT: has no effect alone, expected LARDER_TLS_CERT and LARDER_TLS_KEY beside it',
    ])
  })

  it('peers take a URL, a secret, Redis, and TLS where the URL says so', () => {
    const url = 'http://10.0.0.5:8081'
    const [peer, redis] = [{ LARDER_PEER_URL: url, LARDER_PEER_SECRET_FILE: secret }, { REDIS_URL: 'redis://redis' }]
    expect(readEnvironment({ ...peer, ...redis }).peer).toEqual({ url, secretFile: secret, port: 8081, secure: false })
    const missing = (name: string, beside: string) => `environment: ${name}: is missing, expected it beside ${beside}`
    expect(faultsOf({ LARDER_PEER_SECRET_FILE: secret })).toEqual([
      missing('LARDER_PEER_URL', 'LARDER_PEER_SECRET_FILE'),
    ])
    expect(faultsOf({ LARDER_PEER_PORT: '8081' })).toEqual([missing('LARDER_PEER_URL', 'LARDER_PEER_PORT')])
    expect(faultsOf({ LARDER_PEER_URL: url })).toEqual([
      missing('LARDER_PEER_SECRET_FILE', 'LARDER_PEER_URL'),
      missing('REDIS_URL', 'LARDER_PEER_URL'),
    ])
    expect(faultsOf({ ...peer, ...redis, LARDER_PEER_URL: 'HTTPS://10.0.0.5' })).toEqual([
      missing('LARDER_TLS_CERT', 'an https LARDER_PEER_URL'),
    ])
  })

  it('an unknown variable of ours, with the nearest known one', () => {
    expect(faultsOf({ LARDER_PROT: '1', LARDER_ACCESSLOG: 'off', LARDER_ZZZZZZZZZZZZ: '1' })).toEqual([
      'environment: LARDER_PROT: is not a setting of this version (did you mean LARDER_PORT?)',
      'environment: LARDER_ACCESSLOG: is not a setting of this version (did you mean LARDER_ACCESS_LOG?)',
      'environment: LARDER_ZZZZZZZZZZZZ: is not a setting of this version',
    ])
  })

  it('all at once, and no value among them', () => {
    const faults = faultsOf({
      ...{ LARDER_PORT: 'hunter2', REDIS_URL: 'http://:hunter2@redis', LARDER_TLS_KEY: key, http_proxy: 'hunter2' },
      ...{ LARDER_TOKEN: 'hunter2', LARDER_MEMORY: 'hunter2', LARDER_LOG_LEVEL: 'hunter2' },
    })
    expect(faults.map((line) => line.split(': ')[1])).toEqual([
      ...[
        'LARDER_PORT',
        'REDIS_URL',
        'LARDER_LOG_LEVEL',
        'LARDER_MEMORY',
        'http_proxy',
        'LARDER_TLS_CERT',
        'LARDER_TOKEN',
      ],
    ])
    expect(faults.join()).not.toContain('hunter2')
  })
})

it('what Kubernetes derives from a Service called larder is passed over', () => {
  const links = {
    ...{ LARDER_SERVICE_HOST: '10.0.0.1', LARDER_SERVICE_PORT: '80', LARDER_SERVICE_PORT_HTTP: '80' },
    ...{
      LARDER_PORT: 'tcp://10.0.0.1:80',
      LARDER_PORT_80_TCP: 'tcp://10.0.0.1:80',
      LARDER_PORT_80_TCP_ADDR: '10.0.0.1',
    },
    ...{ LARDER_REDIS_SERVICE_HOST: '10.0.0.2', LARDER_REDIS_PORT: 'tcp://10.0.0.2:6379' },
    ...{ LARDER_REDIS_PORT_6379_TCP_PROTO: 'tcp' },
  }
  expect(readEnvironment(links)).toEqual(readEnvironment({}))
  expect(faultsOf({ LARDER_REDIS_PORT: '6379' })).toHaveLength(1)
})
