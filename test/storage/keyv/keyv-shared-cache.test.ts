import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@keyv/redis'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { storageKey } from '../../../src/caching/cache-key.js'
import { encodeRecord } from '../../../src/caching/record-encoding.js'
import { connectKeyvSharedCache } from '../../../src/storage/keyv/keyv-shared-cache.js'
import type { SharedCache } from '../../../src/storage/shared-cache.js'
import { sharedCacheContract } from '../../contract/shared-cache.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { missing, title } from '../../support/servers.js'
import { blobBody, digestOf, inlineBody, isEmpty, noise, record, response, settled } from '../fixtures.js'

const deadline = 100
const nothing = new Map<never, never>()
const known = record('raw/known', [response(inlineBody(Buffer.from('known')))])

const quiet = pino({ level: 'silent' })

/** A cache that keeps what it logs. */
function connect(url: string, wait = deadline): { cache: SharedCache; lines: string[] } {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) })
  const cache = connectKeyvSharedCache({ url, deadline: wait, log })
  onTestFinished(() => cache.close())
  return { cache, lines }
}

const ready = (cache: SharedCache) => settled(() => cache.healthy, Boolean)

async function connected(url: string, wait = deadline) {
  const made = connect(url, wait)
  expect(await ready(made.cache)).toBe(true)
  return made
}

/** Asks until it is answered; an absence while Redis is away costs no more than the deadline. */
const learned = (cache: SharedCache, key: string) =>
  settled(
    () => cache.record(key),
    (found) => found !== undefined,
  )

async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const start = performance.now()
  const answer = await work()
  return { answer, ms: performance.now() - start }
}

describe.skipIf(missing('redis-server').length > 0)(title('keyv shared cache on Redis', 'redis-server'), () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis.dispose())

  beforeEach(() => redis.flush())

  /** A client of the test's own. */
  const raw = async () => {
    const client = createClient({ url: redis.url })
    await client.connect()
    onTestFinished(() => client.destroy())
    return client
  }

  describe('as any shared cache', () => {
    sharedCacheContract(async () => {
      await redis.flush()
      const client = createClient({ url: redis.url })
      await client.connect()
      return {
        async connect() {
          const cache = connectKeyvSharedCache({ url: redis.url, deadline: 1000, log: quiet })
          await ready(cache)
          return cache
        },
        flush: () => redis.flush(),
        async leftovers() {
          const others = (await client.clientList()).filter(
            ({ user, cmd }) => user === 'default' && cmd !== 'client|list',
          )
          return others.map(({ id, cmd }) => `connection ${id} (${cmd})`)
        },
        dispose: async () => client.destroy(),
      }
    })
  })

  it('D5: what is in Redis is laid out as documented, and expires', async () => {
    const { cache } = await connected(redis.url, 1000)
    const bytes = noise(20_000)
    const written = record('raw/a', [response(blobBody(bytes))])
    cache.share(written, new Map([[digestOf(bytes), bytes]]))
    await learned(cache, 'raw/a')
    const client = await raw()
    const keys = [`larder:v1:body:${digestOf(bytes)}`, `larder:v1:record:${storageKey('raw/a')}`]
    expect((await client.keys('*')).sort()).toEqual(keys)
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(23 * 3600 * 1000)
    const { value } = JSON.parse((await client.get(keys[1] ?? '')) ?? '')
    expect(Buffer.from(value, 'base64')).toEqual(Buffer.from(encodeRecord(written)))
  })

  describe('D1: garbage in Redis is an absence', () => {
    const key = `larder:v1:record:${storageKey('raw/a')}`
    const other = Buffer.from(encodeRecord(record('raw/b', []))).toString('base64')
    const future = Buffer.from([2, 0, 0, 0, 2, 0x7b, 0x7d]).toString('base64')

    it.each([
      ['no JSON', 'garbage'],
      ['nothing', ''],
      ['null', 'null'],
      ['a number', '5'],
      ['a list', '[1]'],
      ['a value that is no text', '{"value":5}'],
      ['a value that is an object', '{"value":{"length":3}}'],
      ['text that is no record', '{"value":"AAAA"}'],
      ['a record of another key', `{"value":"${other}"}`],
      ['a record of a later format', `{"value":"${future}"}`],
    ])('%s', async (_, text) => {
      const { cache, lines } = await connected(redis.url, 1000)
      const client = await raw()
      await client.set(key, text)
      for (let attempt = 0; attempt < 5; attempt += 1) expect(await cache.record('raw/a')).toBeUndefined()
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(cache.healthy).toBe(true)
      expect(lines).toEqual([])
    })

    it('a key of another type', async () => {
      const { cache, lines } = await connected(redis.url, 1000)
      const client = await raw()
      await client.lPush(key, 'x')
      await client.lPush(`larder:v1:body:${digestOf(noise(0))}`, 'x')
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect(await cache.record('raw/a')).toBeUndefined()
        expect(await cache.body(digestOf(noise(0)))).toBeUndefined()
      }
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(lines).toEqual([])
    })
  })

  describe('D1: a Redis in trouble', () => {
    it('killed: absences at once, and all is well again when it is back', async () => {
      const { cache, lines } = await connected(redis.url)
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      await redis.stop()
      await settled(
        () => cache.healthy,
        (healthy) => !healthy,
      )
      const asked = await timed(() => Promise.all(Array.from({ length: 50 }, () => cache.record(known.key))))
      expect(asked.answer.every((found) => found === undefined)).toBe(true)
      expect(asked.ms).toBeLessThan(deadline * 3)
      expect(cache.healthy).toBe(false)
      await redis.start()
      await settled(() => cache.healthy, Boolean)
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
        'redis does not answer; going on without it',
        'redis answers again',
      ])
    })

    it('stopped: each call ends about its deadline, then at once; it recovers', async () => {
      const { cache } = await connected(redis.url)
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      redis.pause()
      onTestFinished(() => redis.resume())
      const costs: number[] = []
      for (let call = 0; call < 20; call += 1) {
        const { answer, ms } = await timed(() => cache.record(known.key))
        expect(answer).toBeUndefined()
        costs.push(ms)
      }
      expect(Math.max(...costs)).toBeLessThan(deadline * 4)
      // Three calls find out; at most the probes of the time it takes do again.
      expect(costs.filter((ms) => ms > deadline / 2).length).toBeLessThanOrEqual(5)
      expect(cache.healthy).toBe(false)
      const herd = await timed(() => Promise.all(Array.from({ length: 200 }, () => cache.body(digestOf(noise(1))))))
      expect(herd.ms).toBeLessThan(deadline * 4)
      redis.resume()
      expect(await learned(cache, known.key)).toEqual(known)
      expect(await settled(() => cache.healthy, Boolean)).toBe(true)
    })

    it('stopped while much is shared: returns at once, and keeps no more than it may', async () => {
      const { cache } = await connected(redis.url)
      redis.pause()
      onTestFinished(() => redis.resume())
      const bodies = Array.from({ length: 500 }, () => noise(20_000))
      const sharing = await timed(async () => {
        for (const [i, bytes] of bodies.entries()) {
          cache.share(record(`raw/${i}`, [response(blobBody(bytes))]), new Map([[digestOf(bytes), bytes]]))
        }
      })
      expect(sharing.ms).toBeLessThan(deadline * 5)
      await sleep(deadline * 2)
      redis.resume()
      // 64 under way, and the records behind the first two bodies: the third missed deadline opens the circuit.
      expect(await (await raw()).dbSize()).toBeLessThanOrEqual(66)
    })

    it('not there at the start: absences, and joined when it comes', async () => {
      await redis.stop()
      const { cache } = connect(redis.url)
      expect(await cache.record(known.key)).toBeUndefined()
      expect(cache.healthy).toBe(false)
      await redis.start()
      await settled(() => cache.healthy, Boolean)
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
    })
  })

  describe('close', () => {
    it('before the connection stands leaves none', async () => {
      const client = await raw()
      const { cache, lines } = connect(redis.url)
      await cache.close()
      await sleep(100)
      expect(await client.clientList()).toHaveLength(1)
      expect(lines).toEqual([])
    })

    it('where nothing ever answered', async () => {
      await redis.stop()
      onTestFinished(() => redis.start())
      const { cache } = connect(redis.url)
      await sleep(50)
      await cache.close()
      expect(await cache.record('raw/a')).toBeUndefined()
    })

    it('with calls under way: they are absences', async () => {
      const { cache } = await connected(redis.url, 2000)
      redis.pause()
      onTestFinished(() => redis.resume())
      const calls = [cache.record('raw/a'), cache.body(digestOf(noise(1)))]
      cache.share(known, nothing)
      await sleep(20)
      const closing = await timed(async () => {
        await cache.close()
        return Promise.all(calls)
      })
      expect(closing.answer).toEqual([undefined, undefined])
      expect(closing.ms).toBeLessThan(1000)
    })
  })
})

describe('keyv shared cache on something that is not Redis', () => {
  it.each([
    ['says nothing', (_: Socket) => {}],
    ['talks nonsense', (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['hangs up', (socket: Socket) => void socket.destroy()],
  ])('a server that %s is an absence', async (_, behave) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      behave(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const { cache } = connect(`redis://127.0.0.1:${port}`)
    await sleep(150)
    const { answer, ms } = await timed(() => cache.record('raw/a'))
    expect(answer).toBeUndefined()
    expect(ms).toBeLessThan(deadline * 2)
    await cache.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    expect(await settled(() => [...sockets].filter(({ destroyed }) => !destroyed), isEmpty)).toEqual([])
  })
})
