import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { connect } from '../storage/keyv/connected.js'
import { administer } from '../support/admin.js'
import { get } from '../support/http.js'
import { type InProcess, inFront } from '../support/in-process.js'
import { type Origin, startOrigin } from '../support/origin.js'
import { freePort, type RedisServer, startRedis } from '../support/redis.js'
import { missing, title } from '../support/servers.js'
import { noise, type Settings, selfSigned, temporaryDirectory, until } from '../support/stage.js'

interface Stage {
  readonly origin: Origin
  readonly redis: RedisServer
  readonly replicas: readonly [InProcess, InProcess]
  /** Where they reach each other. */
  readonly peerUrls: readonly string[]
}

const secret = 'a-secret-that-replicas-share'

interface Peering {
  readonly secrets?: readonly [string, string]
  readonly scheme?: 'http' | 'https'
}

/** Two replicas with a store each and one Redis, that can reach each other. */
async function stage(settings: Settings = {}, { secrets, scheme = 'http' }: Peering = {}): Promise<Stage> {
  const [origin, redis, directory] = await Promise.all([startOrigin(), startRedis(), temporaryDirectory()])
  onTestFinished(() => origin.stop())
  onTestFinished(() => redis.dispose())
  const { cert, key } = await selfSigned(directory, 'peer')
  const tls = { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key, LARDER_TLS_PORT: '0', LARDER_CA_FILE: cert }
  const peerUrls: string[] = []
  const replica = async (i: 0 | 1) => {
    const file = join(directory, `secret-${i}`)
    await writeFile(file, secrets?.[i] ?? secret)
    const port = await freePort()
    const peerUrl = `${scheme}://127.0.0.1:${port}`
    peerUrls.push(peerUrl)
    return inFront(origin.url, settings, {
      ...{ REDIS_URL: redis.url, LARDER_REDIS_DEADLINE: '1s', LARDER_PEER_PORT: `${port}` },
      ...{ LARDER_PEER_URL: peerUrl, LARDER_PEER_SECRET_FILE: file },
      ...(scheme === 'https' && tls),
    })
  }
  const replicas = [await replica(0), await replica(1)] as const
  for (const { url } of replicas) {
    await until(async () => (await get(`${url}/readyz`)).body.toString().includes('"ok"'), 'redis answers')
  }
  return { origin, redis, replicas, peerUrls }
}

const followed = ({ metric }: InProcess, result: string) => metric('larder_peer_fills_total', { result })

describe.skipIf(missing('redis-server').length > 0)(title('P1, C6: across replicas', 'redis-server'), () => {
  it.each(['http', 'https'] as const)('one download for both, over %s: byte 0 at once, then all', async (scheme) => {
    const { origin, replicas } = await stage({}, { scheme })
    const [first, second] = replicas
    const body = origin.put('/a', noise(4_000_000))
    const gate = origin.hold('/a', 1_000_000)
    const one = await first.open('/a')
    await one.firstByte
    const two = await second.open('/a')
    await two.firstByte
    expect([two.header('content-length'), two.header('etag')]).toEqual(['4000000', one.header('etag')])
    gate.letGo()
    for (const client of [one, two]) {
      const { body: received, ended } = await client.finished
      expect([received.equals(body), ended]).toEqual([true, 'end'])
    }
    await Promise.all(replicas.map(({ settled }) => settled()))
    expect([origin.count('/a'), await followed(second, 'growing')]).toEqual([1, 1])
    await origin.stop()
    expect((await second.get('/a')).body.equals(body)).toBe(true)
  })

  it('who asks before the remote has answered waits with the other one, however long that takes', async () => {
    const { origin, replicas } = await stage()
    const [first, second] = replicas
    const body = origin.put('/a', noise(100_000))
    const gate = origin.hold('/a', -1, {}, 1)
    const one = first.get('/a')
    await gate.reached
    const two = second.get('/a')
    await sleep(1_000)
    gate.letGo()
    expect([(await one).body.equals(body), (await two).body.equals(body)]).toEqual([true, true])
    expect([origin.count('/a'), await followed(second, 'growing')]).toEqual([1, 1])
  })

  it('U3: a replica that dies in the middle is gone on from, with the rest from the remote', async () => {
    const { origin, replicas } = await stage({ retry: { attempts: 1, budget: '5s', resumes: 3 } })
    const [first, second] = replicas
    const body = origin.put('/a', noise(4_000_000))
    const gate = origin.hold('/a', 1_000_000, {}, 1)
    const one = await first.open('/a')
    await one.firstByte
    const two = await second.open('/a')
    await two.firstByte
    await first.stop()
    gate.letGo()
    const { body: received, ended } = await two.finished
    expect([received.equals(body), ended]).toEqual([true, 'end'])
    const ranges = origin.requestsFor('/a').map(({ headers }) => headers.range !== undefined)
    expect(ranges).toEqual([false, true])
  })

  it('K4: an absence that one asks about is told to the other, too', async () => {
    const { origin, replicas } = await stage()
    const [first, second] = replicas
    const gate = origin.hold('/a', -1, { status: 404 })
    const one = first.get('/a')
    await gate.reached
    const two = second.get('/a')
    await until(async () => (await second.metric('larder_fills_in_flight')) === 1, 'the second one asks')
    gate.letGo()
    expect([(await one).status, (await two).status, origin.count('/a')]).toEqual([404, 404, 1])
    const third = await second.get('/a')
    expect([third.status, third.header('cache-status'), origin.count('/a')]).toEqual([
      404,
      expect.stringContaining('larder; hit; ttl='),
      1,
    ])
  })

  it('K4: an absence that one has heard of from the other lasts no longer for that', async () => {
    const { origin, replicas } = await stage({ negative: { ttl: '60s' } })
    const [first, second] = replicas
    origin.plan('/a', { status: 404 })
    await first.get('/a')
    await sleep(2_500)
    await second.get('/a')
    const { header } = await second.get('/a')
    const [, ttl] = /^larder; hit; ttl=(\d+)/.exec(String(header('cache-status'))) ?? []
    expect([Number(ttl) <= 58, origin.count('/a')]).toEqual([true, 1])
  })

  it.each([
    ['of the same replica', 0],
    ['of another one', 1],
  ] as const)('K4: what is refused to who takes only some media types is no word for a client %s', async (_, i) => {
    const { origin, replicas } = await stage()
    const body = origin.put('/a', noise(1000))
    const gate = origin.hold('/a', -1, { status: 404 }, 1)
    const picky = replicas[0].get('/a', { accept: 'application/json' })
    await gate.reached
    const other = replicas[i].get('/a', { accept: '*/*' })
    // Who came later would ask for himself anyway.
    await sleep(300)
    gate.letGo()
    expect([(await picky).status, (await other).body.equals(body)]).toEqual([404, true])
    expect((await replicas[i].get('/a')).status).toBe(200)
  })

  it('K5: what was begun before a purge is not followed after it', async () => {
    const { origin, replicas } = await stage()
    const [first, second] = replicas
    origin.put('/a', 'old bytes')
    const gate = origin.hold('/a', 0, {}, 1)
    const one = first.open('/a')
    await gate.reached
    const renewed = origin.put('/a', 'new bytes')
    await administer(second, 'POST', '/purge', { repository: 'raw', path: 'a' })
    const two = await second.get('/a')
    expect(two.body.toString()).toBe(renewed.toString())
    gate.letGo()
    await (await one).finished
    await Promise.all(replicas.map(({ settled }) => settled()))
    expect((await second.get('/a')).body.toString()).toBe(renewed.toString())
    expect((await first.get('/a')).body.toString()).toBe(renewed.toString())
  })

  it('what an operator does to one is done by the other, too: purge, pin, block; and breakers', async () => {
    const { origin, replicas } = await stage({ breaker: { failures: 1 }, retry: { attempts: 1 } })
    const [first, second] = replicas
    origin.put('/a', 'bytes')
    for (const replica of replicas) await replica.warm('/a')
    const pins = async (replica: InProcess) => JSON.stringify(await administer(replica, 'GET', '/pins'))
    await administer(first, 'POST', '/pins', { repository: 'raw', prefix: 'a' })
    await until(async () => (await pins(second)) === (await pins(first)), 'the pin is heard of')
    await administer(first, 'POST', '/purge', { repository: 'raw', all: true })
    await until(async () => (await second.metric('larder_store_records')) === 0, 'the purge is heard of')
    const state = async (replica: InProcess) => JSON.stringify(await administer(replica, 'GET', '/repositories'))
    await administer(first, 'POST', '/repositories/raw/block')
    await until(async () => (await state(second)).includes('"blocked":true'), 'the block is heard of')
    await administer(first, 'POST', '/repositories/raw/unblock')
    await until(async () => (await state(second)).includes('"blocked":false'), 'and that it is lifted')
    origin.plan('/b', { status: 500 })
    await first.get('/b')
    await until(async () => (await state(second)).includes('"breaker":"open"'), 'the breaker is heard of')
    expect((await second.get('/c')).header('x-larder-error')).toBe('UPSTREAM_BREAKER_OPEN')
    await administer(first, 'POST', '/repositories/raw/breaker/reset')
    await until(async () => (await second.get('/a')).status === 200, 'and that it closed')
  })

  it('statistics are those of both, whichever is asked; of one alone where Redis is gone', async () => {
    const { origin, redis, replicas } = await stage()
    const [first, second] = replicas
    origin.put('/a', noise(1000))
    for (const replica of replicas) await replica.warm('/a')
    await second.get('/a')
    const both = { replicas: 2, repositories: [{ repository: 'raw', requests: 3, bytesSent: 3000 }] }
    for (const replica of replicas) {
      // Whoever is slow to answer is not waited for.
      await vi.waitFor(async () => expect(await administer(replica, 'GET', '/stats')).toMatchObject(both), 10_000)
    }
    await redis.stop()
    expect(await administer(first, 'GET', '/stats')).toMatchObject({
      ...{ replicas: 1, repositories: [{ requests: 1, bytesSent: 1000 }] },
    })
  })

  it.each([
    ['does not answer', async () => (await silent()).port],
    ['refuses connections', freePort],
  ])('a holder that %s costs no more than a moment: each fetches for itself', async (_, port) => {
    const { origin, redis, replicas } = await stage()
    const body = origin.put('/a', noise(100_000))
    const holder = JSON.stringify({ id: 'other', url: `http://127.0.0.1:${await port()}` })
    const id = createHash('sha256').update(`${origin.url}\nraw/a\n0`).digest('hex')
    const other = connect(redis.url).cache
    await until(async () => (await other.lease(`fill:${id}`, holder, 60_000))?.mine === true, 'the lease is taken')
    expect((await replicas[0].get('/a')).body.equals(body)).toBe(true)
    expect([origin.count('/a'), await followed(replicas[0], 'alone')]).toEqual([1, 1])
  })

  it('a peer with another secret is told nothing', async () => {
    const { origin, replicas } = await stage({}, { secrets: [secret, 'another-secret-than-that'] })
    const [first, second] = replicas
    const body = origin.put('/a', noise(1_000_000))
    const gate = origin.hold('/a', 500_000, {}, 1)
    const one = await first.open('/a')
    await one.firstByte
    expect((await second.get('/a')).body.equals(body)).toBe(true)
    gate.letGo()
    await one.finished
    expect([origin.count('/a'), await followed(second, 'alone')]).toEqual([2, 1])
  })

  it('peers have a port of their own, where nobody else is told anything, and clients have no such route', async () => {
    const { origin, replicas, peerUrls } = await stage()
    origin.put('/a', 'bytes')
    const fill = `/internal/v1/fills/${createHash('sha256').update(`${origin.url}\nraw/a\n0`).digest('hex')}`
    for (const path of ['/repository/raw/a', '/metrics', '/api/v1/', fill, '/']) {
      const { status, header, body } = await get(`${peerUrls[0]}${path}`)
      expect([path, status, header('www-authenticate'), body.length]).toEqual([path, 401, 'Larder-Peer', 0])
    }
    expect((await get(`${replicas[0].url}${fill}`)).status).toBe(404)
  })

  it('a client does not wait at the pace of a warm-up that another one has under way', async () => {
    const { origin, replicas } = await stage()
    const [first, second] = replicas
    const body = origin.put('/a', noise(1_000_000))
    await administer(first, 'POST', '/warm', { items: ['raw/a'], rate: 1024 })
    await until(async () => origin.count('/a') === 1, 'it is asked for')
    // At the warm-up's pace it would take a quarter of an hour.
    expect((await second.get('/a')).body.equals(body)).toBe(true)
    expect([origin.count('/a'), await followed(second, 'growing')]).toEqual([1, 1])
  })

  it('nor where its own replica follows that at a pace, too', async () => {
    const { origin, replicas } = await stage()
    const [first, second] = replicas
    const body = origin.put('/a', noise(1_000_000))
    const warmUp = { items: ['raw/a'], rate: 1024 }
    await administer(first, 'POST', '/warm', warmUp)
    await until(async () => origin.count('/a') === 1, 'it is asked for')
    await administer(second, 'POST', '/warm', warmUp)
    await until(async () => (await followed(second, 'growing')) === 1, 'it is followed')
    expect((await second.get('/a')).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(1)
  })

  it('without Redis each fetches for itself', async () => {
    const { origin, redis, replicas } = await stage()
    await redis.stop()
    const body = origin.put('/a', noise(100_000))
    for (const replica of replicas) expect((await replica.get('/a')).body.equals(body)).toBe(true)
    expect(origin.count('/a')).toBe(2)
  })
})

/** A server that takes connections and says nothing. */
async function silent(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((socket) => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as { port: number }).port, server }
}
