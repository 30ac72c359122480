import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { SharedCache, ToldEvent } from '../../../src/storage/shared-cache.js'
import type { RedisServer } from '../../support/redis.js'
import { addUser, masterName, type RedisSet, startCluster, startSentinelSet } from '../../support/redis-sets.js'
import { missing, title } from '../../support/servers.js'
import { settled } from '../fixtures.js'
import { type Connected, connected, hang, hearing, refused, timed, told } from './connected.js'

const gap: ToldEvent = { kind: 'gap' }
const message = (text: string): ToldEvent => ({ kind: 'message', text })
const lostAndFound = ['redis does not answer; going on without it', 'redis answers again']

/** In a cluster, some of these are at each master. */
const names = Array.from({ length: 12 }, (_, i) => `name-${i}`)

const answered = (cache: SharedCache) =>
  Promise.all(
    names.map(async (name) => {
      const lease = await cache.lease(name, 'one', 60_000)
      await cache.note(name, 'here', 60_000)
      return lease?.mine === true && (await cache.noted(name)) === 'here'
    }),
  )

/** Asks until everything is answered again. */
async function allAnswered(cache: SharedCache): Promise<void> {
  const answers = await settled(
    () => answered(cache),
    (each) => each.every(Boolean),
  )
  expect(answers).not.toContain(false)
}

/** What the slowest call took while something was broken (ms); asks until it is over. */
async function slowest(cache: SharedCache, isOver: () => Promise<boolean>): Promise<number> {
  let most = 0
  let asked = 0
  const over = await settled(async () => {
    asked += 1
    most = Math.max(most, (await timed(() => cache.noted(names[asked % names.length] ?? ''))).ms)
    return isOver()
  }, Boolean)
  expect(over).toBe(true)
  return most
}

/** What `from` tells is heard again, after a gap. */
async function heardAgain(from: SharedCache, events: readonly ToldEvent[]): Promise<void> {
  await settled(
    async () => {
      await from.tell('after')
      return events
    },
    (heard) => heard.length > 2,
  )
  expect(events.slice(0, 3)).toEqual([gap, gap, message('after')])
}

const strikes: [how: string, strike: (server: RedisServer) => unknown][] = [
  ['killed', (server) => server.stop()],
  ['stopped by SIGSTOP', (server) => server.pause()],
]

async function connectBoth(url: string): Promise<{ one: Connected; two: Connected; events: ToldEvent[] }> {
  const [one, two] = [await connected(url), await connected(url)]
  const events = await hearing(two.cache)
  await allAnswered(one.cache)
  return { one, two, events }
}

describe.skipIf(missing('redis-server').length > 0)(title('D1: a Redis under Sentinels', 'redis-server'), () => {
  let set: Awaited<ReturnType<typeof startSentinelSet>>
  let master: RedisServer
  let replica: RedisServer
  let url: string
  beforeEach(async () => {
    set = await startSentinelSet()
    ;[master, replica] = set.nodes as [RedisServer, RedisServer]
    url = `redis-sentinel://${set.hosts}/${masterName}`
  })
  afterEach(() => set?.dispose())

  it.each(strikes)('its master %s: absences for about the deadline, then the replica serves', async (_, strike) => {
    const { one, two, events } = await connectBoth(url)
    await strike(master)
    onTestFinished(() => master.resume())
    const most = await slowest(one.cache, async () => (await set.master()) === replica && one.cache.healthy)
    expect(most).toBeLessThan(hang)
    await allAnswered(one.cache)
    // It asked nothing meanwhile, and may learn only now that the old one is silent.
    const lease = await settled(
      () => two.cache.lease('name-1', 'two', 1000),
      (answer) => answer !== undefined,
    )
    expect(lease).toEqual({ mine: false, holder: 'one' })
    expect(Number((await replica.command('DBSIZE')).slice(1))).toBeGreaterThanOrEqual(2 * names.length)
    await heardAgain(one.cache, events)
    expect(told(one.lines)).toEqual(lostAndFound)
  })

  it('its master hands over: what was its replica serves', async () => {
    const { one, events } = await connectBoth(url)
    await set.sentinel.until(`SENTINEL FAILOVER ${masterName}`, /^\+OK/)
    await replica.until('INFO replication', /role:master/)
    await master.until('INFO replication', /role:slave/)
    await allAnswered(one.cache)
    await heardAgain(one.cache, events)
  })

  it.each(strikes)('its Sentinel %s: nothing changes while the master is there', async (_, strike) => {
    const { one, events } = await connectBoth(url)
    await strike(set.sentinel)
    onTestFinished(() => set.sentinel.resume())
    await allAnswered(one.cache)
    await one.cache.tell('as before')
    await settled(
      () => events,
      ({ length }) => length > 1,
    )
    expect(events).toEqual([gap, message('as before')])
    expect(told(one.lines)).toEqual([])
  })

  it('a Sentinel that still names what is a replica now is not believed', async () => {
    const server = createServer((socket) => {
      const { port } = replica
      socket.on('error', () => {}).on('data', () => socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$5\r\n${port}\r\n`))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { lines } = await refused(
      `redis-sentinel://127.0.0.1:${(server.address() as AddressInfo).port}/${masterName}`,
    )
    expect(lines.join()).toContain('is not the master any more')
  })

  it('Sentinels with users of their own get theirs, and never that of the servers', async () => {
    await set.sentinel.command('ACL SETUSER watcher on >w/a:t +sentinel|get-master-addr-by-name')
    await set.sentinel.command('ACL SETUSER default off')
    const [, hosts] = set.hosts.split(',')
    const at = (login: string, query = '') => `redis-sentinel://${login}${hosts}/${masterName}${query}`
    for (const wrong of [at(''), at('', '?sentinelPassword=secret-1'), at('watcher:w%2Fa%3At@')]) {
      const { lines } = await refused(wrong)
      expect(lines.join()).not.toMatch(/secret-1|w\/a:t|w%2Fa/)
    }
    const { cache } = await connected(at('', '?sentinelUsername=watcher&sentinelPassword=w%2Fa%3At'))
    await allAnswered(cache)
  })

  it('Sentinels that do not know the name are an absence', async () => {
    const { lines } = await refused(`redis-sentinel://127.0.0.1:${set.sentinel.port}/another`)
    expect(lines.join()).toContain('knows no master of that name')
  })
})

describe.skipIf(missing('redis-server').length > 0)(title('D1: a Redis cluster', 'redis-server'), () => {
  let set: RedisSet
  let first: RedisServer
  let second: RedisServer
  let url: string
  beforeEach(async () => {
    set = await startCluster()
    ;[first, second] = set.nodes as [RedisServer, RedisServer]
    await addUser(set.nodes, 'secret')
    url = `redis-cluster://larder:secret@${set.hosts}`
  })
  afterEach(() => set?.dispose())

  /** One that hears this node; which one a replica takes is left to chance. */
  const listenerAt = async (node: RedisServer): Promise<ToldEvent[]> => {
    for (;;) {
      const before = await subscribers(node)
      const { cache } = await connected(url)
      const events = await hearing(cache)
      if ((await subscribers(node)) > before) return events
      await cache.close()
    }
  }
  const subscribers = async (node: RedisServer) =>
    Number((await node.answer('PUBSUB NUMSUB larder:v1:told')).split(':').at(-1)?.split('\r\n')[0])

  it.each(strikes)('a master %s: absences for about the deadline, then its replica serves', async (_, strike) => {
    const { cache, lines } = await connected(url)
    const events = await listenerAt(first)
    await allAnswered(cache)
    await strike(first)
    onTestFinished(() => first.resume())
    const [, , , replica] = set.nodes as [RedisServer, RedisServer, RedisServer, RedisServer]
    const takenOver = async () => (await replica.answer('INFO replication')).includes('role:master') && cache.healthy
    expect(await slowest(cache, takenOver)).toBeLessThan(hang)
    await allAnswered(cache)
    await heardAgain(cache, events)
    // Between them it may have answered for a while: the other masters do.
    expect([told(lines)[0], told(lines).at(-1)]).toEqual(lostAndFound)
  })

  it('a slot that moves is followed, while it moves and after', async () => {
    const { cache, lines } = await connected(url)
    await allAnswered(cache)
    // Of a slot of the first master.
    const key = 'larder:v1:note:{slot}'
    const [, slot] = (await first.command(`CLUSTER KEYSLOT ${key}`)).split(':')
    const [from, to] = [first, second]
    const idOf = async (node: RedisServer) => (await node.answer('CLUSTER MYID')).split('\r\n')[1]
    await cache.note('{slot}', 'before', 60_000)
    await to.command(`CLUSTER SETSLOT ${slot} IMPORTING ${await idOf(from)}`)
    await from.command(`CLUSTER SETSLOT ${slot} MIGRATING ${await idOf(to)}`)
    await cache.note('{slot}b', 'meanwhile', 60_000)
    expect(await cache.noted('{slot}')).toBe('before')
    expect(await cache.noted('{slot}b')).toBe('meanwhile')
    await from.command(`MIGRATE 127.0.0.1 ${to.port} ${key} 0 1000`)
    expect(await cache.noted('{slot}')).toBe('before')
    for (const node of [to, from]) await node.command(`CLUSTER SETSLOT ${slot} NODE ${await idOf(to)}`)
    expect(await cache.noted('{slot}')).toBe('before')
    expect(await cache.noted('{slot}b')).toBe('meanwhile')
    await allAnswered(cache)
    expect(told(lines)).toEqual([])
  })

  it('a node of the URL that is gone for good matters to none', async () => {
    const [, others = ''] = /^[^,]*,(.*)$/.exec(set.hosts) ?? []
    const { cache, lines } = await connected(`redis-cluster://larder:secret@127.0.0.1:1,${others}`)
    await hearing(cache)
    await allAnswered(cache)
    expect(told(lines)).toEqual([])
  })
})
