import { describe, expect, it } from 'vitest'
import type { Explanation } from '../../src/administration/explain-views.js'
import { behindSocket } from '../proxy/origin.js'
import { administer, adminToken } from '../support/admin.js'
import { get } from '../support/http.js'
import { type InProcess, stopClock } from '../support/in-process.js'
import type { Origin } from '../support/origin.js'
import { noise, type Settings } from '../support/stage.js'

const explain = async (larder: InProcess, artifact: string): Promise<Explanation> =>
  (await administer(larder, 'GET', `/explain?artifact=${encodeURIComponent(artifact)}`)) as Explanation

interface Scene {
  readonly origin: Origin
  readonly larder: InProcess
  readonly clock: ReturnType<typeof stopClock>
}

interface Case {
  readonly settings?: Settings
  readonly path?: string
  readonly before: (scene: Scene) => unknown
}

const short = { maxAge: '60s' }
const stored = async ({ larder }: Scene) => larder.warm('/a.tgz')
const storedAndStale = async (scene: Scene) => {
  await stored(scene)
  await scene.clock.pass(120)
}
const block = ({ larder }: Scene) => administer(larder, 'POST', '/repositories/raw/block')
const fails = ({ origin }: Scene) => origin.plan('/a.tgz', { status: 500 })

describe('larder explain: what it foresees is what a GET then gets', () => {
  const cases: Record<string, readonly [action: string, Case]> = {
    'nothing stored': ['fetch', { before: () => {} }],
    'another variant stored': [
      'fetch',
      {
        async before({ origin, larder }) {
          origin.put('/a.tgz', noise(100), { headers: { Vary: 'Accept' } })
          await larder.warm('/a.tgz', { Accept: 'text/html' })
        },
      },
    ],
    'fresh, small': ['hit', { before: stored }],
    'fresh, a blob': [
      'hit',
      {
        before: async (scene) => {
          scene.origin.put('/a.tgz', noise(50_000))
          await stored(scene)
        },
      },
    ],
    stale: ['validate', { settings: short, before: storedAndStale }],
    'stale without a validator': [
      'fetch',
      {
        settings: short,
        before: async (scene) => {
          scene.origin.files.set('/a.tgz', { body: noise(100), etag: false, lastModified: false })
          await storedAndStale(scene)
        },
      },
    ],
    'purged softly': [
      'validate',
      {
        before: async (scene) => {
          await stored(scene)
          await administer(scene.larder, 'POST', '/purge', { repository: 'raw', path: 'a.tgz', soft: true })
        },
      },
    ],
    'stale, validated behind the answer': [
      'stale-while-revalidate',
      { settings: { ...short, staleWhileRevalidate: '1h' }, before: storedAndStale },
    ],
    'stale, and nothing may be validated behind': [
      'stale',
      {
        settings: { ...short, staleWhileRevalidate: '1h' },
        before: async (scene) => {
          await storedAndStale(scene)
          await block(scene)
        },
      },
    ],
    'stale and blocked': [
      'spared',
      {
        settings: short,
        before: async (scene) => {
          await storedAndStale(scene)
          await block(scene)
        },
      },
    ],
    'stale, its remote in trouble just now': [
      'spared',
      {
        settings: short,
        before: async (scene) => {
          await storedAndStale(scene)
          fails(scene)
          await scene.larder.get('/a.tgz')
        },
      },
    ],
    blocked: ['unavailable', { before: block }],
    'the breaker open': [
      'unavailable',
      {
        settings: { breaker: { failures: 1 } },
        before: async (scene) => {
          fails(scene)
          await scene.larder.get('/a.tgz')
        },
      },
    ],
    'absent just now': [
      'absent',
      {
        path: '/missing.tgz',
        // What the remote says to some fields, it may not say to others.
        before: ({ larder }) => larder.get('/missing.tgz', { Accept: '*/*' }),
      },
    ],
    'not to be shared': [
      'bypass',
      {
        before: async ({ origin, larder }) => {
          origin.put('/a.tgz', noise(100), { headers: { 'Cache-Control': 'no-store' } })
          await larder.get('/a.tgz')
        },
      },
    ],
    'not routed': ['not-routed', { settings: { block: ['**/*.tgz'] }, before: () => {} }],
  }

  it.each(Object.entries(cases).map(([name, [action, given]]) => [name, action, given] as const))(
    '%s: %s',
    async (_, action, { settings = {}, path = '/a.tgz', before }) => {
      const clock = stopClock()
      const { origin, larder } = await behindSocket(settings)
      origin.put('/a.tgz', noise(100))
      await before({ origin, larder, clock })
      const asked = origin.requests.length
      const { next } = await explain(larder, `raw${path}`)
      expect(origin.requests).toHaveLength(asked)
      expect(next.action).toBe(action)
      const got = await larder.get(path, { Accept: '*/*' })
      await larder.settled()
      expect(`${got.header('cache-status')};`).toContain(`${next.cacheStatus};`)
      if (next.error !== null && action !== 'spared') expect(got.header('x-larder-error')).toBe(next.error)
      const status = /gets (\d{3})/.exec(next.sentence)?.[1]
      expect(got.status).toBe(Number(status ?? 200))
      const forwards = ['fetch', 'validate', 'bypass', 'stale-while-revalidate'].includes(action)
      expect(origin.requests.length > asked).toBe(forwards)
    },
  )

  it('a download under way is joined', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a.tgz', noise(100_000))
    const gate = origin.hold('/a.tgz', 1000)
    const first = await larder.open('/a.tgz')
    const { next } = await explain(larder, 'raw/a.tgz')
    expect(next.action).toBe('join')
    const second = await larder.open('/a.tgz')
    gate.letGo()
    await Promise.all([first.finished, second.finished])
    expect(second.header('cache-status')).toContain(`${next.cacheStatus}; stored; collapsed`)
  })

  it('is no use of what it explains (K6)', async () => {
    const clock = stopClock()
    const { origin, larder } = await behindSocket()
    origin.put('/a.tgz', noise(100))
    await larder.warm('/a.tgz')
    const before = await explain(larder, 'raw/a.tgz')
    await clock.pass(60)
    expect((await explain(larder, 'raw/a.tgz')).lastAccess).toBe(before.lastAccess)
  })
})

describe('larder explain: what it is told', () => {
  const settings = {
    aliases: ['bucket.test'],
    query: { drop: ['utm'] },
    freshness: [{ match: '**/*.tgz', maxAge: 'forever' }],
    allow: ['jdk/**'],
    checksums: [{ match: 'jdk/**', from: '{path}.sha256', required: true }],
  }

  it.each([
    ['its name', () => 'raw/jdk/a.tgz?x=1&utm=2', 'name'],
    ['its URL here', ({ larder }: Pick<Scene, 'larder'>) => larder.at('/jdk/a.tgz?x=1&utm=2'), 'name'],
    ['an alias', () => 'http://larder.test/repository/bucket.test/jdk/a.tgz?x=1&utm=2', 'alias'],
    ["its host's URL", () => 'https://bucket.test/jdk/a.tgz?x=1&utm=2', 'alias'],
    ["its remote's URL", ({ origin }: Scene) => `${origin.url}/jdk/a.tgz?x=1&utm=2`, 'remote'],
  ])('%s', async (_, words, foundBy) => {
    const { origin, larder } = await behindSocket(settings)
    const found = await explain(larder, words({ origin, larder } as Scene))
    expect(found).toMatchObject({
      ...{ repository: 'raw', foundBy, path: 'jdk/a.tgz?x=1', key: 'raw/jdk/a.tgz?x=1', stored: [] },
      query: { policy: 'drop utm', asked: 'x=1&utm=2', keyed: 'x=1' },
      routing: { routed: true, rule: 'jdk/**' },
      freshness: { by: 'rule', match: '**/*.tgz', maxAge: null },
      checksum: { match: 'jdk/**', required: true, list: 'jdk/a.tgz.sha256' },
      remotes: [{ url: origin.url, breaker: 'closed', retryAt: null }],
      remoteUrls: [`${origin.url}/jdk/a.tgz?x=1`],
    })
  })

  it('says of each variant where it is from, why it is fresh or not, and until when', async () => {
    const clock = stopClock()
    const { origin, larder } = await behindSocket(short)
    origin.put('/a.tgz', noise(100))
    await larder.warm('/a.tgz')
    const [fresh] = (await explain(larder, 'raw/a.tgz')).stored
    expect(fresh).toMatchObject({ storedFrom: origin.url, fresh: true, why: 'fresh' })
    await clock.pass(120)
    const [stale] = (await explain(larder, 'raw/a.tgz')).stored
    expect(stale).toMatchObject({ fresh: false, why: 'its lifetime is over', freshUntil: fresh?.freshUntil })
  })

  it.each([
    ['an unknown repository', 'nope/a', 404, 'REPOSITORY_UNKNOWN'],
    ['a URL of the world', 'https://elsewhere.test/a', 404, 'REPOSITORY_UNKNOWN'],
    ['dot segments', 'raw/a/../b', 400, 'PATH_INVALID'],
  ])('%s: a problem', async (_, words, status, code) => {
    const { larder } = await behindSocket()
    const token = await adminToken(larder)
    const answer = await get(`${larder.url}/api/v1/explain?artifact=${encodeURIComponent(words)}`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([status, code])
  })
})
