import { describe, expect, it } from 'vitest'
import { administer } from '../support/admin.js'
import { type InProcess, inFront, stopClock } from '../support/in-process.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote } from './remote.js'

const remote = mswRemote()

const forever = { freshness: [{ match: '**', maxAge: 'forever' }] }

const ways = [
  ['by its path', { path: 'jdk/a' }],
  ['by a prefix', { prefix: 'jdk/' }],
  ['by a glob', { glob: 'jdk/*' }],
  ['with its repository', { all: true }],
] as const

const purge = (larder: InProcess, how: object) => administer(larder, 'POST', '/purge', { repository: 'raw', ...how })

describe('K5: a hard purge', () => {
  it.each(ways)('of an artifact %s: the next one is fetched anew', async (_, how) => {
    const larder = await inFront(remote.url, forever)
    remote.answer('/jdk/a', { body: 'old' }, { body: 'new' })
    await larder.warm('/jdk/a')
    expect(await purge(larder, how)).toEqual({ records: 1, bytes: 3 })
    expect((await larder.warm('/jdk/a')).body.toString()).toBe('new')
    const hit = await larder.get('/jdk/a')
    expect([hit.body.toString(), hit.header('cache-status'), remote.count('/jdk/a')]).toEqual([
      'new',
      expect.stringContaining('hit'),
      2,
    ])
    expect(await larder.metric('larder_purged_total', { repository: 'raw' })).toBe(1)
  })

  it.each(ways)('%s, after another in the same millisecond: purges too', async (_, how) => {
    stopClock()
    const larder = await inFront(remote.url, forever)
    remote.answer('/jdk/a', { body: '1' }, { body: '2' }, { body: '3' })
    for (const purged of [{ path: 'jdk/a' }, how]) {
      await larder.warm('/jdk/a')
      expect(await purge(larder, purged)).toMatchObject({ records: 1 })
    }
    expect((await larder.get('/jdk/a')).body.toString()).toBe('3')
  })

  it('leaves nothing to fall back on', async () => {
    const larder = await inFront(remote.url, forever)
    remote.answer('/jdk/a', { body: 'old' })
    await larder.warm('/jdk/a')
    await purge(larder, { path: 'jdk/a' })
    remote.die()
    expect((await larder.get('/jdk/a')).status).toBe(502)
  })

  it.each(ways)('an absence is forgotten too, %s', async (_, how) => {
    const larder = await inFront(remote.url)
    remote.answer('/jdk/a', { status: 404 }, { body: 'there now' })
    expect((await larder.get('/jdk/a')).status).toBe(404)
    expect((await larder.get('/jdk/a')).header('cache-status')).toContain('hit')
    await purge(larder, how)
    expect((await larder.get('/jdk/a')).body.toString()).toBe('there now')
  })

  it.each(ways)(
    '%s: a fill under way serves its clients and is not stored; whoever comes after asks anew',
    async (_, how) => {
      const { origin, larder } = await behindSocket(forever)
      const old = origin.put('/jdk/a', noise(1_000_000))
      const gate = origin.hold('/jdk/a', 500_000, {}, 1)
      const early = await larder.open('/jdk/a')
      await gate.reached
      await until(() => early.received() === 500_000, 'it has the first half')
      await purge(larder, how)
      const fresh = origin.put('/jdk/a', noise(900_000))
      const after = await larder.get('/jdk/a')
      expect(after.header('cache-status')).toBe('larder; fwd=uri-miss; stored')
      expect(after.body.equals(fresh)).toBe(true)
      gate.letGo()
      expect((await early.finished).body.equals(old)).toBe(true)
      await larder.settled()
      const last = await larder.get('/jdk/a')
      expect([last.body.equals(fresh), last.header('cache-status')]).toEqual([true, expect.stringContaining('hit')])
      expect(origin.count('/jdk/a')).toBe(2)
    },
  )
})

describe('K5: a soft purge', () => {
  it.each(ways)(
    'of an artifact that is fresh for ever, %s: it is validated at its next use, and fresh again',
    async (_, how) => {
      const larder = await inFront(remote.url, forever)
      const headers = { ETag: '"1"' }
      remote.answer('/jdk/a', { headers, body: 'as ever' }, { status: 304, headers })
      await larder.warm('/jdk/a')
      expect(await purge(larder, { ...how, soft: true })).toEqual({ records: 1, bytes: 7 })
      const validated = await larder.warm('/jdk/a')
      expect([validated.body.toString(), validated.header('cache-status')]).toEqual([
        'as ever',
        'larder; fwd=stale; fwd-status=304',
      ])
      expect((await larder.get('/jdk/a')).header('cache-status')).toMatch(/^larder; hit/)
      expect(remote.count('/jdk/a')).toBe(2)
    },
  )

  it.each(['artifact', 'rfc9111'])('profile %s: the copy steps in while the remote is in trouble', async (profile) => {
    const settings = profile === 'artifact' ? forever : { profile }
    const larder = await inFront(remote.url, settings)
    remote.answer('/jdk/a', { headers: { ETag: '"1"', 'Cache-Control': 'max-age=3600' }, body: 'as ever' })
    await larder.warm('/jdk/a')
    await purge(larder, { path: 'jdk/a', soft: true })
    remote.die()
    const spare = await larder.get('/jdk/a')
    expect([spare.status, spare.body.toString()]).toEqual([200, 'as ever'])
    expect(spare.header('cache-status')).toContain('fwd=stale')
  })
})
