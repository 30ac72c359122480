import { describe, expect, it, onTestFinished } from 'vitest'
import { settled } from '../storage/fixtures.js'
import { administer } from '../support/admin.js'
import type { InProcess } from '../support/in-process.js'
import type { RedisServer } from '../support/redis.js'
import { masterName, startSentinelSet } from '../support/redis-sets.js'
import { missing, title } from '../support/servers.js'
import { noise } from '../support/stage.js'
import { expectStored, expectWhole, type FaultStage, faultStages, programs, sharing } from './fault-stage.js'

type Strike = (redis: RedisServer) => Promise<unknown>

const strikes: readonly (readonly [string, Strike])[] = [
  ['killed', (redis) => redis.stop()],
  ['hung', async (redis) => redis.pause()],
  ['flushed', (redis) => redis.flush()],
  ['restarted empty', (redis) => redis.stop().then(() => redis.start())],
]

const size = 600_000

describe.skipIf(missing(...programs).length > 0)(title('P2: Redis in trouble', ...programs), () => {
  const stages = faultStages()

  const all = (replicas: readonly InProcess[], path: string, headers = {}) =>
    Promise.all(replicas.map((replica) => replica.open(path, headers)))

  /** Three replicas; one has half of `/a`, and another one follows it. */
  async function halfWay({ origin, replicas }: FaultStage) {
    const three = (await replicas(3)) as [InProcess, InProcess, InProcess]
    const body = origin.put('/a', noise(size))
    const gate = origin.hold('/a', size / 2)
    const early = [await three[0].open('/a'), await three[1].open('/a')]
    for (const { firstByte } of early) await firstByte
    return { three, early, body, gate }
  }

  it.each(strikes)('%s before a fill: at most one fetch for each replica', async (_, strike) => {
    const { origin, redis, replicas } = await stages.set()
    const three = await replicas(3)
    await strike(redis)
    const body = origin.put('/a', noise(size))
    const gate = origin.hold('/a', size / 2)
    const clients = await all([...three, ...three], '/a')
    for (const { firstByte } of clients) await firstByte
    gate.letGo()
    for (const client of clients) await expectWhole(client, body)
    expect(origin.count('/a')).toBeLessThanOrEqual(3)
    await expectStored(origin, three, '/a', body)
  })

  it.each(strikes)(
    '%s during a fill: who follows it goes on, and only who comes afterwards may fetch, once a replica',
    async (_, strike) => {
      const stage = await stages.set()
      const { origin, redis } = stage
      const { three, early, body, gate } = await halfWay(stage)
      const [first, second, third] = three
      await strike(redis)
      expect(origin.count('/a')).toBe(1)
      const late = await all([first, second, third, third], '/a')
      gate.letGo()
      for (const client of [...early, ...late]) await expectWhole(client, body)
      // The third may have been told of the first; what it can't be told it fetches, once for all its clients.
      expect(origin.count('/a')).toBeLessThanOrEqual(2)
      await expectStored(origin, three, '/a', body)
    },
  )

  it.each(strikes)('%s after a fill: what is stored is served, by all, without a fetch', async (_, strike) => {
    const { origin, redis, replicas } = await stages.set()
    const three = await replicas(3)
    const bodies = [noise(200), noise(50_000), noise(size)].map((bytes, i) => origin.put(`/${i}`, bytes))
    for (const i of bodies.keys()) await three[0]?.warm(`/${i}`)
    await strike(redis)
    for (const [i, body] of bodies.entries()) await expectStored(origin, three, `/${i}`, body)
    expect(origin.requests.length).toBe(bodies.length)
  })

  it.each(strikes)('%s, and back: one fetch for all again', async (_, strike) => {
    const { origin, redis, replicas } = await stages.set()
    const two = (await replicas(2)) as [InProcess, InProcess]
    await strike(redis)
    redis.resume()
    await redis.stop()
    await redis.start()
    // What is known of Redis is known by its answers: each asks for something.
    for (const [i, replica] of two.entries()) {
      origin.put(`/asked-${i}`, 'bytes')
      await replica.warm(`/asked-${i}`)
      await sharing(replica)
    }
    const body = origin.put('/a', noise(size))
    const gate = origin.hold('/a', size / 2)
    const one = await two[0].open('/a')
    await one.firstByte
    const other = await two[1].open('/a')
    await other.firstByte
    gate.letGo()
    for (const client of [one, other]) await expectWhole(client, body)
    expect(origin.count('/a')).toBe(1)
  })

  it.each(strikes)('%s: a purge by one replica is not undone by what another one fetched before', async (_, strike) => {
    const { origin, redis, replicas } = await stages.set()
    const [first, second] = (await replicas(2)) as [InProcess, InProcess]
    origin.put('/a', noise(size))
    const gate = origin.hold('/a', size / 2, {}, 1)
    const before = await second.open('/a')
    await before.firstByte
    await strike(redis)
    await administer(first, 'POST', '/purge', { repository: 'raw', path: 'a' })
    const renewed = origin.put('/a', noise(size))
    gate.letGo()
    await before.finished
    await second.settled()
    expect((await first.warm('/a')).body.equals(renewed)).toBe(true)
    await expectStored(origin, [first, second], '/a', renewed)
  })

  it.each([
    ['fails over', (set: SentinelSet) => set.sentinel.command(`SENTINEL FAILOVER ${masterName}`)],
    ['is killed and replaced', async (set: SentinelSet) => (await set.master()).stop()],
  ])(
    'a master that %s during a fill: one fetch for who follows, at most one more for who comes then',
    async (_, strike) => {
      const set = await startSentinelSet()
      onTestFinished(() => set.dispose())
      const stage = await stages.set(`redis-sentinel://${set.hosts}/${masterName}`)
      const [master] = set.nodes
      const { three, early, body, gate } = await halfWay(stage)
      const [, second, third] = three
      await strike(set)
      const late = await all([third, second], '/a')
      const named = await settled(set.master, (now) => now !== master)
      expect(named).not.toBe(master)
      const later = await all([third, second], '/a')
      gate.letGo()
      for (const client of [...early, ...late, ...later]) await expectWhole(client, body)
      expect(stage.origin.count('/a')).toBeLessThanOrEqual(2)
      await expectStored(stage.origin, three, '/a', body)
    },
  )
})

type SentinelSet = Awaited<ReturnType<typeof startSentinelSet>>
