import { describe, expect, it } from 'vitest'
import type { Repository } from '../../src/caching/repository.js'
import { parseConfig } from '../../src/config/load.js'
import { repositoryIndex } from '../../src/config/repositories.js'

const repositories = (text: string) => parseConfig(text, 'r.yaml', {}).repositories
const first = (text: string) => repositories(text)[0] as Repository
/** A repository with these settings, in flow style. */
const made = (settings = '', defaults = '') =>
  first(`defaults: { ${defaults} }\nrepositories: { a: { remote: https://a.test, ${settings} } }`)

describe('defaults', () => {
  const forever = Number.POSITIVE_INFINITY
  const access = {
    ...{ auth: undefined, headers: [], ca: undefined, clientCertificate: undefined, proxy: undefined },
    maxConnections: forever,
  }
  const common = {
    remotes: [{ url: 'https://a.test', access }],
    blocked: false,
    routing: { allow: [], block: [] },
    retention: { maxSize: forever, unusedFor: forever },
  }
  const upstream = {
    timeout: { connect: 3000, headers: 10_000, stall: 30_000 },
    retry: { attempts: 3, budget: 20_000, resumes: 5 },
    breaker: { failures: 5, openFor: 15_000, maxOpenFor: 300_000 },
    maxRedirects: 5,
    redirects: { allow: [] },
  }

  it('of profile artifact', () => {
    expect(made()).toEqual({
      name: 'a',
      aliases: [],
      format: 'raw',
      type: 'proxy',
      members: [],
      redeploy: false,
      rewrite: [],
      profile: 'artifact',
      ...common,
      integrity: { typeGuard: true, checksums: [] },
      query: 'forward',
      forwardRequestHeaders: ['accept'],
      caching: {
        profile: 'artifact',
        freshness: [],
        maxAge: 86_400,
        targetedFields: [],
        clientCacheControl: 'ignore',
        staleWhileRevalidate: 0,
        maxStale: Number.POSITIVE_INFINITY,
        keepOnUpstreamMissing: true,
        negative: { ttl: 60, forbiddenTtl: 10 },
      },
      upstream,
    })
  })

  it('of profile rfc9111', () => {
    expect(made('profile: rfc9111')).toEqual({
      name: 'a',
      aliases: [],
      format: 'raw',
      type: 'proxy',
      members: [],
      redeploy: false,
      rewrite: [],
      profile: 'rfc9111',
      ...common,
      integrity: { typeGuard: false, checksums: [] },
      query: 'forward',
      forwardRequestHeaders: 'all',
      caching: {
        profile: 'rfc9111',
        freshness: [],
        maxAge: 0,
        targetedFields: [],
        clientCacheControl: 'honour',
        staleWhileRevalidate: 0,
        maxStale: 0,
        keepOnUpstreamMissing: false,
        negative: { ttl: 0, forbiddenTtl: 0 },
      },
      upstream,
    })
  })
})

describe('what comes before what', () => {
  it('a setting of the repository before defaults before the profile', () => {
    expect(made('maxAge: 1h', 'maxAge: 2h').caching.maxAge).toBe(3600)
    expect(made('', 'maxAge: 2h').caching.maxAge).toBe(7200)
    expect(made('maxAge: 0', 'maxAge: 2h').caching.maxAge).toBe(0)
  })

  it('groups field by field', () => {
    const { upstream, caching } = made(
      'timeout: { stall: 1s }, negative: { ttl: 5s }, retry: { resumes: 0 }',
      'timeout: { stall: 2s, connect: 1s }, negative: { forbiddenTtl: 7s }, retry: { attempts: 1 }',
    )
    expect(upstream.timeout).toEqual({ connect: 1000, headers: 10_000, stall: 1000 })
    expect(upstream.retry).toEqual({ attempts: 1, budget: 20_000, resumes: 0 })
    const breaker = made('breaker: { failures: 2 }', 'breaker: { failures: 3, openFor: 1s }').upstream.breaker
    expect(breaker).toEqual({ failures: 2, openFor: 1000, maxOpenFor: 300_000 })
    expect(caching.negative).toEqual({ ttl: 5, forbiddenTtl: 7 })
  })

  it('lists as a whole', () => {
    const rules = (match: string) => `freshness: [{ match: ${match}, maxAge: 1s }]`
    expect(made(rules('x'), rules('y')).caching.freshness.map(({ match }) => match)).toEqual(['x'])
    expect(made('redirects: { allow: [x] }', 'redirects: { allow: [y] }').upstream.redirects.allow).toEqual(['x'])
  })

  it('profile of defaults', () => {
    expect(made('', 'profile: rfc9111').caching.clientCacheControl).toBe('honour')
    expect(made('profile: artifact', 'profile: rfc9111').caching.clientCacheControl).toBe('ignore')
  })

  it('what contradicts rfc9111 passes such a repository by when it comes from defaults', () => {
    const artifactDefaults = [
      'freshness: [{ match: x, maxAge: 1s }], maxAge: 1h, maxStale: 1h, keepOnUpstreamMissing: true',
      'negative: { ttl: 5s }, staleWhileRevalidate: 5s',
    ].join(', ')
    expect(made('profile: rfc9111', artifactDefaults).caching).toEqual(made('profile: rfc9111').caching)
    expect(made('', artifactDefaults).caching.staleWhileRevalidate).toBe(5)
  })

  it('other defaults reach rfc9111 too', () => {
    const { caching, forwardRequestHeaders } = made(
      'profile: rfc9111',
      'clientCacheControl: ignore, forwardRequestHeaders: [Accept], targetedFields: [CDN-Cache-Control]',
    )
    expect(caching.clientCacheControl).toBe('ignore')
    expect(caching.targetedFields).toEqual(['cdn-cache-control'])
    expect(forwardRequestHeaders).toEqual(['accept'])
  })
})

it('what is kept, served, checked and left alone', () => {
  const digest = 'AB'.repeat(32)
  const { blocked, routing, integrity, retention } = made(
    [
      'blocked: true, allow: ["jdk/**", "*.sha256"], block: ["**/*.exe"], typeGuard: false',
      `checksums: [{ match: a.tgz, sha256: ${digest} }, { match: "**", from: "{dir}/SUMS", required: false }]`,
      'maxSize: 20GiB, unusedFor: 90d',
    ].join(', '),
  )
  expect(blocked).toBe(true)
  expect(routing.allow.map(({ match }) => match)).toEqual(['jdk/**', '*.sha256'])
  expect(routing.block[0]?.matches('x/y.exe')).toBe(true)
  expect(integrity).toMatchObject({
    typeGuard: false,
    checksums: [
      { match: 'a.tgz', expected: { kind: 'literal', sha256: digest.toLowerCase() }, required: true },
      { match: '**', expected: { kind: 'listed', in: '{dir}/SUMS' }, required: false },
    ],
  })
  expect(retention).toEqual({ maxSize: 20 * 1024 ** 3, unusedFor: 90 * 86_400 })
  const all = 'checksums: [{ match: "**", from: "{path}.sha256" }], maxSize: 1GiB, unusedFor: 1h, typeGuard: false'
  expect(made('checksums: [], maxSize: unlimited, unusedFor: forever, typeGuard: true', all)).toEqual(made())
  expect(made('', all).integrity.checksums[0]?.required).toBe(true)
})

it('rfc9111 checks what it is told to check', () => {
  const { integrity } = made('profile: rfc9111, typeGuard: true, checksums: [{ match: "**", from: "{path}.sha256" }]')
  expect(integrity).toMatchObject({ typeGuard: true, checksums: [{ match: '**' }] })
})

describe('the result', () => {
  it('is frozen to its depth', () => {
    const { repositories: all } = parseConfig('repositories: { a: { remote: https://a.test } }', 'r.yaml', {})
    const repository = all[0] as Repository
    const { caching, upstream } = repository
    const parts = [
      all,
      repository,
      repository.remotes,
      repository.remotes[0],
      repository.remotes[0]?.access,
      repository.remotes[0]?.access.headers,
      repository.integrity.checksums,
      repository.routing.allow,
      repository.aliases,
      caching,
      caching.freshness,
      caching.negative,
    ]
    for (const part of [...parts, upstream, upstream.timeout, upstream.redirects.allow]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('keeps the order of the file and finds by name and alias, exactly', () => {
    const all = repositories(
      'repositories: { b: { remote: https://b.test, aliases: [b.test, x] }, a: { remote: https://a.test } }',
    )
    expect(all.map(({ name }) => name)).toEqual(['b', 'a'])
    const find = repositoryIndex(all)
    expect(find('b')).toBe(all[0])
    expect(find('b.test')).toBe(all[0])
    expect(find('a')).toBe(all[1])
    for (const name of ['A', 'B.test', 'c', '', '__proto__', 'constructor']) expect(find(name)).toBeUndefined()
  })
})

describe('laid over a preset', () => {
  const find = (settings: string, more = '') =>
    repositoryIndex(
      repositories(`presets: [heroku-jvm]\n${more}\nrepositories: { own: { type: hosted }, ${settings} }`),
    )

  it('a setting takes the place of the preset’s, and the others stay', () => {
    expect(find('lang-jvm: { maxSize: 1GiB }')('lang-jvm')).toMatchObject({
      ...{ type: 'proxy', retention: { maxSize: 2 ** 30 } },
      remotes: [{ url: 'https://lang-jvm.s3.amazonaws.com' }],
    })
  })

  it.each([
    ['a hosted repository', 'lang-jvm: { type: hosted }', { type: 'hosted', remotes: [] }],
    [
      'a group',
      'lang-jvm: { type: group, members: [own] }',
      { type: 'group', remotes: [], members: [{ name: 'own' }] },
    ],
  ])('%s keeps of the preset what its type knows, its other names too', (_, settings, expected) => {
    const repository = find(settings)('lang-jvm.s3.amazonaws.com')
    expect(repository).toMatchObject({ name: 'lang-jvm', ...expected })
  })

  it.each([
    ['its own', 'buildpack-registry: { profile: rfc9111 }', ''],
    ['that of defaults', '', 'defaults: { profile: rfc9111 }'],
  ])('profile rfc9111, %s, leaves out what it has no room for', (_, settings, defaults) => {
    expect(find(settings, defaults)('buildpack-registry')).toMatchObject({
      ...{ profile: 'rfc9111', caching: { freshness: [] }, rewrite: [] },
      remotes: [{ url: 'https://buildpack-registry.s3.amazonaws.com' }],
    })
  })
})
