import type { LookupFunction } from 'node:net'
import { describe, expect, it } from 'vitest'
import { guardedLookup, reachOf, reachOfHost, redirectGuard } from '../../src/upstream/address-guard.js'

describe('U5: how far an address reaches', () => {
  it.each([
    ['the last before 10/8', '9.255.255.255', 'public'],
    ['the first of 10/8', '10.0.0.0', 'private'],
    ['the last of 10/8', '10.255.255.255', 'private'],
    ['the first after 10/8', '11.0.0.0', 'public'],
    ['before 172.16/12', '172.15.255.255', 'public'],
    ['the first of 172.16/12', '172.16.0.0', 'private'],
    ['the last of 172.16/12', '172.31.255.255', 'private'],
    ['after 172.16/12', '172.32.0.0', 'public'],
    ['before 192.168/16', '192.167.255.255', 'public'],
    ['192.168/16', '192.168.0.1', 'private'],
    ['after 192.168/16', '192.169.0.0', 'public'],
    ['loopback', '127.0.0.1', 'private'],
    ['the end of loopback', '127.255.255.255', 'private'],
    ['after loopback', '128.0.0.0', 'public'],
    ['before carrier-grade NAT', '100.63.255.255', 'public'],
    ['carrier-grade NAT', '100.64.0.0', 'private'],
    ['the end of carrier-grade NAT', '100.127.255.255', 'private'],
    ['after carrier-grade NAT', '100.128.0.0', 'public'],
    ['benchmarks', '198.19.255.255', 'private'],
    ['after benchmarks', '198.20.0.0', 'public'],
    ['unspecified', '0.0.0.0', 'forbidden'],
    ['this network', '0.255.255.255', 'forbidden'],
    ['before link-local', '169.253.255.255', 'public'],
    ['link-local', '169.254.0.0', 'forbidden'],
    ['cloud metadata', '169.254.169.254', 'forbidden'],
    ['after link-local', '169.255.0.0', 'public'],
    ["Alibaba's metadata", '100.100.100.200', 'forbidden'],
    ["beside Alibaba's metadata", '100.100.100.201', 'private'],
    ["Azure's metadata", '168.63.129.16', 'forbidden'],
    ["Oracle's metadata", '192.0.0.192', 'forbidden'],
    ['documentation 1', '192.0.2.1', 'forbidden'],
    ['documentation 2', '198.51.100.1', 'forbidden'],
    ['documentation 3', '203.0.113.1', 'forbidden'],
    ['6to4 relays', '192.88.99.1', 'forbidden'],
    ['before multicast', '223.255.255.255', 'public'],
    ['multicast', '224.0.0.1', 'forbidden'],
    ['reserved', '240.0.0.1', 'forbidden'],
    ['broadcast', '255.255.255.255', 'forbidden'],
    ['IPv6 unspecified', '::', 'forbidden'],
    ['IPv6 loopback', '::1', 'private'],
    ['IPv6 loopback, written out', '0:0:0:0:0:0:0:1', 'private'],
    ['unique local, first half', 'fc00::1', 'private'],
    ['unique local', 'fdff:ffff::1', 'private'],
    ["Amazon's IPv6 metadata", 'fd00:ec2::254', 'forbidden'],
    ["Amazon's IPv6 credentials of pods", 'fd00:ec2::23', 'forbidden'],
    ["Google's IPv6 metadata", 'fd20:ce::254', 'forbidden'],
    ["beside Google's IPv6 metadata", 'fd20:ce::255', 'private'],
    ["Oracle's IPv6 metadata", 'fd00:c1::a9fe:a9fe', 'forbidden'],
    ["Scaleway's IPv6 metadata", 'fd00:42::42', 'forbidden'],
    ['IPv6 link-local', 'fe80::1', 'forbidden'],
    ['IPv6 link-local with a zone', 'fe80::1%eth0', 'forbidden'],
    ['the end of IPv6 link-local', 'febf::1', 'forbidden'],
    ['site-local, deprecated', 'fec0::1', 'forbidden'],
    ['IPv6 multicast', 'ff02::1', 'forbidden'],
    ['IPv6 documentation', '2001:db8::1', 'forbidden'],
    ['IPv6 documentation, the new range', '3fff::1', 'forbidden'],
    ['Teredo', '2001:0:1::1', 'forbidden'],
    ['discard-only', '100::1', 'forbidden'],
    ['the start of global unicast', '2003::1', 'public'],
    ['a public IPv6 address', '2606:4700::1111', 'public'],
    ['after global unicast', '4000::1', 'forbidden'],
    ['mapped loopback', '::ffff:127.0.0.1', 'private'],
    ['mapped loopback in hex', '::ffff:7f00:1', 'private'],
    ['mapped metadata', '::ffff:169.254.169.254', 'forbidden'],
    ['mapped public', '::ffff:8.8.8.8', 'public'],
    ['compatible loopback', '::127.0.0.1', 'forbidden'],
    ['compatible private', '::10.0.0.1', 'forbidden'],
    ['NAT64 private', '64:ff9b::10.0.0.1', 'private'],
    ['NAT64 metadata', '64:ff9b::a9fe:a9fe', 'forbidden'],
    ['NAT64 public', '64:ff9b::8.8.8.8', 'public'],
    ['NAT64 of local use', '64:ff9b:1::8.8.8.8', 'forbidden'],
    ['6to4 private', '2002:a00:1::1', 'private'],
    ['6to4 loopback', '2002:7f00:1::', 'private'],
    ['6to4 metadata', '2002:a9fe:a9fe::1', 'forbidden'],
    ['6to4 public', '2002:808:808::1', 'public'],
    ['no address at all', 'example.org', 'forbidden'],
    ['nothing', '', 'forbidden'],
  ])('%s: %s is %s', (_, address, reach) => expect(reachOf(address)).toBe(reach))
})

describe('U5: what a URL says of its host', () => {
  it.each([
    ['hex and short', 'http://0x7f.1/', 'private'],
    ['decimal', 'http://2130706433/', 'private'],
    ['octal', 'http://017700000001/', 'private'],
    ['full-width digits', 'http://１２７.0.0.1/', 'private'],
    ['a trailing dot', 'http://127.0.0.1./', 'private'],
    ['decimal metadata', 'http://2852039166/', 'forbidden'],
    ['a mapped literal', 'http://[::ffff:127.0.0.1]/', 'private'],
    ['a mapped metadata literal', 'http://[::ffff:a9fe:a9fe]/', 'forbidden'],
    ['localhost', 'http://localhost/', 'private'],
    ['LOCALHOST with a dot', 'http://LOCALHOST./', 'private'],
    ['below localhost', 'http://a.localhost/', 'private'],
    ['below internal', 'http://vault.corp.internal/', 'private'],
    ['the metadata name of Google', 'http://metadata.google.internal/', 'forbidden'],
    ['the same with a dot', 'http://metadata.google.internal./', 'forbidden'],
    ["Google's other name", 'http://metadata.goog/', 'forbidden'],
    ['a name of one label', 'http://vault/', 'private'],
    ['one with a dot behind it', 'http://vault./', 'private'],
    ['a service of the cluster', 'http://vault.secrets.svc/', 'private'],
    ['the same, in full', 'http://vault.secrets.svc.cluster.local/', 'private'],
    ['a name that only ends alike', 'http://a.notlocalhost/', undefined],
    ['any other name', 'http://example.org/', undefined],
    ['a public literal', 'http://8.8.8.8/', 'public'],
  ])('%s: %s', (_, url, reach) => expect(reachOfHost(new URL(url))).toBe(reach))
})

describe('U5: where a redirect may lead', () => {
  const admits = (
    from: 'public' | 'private',
    url: string,
    rules: { allow?: readonly string[]; remotes?: readonly string[] } = {},
  ) => redirectGuard(new URL(url), { from, allow: [], remotes: [], ...rules }).admitsUrl()

  it.each([
    ['public', 'http://8.8.8.8/', true],
    ['public', 'http://example.org/', true],
    ['public', 'http://127.0.0.1/', false],
    ['public', 'http://10.1.2.3:8080/', false],
    ['public', 'http://localhost/', false],
    ['public', 'http://169.254.169.254/', false],
    ['public', 'http://[64:ff9b::7f00:1]/', false],
    ['private', 'http://8.8.8.8/', true],
    ['private', 'http://127.0.0.1/', true],
    ['private', 'http://10.1.2.3:8080/', true],
    ['private', 'http://localhost/', true],
    ['private', 'http://169.254.169.254/', false],
    ['private', 'http://[fd00:ec2::254]/', false],
    ['private', 'http://[::ffff:169.254.169.254]/', false],
    ['private', 'http://100.100.100.200/', false],
    ['private', 'http://metadata.google.internal/', false],
  ] as const)('from a %s host to %s: %s', (from, url, expected) => expect(admits(from, url)).toBe(expected))

  it.each([
    ['a host', ['10.0.0.5'], 'http://10.0.0.5:9000/', true],
    ['another host', ['10.0.0.5'], 'http://10.0.0.6/', false],
    ['a host name', ['localhost'], 'http://localhost:1/', true],
    ['a host name in capitals', ['LocalHost'], 'http://localhost/', true],
    ['host and port', ['10.0.0.5:9000'], 'http://10.0.0.5:9000/', true],
    ['host and another port', ['10.0.0.5:9000'], 'http://10.0.0.5:9001/', false],
    ['host and the default port', ['10.0.0.5:443'], 'https://10.0.0.5/', true],
    ['an IPv6 host and port', ['[fd00::1]:81'], 'http://[fd00:0::1]:81/', true],
    ['a bare IPv6 host', ['fd00:0::1'], 'http://[fd00::1]:81/', true],
    ['a range', ['10.0.0.0/30'], 'http://10.0.0.3/', true],
    ['beside a range', ['10.0.0.0/30'], 'http://10.0.0.4/', false],
    ['an IPv6 range', ['fd00::/8'], 'http://[fd12::1]/', true],
    ['even metadata, where the operator says so', ['169.254.169.254'], 'http://169.254.169.254/', true],
  ])('redirects.allow: %s', (_, allow, url, expected) => expect(admits('public', url, { allow })).toBe(expected))

  it.each([
    ['the same host', 'http://10.0.0.5/other', true],
    ['the same host with the port written out', 'http://10.0.0.5:80/', true],
    ['another port of it', 'http://10.0.0.5:81/', false],
    ['https of it, so another port', 'https://10.0.0.5/', false],
  ])('a configured remote: %s', (_, url, expected) =>
    expect(admits('public', url, { remotes: ['http://10.0.0.5/base'] })).toBe(expected),
  )
})

describe('U5: addresses are checked where they are looked up', () => {
  const publicTarget = redirectGuard(new URL('http://name.test/'), {
    from: 'public',
    allow: ['10.9.0.0/16'],
    remotes: [],
  })
  const resolve = (answer: Parameters<Parameters<LookupFunction>[2]>[1]) =>
    new Promise((done) => {
      const lookup = guardedLookup((_host, _options, callback) => callback(null, answer, 4), publicTarget)
      lookup('name.test', { all: Array.isArray(answer) }, (error, address) => done(error?.code ?? address))
    })

  it.each([
    ['a public address', '8.8.8.8', '8.8.8.8'],
    ['a private one', '10.0.0.1', 'REDIRECT_REFUSED'],
    ['one in an allowed range', '10.9.0.1', '10.9.0.1'],
    ['none but public ones', [{ address: '8.8.8.8', family: 4 }], [{ address: '8.8.8.8', family: 4 }]],
  ])('%s', async (_, answer, expected) => expect(await resolve(answer)).toEqual(expected))

  it('one bad address among good ones refuses the name', async () => {
    const mixed = [
      { address: '8.8.8.8', family: 4 },
      { address: '::1', family: 6 },
    ]
    expect(await resolve(mixed)).toBe('REDIRECT_REFUSED')
  })

  it('a name that is public first and private later (DNS rebinding) is refused then', async () => {
    const answers = ['8.8.8.8', '::ffff:10.0.0.1']
    const lookup = guardedLookup((_host, _options, callback) => callback(null, answers.shift() ?? '', 4), publicTarget)
    const ask = () => new Promise((done) => lookup('name.test', {}, (error, address) => done(error?.code ?? address)))
    expect([await ask(), await ask()]).toEqual(['8.8.8.8', 'REDIRECT_REFUSED'])
  })

  it('a fault of the resolver stays what it is', async () => {
    const fault = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    const lookup = guardedLookup((_host, _options, callback) => callback(fault, ''), publicTarget)
    const seen = await new Promise((done) => lookup('name.test', {}, (error) => done(error)))
    expect(seen).toBe(fault)
  })
})
