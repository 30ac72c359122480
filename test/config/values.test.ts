import { describe, expect, it } from 'vitest'
import { forwardedField, glob, listPath, redirectTarget, remoteUrl } from '../../src/config/names.js'
import { idleTime, lifetime, parseSize, seconds, sizeCap, timer } from '../../src/config/quantities.js'

const forever = Number.POSITIVE_INFINITY

describe('durations', () => {
  it.each([
    ['500ms', 0.5],
    ['1ms', 0.001],
    ['30s', 30],
    ['5m', 300],
    ['24h', 86_400],
    ['7d', 604_800],
    ['0', 0],
    ['0s', 0],
    [0, 0],
  ])('%s in seconds', (written, expected) => {
    expect(seconds.parse(written)).toBe(expected)
    expect(lifetime.parse(written)).toBe(expected)
  })

  it.each([
    [''],
    ['5'],
    [5],
    ['s'],
    ['5 m'],
    ['1.5h'],
    ['-1s'],
    ['+1s'],
    ['5M'],
    ['1w'],
    ['1h30m'],
    ['1e3s'],
    [' 5s'],
    ['5s\n'],
    ['0x5s'],
    ['1234567890s'],
    [null],
    [true],
  ])('%j is none', (written) => {
    expect(seconds.safeParse(written).success).toBe(false)
    expect(lifetime.safeParse(written).success).toBe(false)
    expect(timer(0).safeParse(written).success).toBe(false)
  })

  it('forever is a lifetime only', () => {
    expect(lifetime.parse('forever')).toBe(forever)
    expect(seconds.safeParse('forever').success).toBe(false)
    expect(timer(0).safeParse('forever').success).toBe(false)
  })

  it.each([
    [0, '0', 0],
    [0, '24h', 86_400_000],
    [0, '86401s', undefined],
    [1, '0', undefined],
    [1, '0ms', undefined],
    [1, '1ms', 1],
  ] as const)('a timer of at least %s: %s', (least, written, expected) => {
    expect(timer(least).safeParse(written).data).toBe(expected)
  })
})

it.each([
  ['1KiB', 1024],
  ['256MiB', 268_435_456],
  ['2GiB', 2_147_483_648],
  ['2TiB', 2_199_023_255_552],
  ['256', undefined],
  ['256MB', undefined],
  ['1.5GiB', undefined],
  ['-1MiB', undefined],
  ['', undefined],
])('size %j', (written, expected) => {
  expect(parseSize(written)).toBe(expected)
})

it.each([
  ['https://a.test', 'https://a.test'],
  ['https://a.test/', 'https://a.test'],
  ['https://a.test/maven2//', 'https://a.test/maven2'],
  ['HTTP://A.test:80/Dir', 'http://a.test/Dir'],
  ['http://127.0.0.1:8081/x', 'http://127.0.0.1:8081/x'],
  ['http://[::1]:8081', 'http://[::1]:8081'],
  ['https://a.test/%2B+%20', 'https://a.test/%2B+%20'],
  ['https://a.test/a@b', 'https://a.test/a@b'],
  ['https://a.test:99999', undefined],
  ['https://a.test/%2e%2e/x', undefined],
  ['https://a.test\\x', undefined],
  ['https://a.test/ä', undefined],
  [' https://a.test', undefined],
  ['https://a.test\n', undefined],
])('remote %j', (written, expected) => {
  expect(remoteUrl.safeParse(written).data).toBe(expected)
})

it.each([
  ['1MiB', 1_048_576],
  ['unlimited', forever],
  ['1023KiB', undefined],
  ['0', undefined],
  [1_048_576, undefined],
])('size cap %j', (written, expected) => {
  expect(sizeCap.safeParse(written).data).toBe(expected)
})

it.each([
  ['90d', 7_776_000],
  ['forever', forever],
  ['0', undefined],
  [0, undefined],
  ['0d', undefined],
])('idle time %j', (written, expected) => {
  expect(idleTime.safeParse(written).data).toBe(expected)
})

it.each([
  ['{path}.sha256', true],
  ['{dir}/SHASUMS256.txt', true],
  ['{dir}/{name}.sum', true],
  ['inventory.json', true],
  ['a%20b/%2B+', true],
  ['', false],
  ['/SUMS', false],
  ['../SUMS', false],
  ['{dir}/../SUMS', false],
  ['{dir}/%2e%2e/SUMS', false],
  ['{file}', false],
  ['{path', false],
  ['x?y', false],
  ['x#y', false],
  ['a b', false],
  ['https://a.test/x', false],
])('where a digest is listed: %j', (written, accepted) => {
  expect(listPath.safeParse(written).success).toBe(accepted)
})

describe('globs', () => {
  it.each([
    ['jdk/**', 'jdk/heroku-24/openjdk21.tar.gz', true],
    ['jdk/**', 'jdk/.hidden/x', true],
    ['jdk/*', 'jdk/a/b', false],
    ['*.tgz', '.tgz', true],
    ['**/*.{jar,pom}', 'x.jar', true],
    ['**/*.{jar,pom}', 'a/b/x.pom', true],
    ['**/*.jar', 'a/b/x.JAR', false],
    ['a+b', 'a%2Bb', false],
    ['**', '', false],
    ['..a/*.', '..a/b.', true],
  ])('%s and %j: %s', (match, path, expected) => {
    const parsed = glob.parse(match)
    expect(parsed.match).toBe(match)
    expect(parsed.matches(path)).toBe(expected)
  })

  it.each([[''], ['/jdk/**'], ['./lib/**'], ['a[b'], ['a{b'], ['a(b'], [5]])('%j is none', (match) => {
    expect(glob.safeParse(match).error?.issues[0]?.message).toMatch(/, expected a glob such as jdk\/\*\*, without a /)
  })
})

describe('forwardRequestHeaders (U1)', () => {
  it.each([
    ['Accept', 'accept'],
    ['Authorization', 'authorization'],
    ['X-Api-Key', 'x-api-key'],
    ['cookie', 'cookie'],
  ])('takes %s', (written, expected) => {
    expect(forwardedField.parse(written)).toBe(expected)
  })

  it.each(
    'Host Range If-Range If-None-Match If-Match If-Anything Accept-Encoding Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade Proxy-Authorization Proxy-Connection Content-Length Expect User-Agent Via * x:y'
      .split(' ')
      .concat('', 'a b', 'ä'),
  )('refuses %j', (written) => {
    expect(forwardedField.safeParse(written).success).toBe(false)
    expect(forwardedField.safeParse(written.toLowerCase()).success).toBe(false)
  })
})

describe('redirects.allow (U5)', () => {
  it.each([
    ['cdn.example', 'cdn.example'],
    ['CDN.Example:8443', 'cdn.example:8443'],
    ['localhost', 'localhost'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1:80', '10.0.0.1:80'],
    ['fd00::/8', 'fd00::/8'],
    ['::1', '::1'],
    ['[::1]:8080', '[::1]:8080'],
  ])('takes %s', (written, expected) => {
    expect(redirectTarget.parse(written)).toBe(expected)
  })

  it.each([
    [''],
    ['*'],
    ['*.example'],
    ['https://a.test'],
    ['a.test/x'],
    ['a.test:0'],
    ['a.test:65536'],
    ['10.0.0.0/33'],
    ['fd00::/129'],
    ['10.0.0.0/'],
    ['10.0.0.0/8/8'],
    ['a b'],
    ['.a'],
    ['-a'],
    ['[a]:80'],
    ['u@a.test'],
  ])('refuses %j', (written) => {
    expect(redirectTarget.safeParse(written).success).toBe(false)
  })
})
