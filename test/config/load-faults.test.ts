import { describe, expect, it } from 'vitest'
import { faultsOf } from './faults.js'

const durationWanted = 'a duration such as 500ms, 30s, 5m, 24h, 7d or 0'
const bothWanted = 'expected both, maxOpenFor at least as long as openFor'
const notRfc9111 = 'is not part of profile rfc9111 (a plain shared cache), expected profile artifact or no such setting'

const tooDeep = 'is nested far too deeply, expected a map with repositories: or presets:'

/** A repository `a` with one more line of settings, which is line 4. */
const setting = (line: string) => `repositories:\n  a:\n    remote: https://a.test\n    ${line}\n`
const remote = (value: string) => `repositories:\n  a:\n    remote: ${value}\n`
const named = (name: string) => `repositories:\n  ${name}:\n    remote: https://a.test\n`

describe('O4: a text that is no configuration', () => {
  it.each([
    ['empty', '', ['is empty, expected a map with repositories: or presets:']],
    ['only comments', '# nothing\n', ['is empty, expected a map with repositories: or presets:']],
    ['a list', '- a\n', ['1:1: is a list, expected a map']],
    ['a word', 'repositories\n', ['1:1: is not accepted, expected a map']],
    [
      'no repositories',
      'defaults: {}\n',
      ['1:1: repositories: is missing, expected a map of repositories, or presets'],
    ],
    ['empty repositories', '\nrepositories:\n', ['2:1: repositories: is empty, expected a map']],
    [
      'a map of none',
      'repositories: {}\n',
      ['1:15: repositories: is empty, expected at least one repository, or presets'],
    ],
    ['presets of none', 'presets: []\n', ['1:1: repositories: is empty, expected at least one repository, or presets']],
    [
      'only a preset that there is not',
      'presets: [heroku-perl]\n',
      [expect.stringMatching(/^1:11: presets\[0\]: is not accepted, expected heroku-jvm or /)],
    ],
    ['a tab', 'repositories:\n\ta: {}\n', ['2:1: is indented with a tab, expected spaces']],
    ['binary data', 'a\0b: 1\n', ['holds binary data, expected YAML']],
    ['two documents', `${named('a')}---\nb: 1\n`, ['4:1: begins a second YAML document, expected one']],
    ['an open quote', 'a: "x\n', ['2:1: is not YAML: Missing closing "quote']],
    [
      'an alias of nothing',
      'repositories: *x\n',
      ['has aliases (*name) without an anchor (&name) before them, or far too many'],
    ],
    [
      'an alias bomb',
      `a: &a [x]\nb: &b [${'*a,'.repeat(12)}]\nc: [${'*b,'.repeat(12)}]\n`,
      ['has aliases (*name) without an anchor (&name) before them, or far too many'],
    ],
    ['flow collections in one another', `a: ${'['.repeat(60)}`, [tooDeep]],
    ['far more of them', '{a: '.repeat(60_000), [tooDeep]],
    ['lists in one another', '- '.repeat(120_000), [tooDeep]],
    ['complex keys in one another', '? '.repeat(120_000), [tooDeep]],
    ['a staircase', Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), [tooDeep]],
    [
      'an unknown tag',
      setting('maxRedirects: !big 5'),
      [
        '4:19: has a tag (!name), expected none, and quotes around a value that begins with "!"',
        '4:24: repositories.a.maxRedirects: is not accepted, expected a whole number from 0 to 20',
      ],
    ],
  ])('%s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults)
  })
})

describe('O4: a faulty repository', () => {
  it.each([
    ['nothing', 'repositories:\n  a:\n', ['2:3: repositories.a: is empty, expected a map']],
    [
      'no remote',
      'repositories:\n  a: {}\n',
      ['2:3: repositories.a.remote: is missing, expected an http or https URL, a map with url, or a list of those'],
    ],
    [
      'a name with a slash',
      named('a/b'),
      [expect.stringMatching(/^2:3: repositories\["a\/b"\]: is not a repository name, expected letters, /)],
    ],
    [
      'a name of 65',
      named('a'.repeat(65)),
      [expect.stringMatching(/: is not a repository name, expected .*at most 64 in all$/)],
    ],
    [
      '__proto__',
      `${named('__proto__')}  a: { remote: https://a.test }\n`,
      [expect.stringMatching(/^2:3: repositories.__proto__: is not a repository name/)],
    ],
    [
      'a name twice',
      `${named('a')}  a:\n    remote: https://b.test\n`,
      ['4:3: repositories.a: stands here a second time, expected each key once in its map'],
    ],
    [
      'an unknown setting',
      setting('maxage: 5m'),
      ['4:5: repositories.a.maxage: is not a setting of this version (did you mean maxAge?)'],
    ],
    ['a setting of later', setting('pins: {}'), ['4:5: repositories.a.pins: is not a setting of this version']],
    [
      'an unknown setting at the top',
      `${named('a')}default: {}\n`,
      ['4:1: default: is not a setting of this version (did you mean defaults?)'],
    ],
    [
      'an unknown setting of a rule',
      setting('freshness: [{ match: x, maxage: 1s, maxAge: 1s }]'),
      ['4:29: repositories.a.freshness[0].maxage: is not a setting of this version (did you mean maxAge?)'],
    ],
    [
      'an unknown setting of a group',
      setting('timeout: { conect: 1s }'),
      ['4:16: repositories.a.timeout.conect: is not a setting of this version (did you mean connect?)'],
    ],
    [
      'aliases in defaults',
      `defaults:\n  aliases: [x]\n${named('a')}`,
      ['2:3: defaults.aliases: is not a setting of this version'],
    ],
    ['format', setting('format: npm'), ['4:13: repositories.a.format: is not supported by this version, expected raw']],
    [
      'type',
      setting('type: mirror'),
      ['4:11: repositories.a.type: is not accepted, expected proxy or hosted or group'],
    ],
    [
      'profile',
      setting('profile: squid'),
      ['4:14: repositories.a.profile: is not accepted, expected artifact or rfc9111'],
    ],
    [
      'query',
      setting('query: drop'),
      ['4:12: repositories.a.query: is not accepted, expected forward, ignore or { drop: [names] }'],
    ],
    [
      'query of a wrong map',
      setting('query: { keep: [a] }'),
      [
        '4:5: repositories.a.query.drop: is missing, expected a list',
        '4:14: repositories.a.query.keep: is not a setting of this version',
      ],
    ],
    [
      'query that drops nothing',
      setting('query: { drop: [] }'),
      ['4:20: repositories.a.query.drop: is empty, expected the names of the parameters to drop'],
    ],
    [
      'a rule without maxAge',
      setting("freshness: [{ match: 'x' }]"),
      [`4:17: repositories.a.freshness[0].maxAge: is missing, expected ${durationWanted}, or forever`],
    ],
    [
      'freshness as a map',
      setting('freshness: { match: x }'),
      ['4:16: repositories.a.freshness: is a map, expected a list'],
    ],
    [
      'force as a word',
      setting('freshness: [{ match: x, maxAge: 0, force: yes }]'),
      ['4:47: repositories.a.freshness[0].force: is not accepted, expected true or false'],
    ],
    [
      'a duration without unit',
      setting('maxAge: 24'),
      [`4:13: repositories.a.maxAge: is a number, expected ${durationWanted}, or forever`],
    ],
    [
      'forever where it may not be',
      setting('staleWhileRevalidate: forever'),
      [`4:27: repositories.a.staleWhileRevalidate: is not accepted, expected ${durationWanted}`],
    ],
    [
      'a timeout of nothing',
      setting('timeout: { stall: 0 }'),
      [`4:23: repositories.a.timeout.stall: is a number, expected ${durationWanted}, from 1ms to 24h`],
    ],
    [
      'a timeout no timer can hold',
      setting('timeout: { stall: 25h }'),
      [`4:23: repositories.a.timeout.stall: is not accepted, expected ${durationWanted}, from 1ms to 24h`],
    ],
    [
      'no attempt',
      setting('retry: { attempts: 0 }'),
      ['4:24: repositories.a.retry.attempts: is out of bounds, expected a whole number from 1 to 20'],
    ],
    [
      'half a redirect',
      setting('maxRedirects: 1.5'),
      ['4:19: repositories.a.maxRedirects: is out of bounds, expected a whole number from 0 to 20'],
    ],
    [
      'too many redirects',
      setting('maxRedirects: 21'),
      ['4:19: repositories.a.maxRedirects: is out of bounds, expected a whole number from 0 to 20'],
    ],
    [
      'an alias with a slash',
      setting('aliases: [b/c]'),
      [expect.stringMatching(/^4:15: repositories.a.aliases\[0\]: is not an alias, expected letters, /)],
    ],
    [
      'a parameter without a name',
      setting("query: { drop: [a, ''] }"),
      ['4:24: repositories.a.query.drop[1]: is empty, expected the name of a parameter'],
    ],
    [
      'headers that are neither all nor a list',
      setting('forwardRequestHeaders: accept'),
      ['4:28: repositories.a.forwardRequestHeaders: is not accepted, expected all or a list of header field names'],
    ],
    [
      'a header Larder sets itself (U1)',
      setting('forwardRequestHeaders: [Accept, Host]'),
      [
        '4:37: repositories.a.forwardRequestHeaders[1]: is not accepted, expected a header field name, none of those ' +
          'Larder sets itself (Host, Range, If-*, Accept-Encoding, User-Agent, Via) ' +
          'or that belong to one connection (Connection, TE and the like)',
      ],
    ],
    [
      'a redirect target with a scheme (U5)',
      setting('redirects: { allow: ["http://x"] }'),
      [
        '4:26: repositories.a.redirects.allow[0]: is not accepted, expected a host, host:port or CIDR range such as 10.1.0.0/16',
      ],
    ],
    [
      'a glob with a leading slash',
      setting('freshness: [{ match: /jdk/**, maxAge: 1h }]'),
      [
        '4:26: repositories.a.freshness[0].match: is not accepted, expected a glob such as jdk/**, ' +
          'without a leading slash or ./, and with its brackets and braces closed',
      ],
    ],
    [
      'blocked as a word',
      setting('blocked: on'),
      ['4:14: repositories.a.blocked: is not accepted, expected true or false'],
    ],
    [
      'a routing rule that is no glob',
      setting("allow: ['jdk/{a']"),
      [
        '4:13: repositories.a.allow[0]: is not accepted, expected a glob such as jdk/**, ' +
          'without a leading slash or ./, and with its brackets and braces closed',
      ],
    ],
    [
      'a routing rule alone',
      setting('block: jdk/**'),
      ['4:12: repositories.a.block: is not accepted, expected a list'],
    ],
    [
      'a breaker without failures',
      setting('breaker: { failures: 0 }'),
      ['4:26: repositories.a.breaker.failures: is out of bounds, expected a whole number from 1 to 1000'],
    ],
    [
      'a breaker open for nothing',
      setting('breaker: { openFor: 0s }'),
      [`4:25: repositories.a.breaker.openFor: is not accepted, expected ${durationWanted}, from 1ms to 24h`],
    ],
    [
      'a breaker that opens for longer than it may',
      setting('breaker: { openFor: 10m }'),
      [`4:25: repositories.a.breaker.openFor: is longer than maxOpenFor, ${bothWanted}`],
    ],
    [
      'a breaker that may open for less than it does',
      setting('breaker: { maxOpenFor: 1s }'),
      [`4:28: repositories.a.breaker.maxOpenFor: is shorter than openFor, ${bothWanted}`],
    ],
    [
      'a breaker of defaults, once',
      `defaults: { breaker: { openFor: 6m } }\n${setting('breaker: { failures: 1 }')}`,
      [`1:33: defaults.breaker.openFor: is longer than maxOpenFor, ${bothWanted}`],
    ],
    [
      'a breaker at odds with defaults',
      `defaults: { breaker: { openFor: 2m } }\n${setting('breaker: { maxOpenFor: 1m }')}`,
      [`5:28: repositories.a.breaker.maxOpenFor: is shorter than openFor, ${bothWanted}`],
    ],
    [
      'a size without unit',
      setting('maxSize: 20'),
      ['4:14: repositories.a.maxSize: is a number, expected a size of at least 1MiB, such as 20GiB, or unlimited'],
    ],
    [
      'a small size',
      setting('maxSize: 10KiB'),
      ['4:14: repositories.a.maxSize: is not accepted, expected a size of at least 1MiB, such as 20GiB, or unlimited'],
    ],
    [
      'unused for nothing',
      setting('unusedFor: 0'),
      ['4:16: repositories.a.unusedFor: is a number, expected a duration such as 12h or 90d, or forever'],
    ],
    [
      'a digest that is none',
      setting('checksums: [{ match: "**", sha256: abc }]'),
      ['4:40: repositories.a.checksums[0].sha256: is not accepted, expected 64 hex digits'],
    ],
    [
      'a rule with no digest, and one with two',
      setting(`checksums: [{ match: a }, { match: b, sha256: ${'a'.repeat(64)}, from: x }]`),
      [
        '4:17: repositories.a.checksums[0]: says no digest, expected either sha256 or from',
        '4:31: repositories.a.checksums[1]: says two digests, expected either sha256 or from',
      ],
    ],
    [
      'a placeholder there is not',
      setting("checksums: [{ match: a, from: '{file}.sha256' }]"),
      [
        '4:35: repositories.a.checksums[0].from: is not accepted, expected a path such as {dir}/SHASUMS256.txt or ' +
          '{path}.sha256, without a leading slash and dot segments, percent-encoded',
      ],
    ],
    ['an empty value', setting('negative:'), ['4:5: repositories.a.negative: is empty, expected a map']],
  ])('%s', (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults)
  })
})

describe('O4: a faulty remote', () => {
  const at = '3:13: repositories.a.remote: '
  it.each([
    ['no URL', 'a.test', `${at}is not accepted, expected an http or https URL`],
    ['another scheme', 'ftp://a.test', `${at}is not accepted, expected an http or https URL`],
    ['no host', 'https:///x', `${at}is not accepted, expected an http or https URL`],
    ['a number', '5', `${at}is a number, expected an http or https URL, a map with url, or a list of those`],
    ['credentials', 'https://u:hunter2@a.test', `${at}holds credentials, expected a URL without them`],
    ['empty credentials', 'https://@a.test', `${at}holds credentials, expected a URL without them`],
    ['a query', 'https://a.test/x?y', `${at}holds a query or a fragment, expected a URL that ends with its path`],
    [
      'a bare question mark',
      '"https://a.test/x?"',
      `${at}holds a query or a fragment, expected a URL that ends with its path`,
    ],
    ['a fragment', '"https://a.test#x"', `${at}holds a query or a fragment, expected a URL that ends with its path`],
    [
      'dot segments',
      'https://a.test/x/../y',
      `${at}has a path that would not go out as written, expected it percent-encoded, without dot segments`,
    ],
    [
      'a blank',
      'https://a.test/x y',
      `${at}has a path that would not go out as written, expected it percent-encoded, without dot segments`,
    ],
    ['no URL at all', '[]', `${at}is an empty list, expected at least one remote`],
    [
      'nine mirrors',
      `[${'abcdefghi'.replaceAll(/./g, 'https://$&.test,')}]`,
      `${at}is too long a list, expected at most 8 remotes`,
    ],
    [
      'a mirror twice',
      '[https://a.test, { url: https://b.test/x }, https://A.test:443/, { url: https://b.test/x/ }]',
      '3:57: repositories.a.remote[2]: is a remote of this list already, expected each mirror once',
      '3:85: repositories.a.remote[3].url: is a remote of this list already, expected each mirror once',
    ],
    [
      'a list with a number',
      '[https://a.test, 5]',
      '3:30: repositories.a.remote[1]: is a number, expected an http or https URL, or a map with url',
    ],
    [
      'a map without url',
      '{ proxy: direct }',
      '3:5: repositories.a.remote.url: is missing, expected an http or https URL',
    ],
    [
      'a map with a misspelt setting',
      '[{ url: https://a.test, header: {} }]',
      '3:37: repositories.a.remote[0].header: is not a setting of this version (did you mean headers?)',
    ],
    [
      'a list of a bad one',
      '[ftp://a.test]',
      '3:14: repositories.a.remote[0]: is not accepted, expected an http or https URL',
    ],
  ])('%s', (_, value, ...faults) => {
    expect(faultsOf(remote(value))).toEqual(faults)
  })
})

describe('O4: faults between settings', () => {
  it('an alias that is a name, an alias of two, an alias of its own repository twice', () => {
    const text = [
      'repositories:',
      '  a: { remote: https://a.test, aliases: [b, x] }',
      '  b: { remote: https://b.test, aliases: [x, y, y, b] }',
      '  c: { remote: https://c.test, aliases: [X] }',
    ].join('\n')
    const taken = (owner: string) => `already stands for the repository ${owner}, expected a name no other uses`
    expect(faultsOf(text)).toEqual([
      `2:42: repositories.a.aliases[0]: ${taken('b')}`,
      `3:42: repositories.b.aliases[0]: ${taken('a')}`,
      `3:48: repositories.b.aliases[2]: ${taken('b')}`,
      `3:51: repositories.b.aliases[3]: ${taken('b')}`,
    ])
  })

  it.each([
    ['freshness: []'],
    ['maxAge: 1h'],
    ['maxStale: 1s'],
    ['maxStale: forever'],
    ['keepOnUpstreamMissing: true'],
    ['negative: { ttl: 0 }'],
    ['staleWhileRevalidate: 0'],
  ])('profile rfc9111 refuses %s', (line) => {
    const name = line.split(':')[0]
    expect(faultsOf(setting(`profile: rfc9111\n    ${line}`))).toEqual([`5:5: repositories.a.${name}: ${notRfc9111}`])
    expect(faultsOf(`defaults: { profile: rfc9111 }\n${setting(line)}`)).toEqual([
      `5:5: repositories.a.${name}: ${notRfc9111}`,
    ])
    expect(faultsOf(`defaults: { profile: rfc9111 }\n${setting(`profile: artifact\n    ${line}`)}`)).toEqual([])
  })

  it.each([['maxStale: 0'], ['maxStale: 0s'], ['keepOnUpstreamMissing: false']])('profile rfc9111 takes %s', (line) => {
    expect(faultsOf(setting(`profile: rfc9111\n    ${line}`))).toEqual([])
  })

  it('all faults are reported together, in the order of their lines', () => {
    const text = [
      'defaults:',
      '  maxAge: soon',
      'repositories:',
      '  a:',
      `    remote: \${NOWHERE}/x`,
      '    aliases: [b]',
      '  b:',
      '    remote: https://b.test',
      '    profile: rfc9111',
      '    maxStale: 1h',
      '    pins: true',
      '    pins: false',
    ].join('\n')
    expect(faultsOf(text)).toEqual([
      `2:11: defaults.maxAge: is not accepted, expected ${durationWanted}, or forever`,
      '5:13: repositories.a.remote: names the variable NOWHERE, which is not set in the environment',
      '6:15: repositories.a.aliases[0]: already stands for the repository b, expected a name no other uses',
      `10:5: repositories.b.maxStale: ${notRfc9111}`,
      expect.stringMatching(/^1[12]:5: repositories.b.pins: /),
      expect.stringMatching(/^1[12]:5: repositories.b.pins: /),
    ])
  })

  it('a variable that is not set is one fault, however often YAML aliases repeat it', () => {
    const text = [
      'repositories:',
      `  a: { remote: &x "\${NOWHERE}" }`,
      '  b: { remote: *x, aliases: [*x] }',
      '  c: { remote: https://c.test, aliases: [*x] }',
    ].join('\n')
    expect(faultsOf(text)).toEqual([
      '2:19: repositories.a.remote: names the variable NOWHERE, which is not set in the environment',
    ])
  })

  it('faults behind a YAML alias are those of the anchor', () => {
    const text =
      'defaults: { timeout: &t { stall: never } }\nrepositories:\n  a: { remote: https://a.test, timeout: *t }\n'
    expect(faultsOf(text).map((fault) => fault.split(': ', 2).join(': '))).toEqual([
      '1:34: defaults.timeout.stall',
      '1:34: repositories.a.timeout.stall',
    ])
  })
})
