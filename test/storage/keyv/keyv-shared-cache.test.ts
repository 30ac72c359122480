import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@keyv/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { storageKey } from '../../../src/caching/cache-key.js'
import { encodeRecord } from '../../../src/caching/record-encoding.js'
import { messageLimit, type SharedCache } from '../../../src/storage/shared-cache.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { missing, title } from '../../support/servers.js'
import { blobBody, digestOf, inlineBody, isEmpty, noise, record, response, settled } from '../fixtures.js'
import { connect, connected, deadline, hang, hearing, ready, timed, told } from './connected.js'

const nothing = new Map<never, never>()
const known = record('raw/known', [response(inlineBody(Buffer.from('known')))])

/** Asks until it is answered; an absence while Redis is away costs no more than the deadline. */
const learned = (cache: SharedCache, key: string) =>
  settled(
    () => cache.record(key),
    (found) => found !== undefined,
  )

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

  it('D5: what is in Redis is laid out as documented, and expires', async () => {
    const { cache } = await connected(redis.url, { wait: 1000 })
    const bytes = noise(20_000)
    const written = record('raw/a', [response(blobBody(bytes))])
    cache.share(written, new Map([[digestOf(bytes), bytes]]))
    await learned(cache, 'raw/a')
    const client = await raw()
    await cache.lease('fill raw/{a}', 'replica 1 http://10.0.0.1:8080', 30_000)
    await cache.note('negative raw/a', '404', 60_000)
    const expected = [
      [`larder:v1:body:${digestOf(bytes)}`, 23 * 3600 * 1000],
      ['larder:v1:lease:fill raw/{a}', 29_000],
      ['larder:v1:note:negative raw/a', 59_000],
      [`larder:v1:record:${storageKey('raw/a')}`, 23 * 3600 * 1000],
    ] as const
    expect((await client.keys('*')).sort()).toEqual(expected.map(([key]) => key))
    for (const [key, least] of expected) expect(await client.pTTL(key)).toBeGreaterThan(least)
    expect(await client.get('larder:v1:lease:fill raw/{a}')).toBe('replica 1 http://10.0.0.1:8080')
    expect(await client.get('larder:v1:note:negative raw/a')).toBe('404')
    const { value } = JSON.parse((await client.get(`larder:v1:record:${storageKey('raw/a')}`)) ?? '')
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
      const { cache, lines } = await connected(redis.url, { wait: 1000 })
      const client = await raw()
      await client.set(key, text)
      for (let attempt = 0; attempt < 5; attempt += 1) expect(await cache.record('raw/a')).toBeUndefined()
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(cache.healthy).toBe(true)
      expect(told(lines)).toEqual([])
    })

    it('a key of another type', async () => {
      const { cache, lines } = await connected(redis.url, { wait: 1000 })
      const client = await raw()
      await client.lPush(key, 'x')
      await client.lPush(`larder:v1:body:${digestOf(noise(0))}`, 'x')
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect(await cache.record('raw/a')).toBeUndefined()
        expect(await cache.body(digestOf(noise(0)))).toBeUndefined()
      }
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(told(lines)).toEqual([])
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
      expect(asked.ms).toBeLessThan(hang)
      expect(cache.healthy).toBe(false)
      await redis.start()
      await settled(() => cache.healthy, Boolean)
      cache.share(known, nothing)
      expect(await learned(cache, known.key)).toEqual(known)
      expect(told(lines)).toEqual(['redis does not answer; going on without it', 'redis answers again'])
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
      expect(Math.max(...costs)).toBeLessThan(hang)
      // Three calls find out; at most the probes of the time it takes do again.
      expect(costs.filter((ms) => ms > deadline / 2).length).toBeLessThanOrEqual(5)
      expect(cache.healthy).toBe(false)
      const herd = await timed(() => Promise.all(Array.from({ length: 200 }, () => cache.body(digestOf(noise(1))))))
      expect(herd.ms).toBeLessThan(hang)
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
      expect(sharing.ms).toBeLessThan(hang)
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

  describe('the channel', () => {
    const gap = { kind: 'gap' }

    it.each([
      ['killed', () => redis.stop(), () => redis.start()],
      ['stopped', () => redis.pause(), () => redis.resume()],
    ])(
      'Redis %s: tells nothing, at the cost of the deadline, and of a gap when it is back',
      async (_, strike, mend) => {
        const [one, two] = [await connected(redis.url), await connected(redis.url)]
        const events = await hearing(two.cache)
        await one.cache.tell('before')
        await settled(
          () => events,
          ({ length }) => length === 2,
        )
        onTestFinished(async () => void (await mended()))
        let mending: Promise<void> | undefined
        const mended = () => (mending ??= Promise.resolve(mend()))
        await strike()
        const telling = await timed(() => one.cache.tell('meanwhile'))
        expect(telling.ms).toBeLessThan(hang)
        const message = 'redis does not bring the messages of the other replicas'
        await settled(
          () => told(two.lines),
          (lines) => lines.includes(message),
        )
        await mended()
        await settled(
          () => events,
          ({ length }) => length === 3,
        )
        await ready(one.cache)
        await one.cache.tell('after')
        await settled(
          () => events,
          ({ length }) => length === 4,
        )
        expect(events).toEqual([gap, { kind: 'message', text: 'before' }, gap, { kind: 'message', text: 'after' }])
        expect(told(two.lines)).toContain('redis brings the messages of the other replicas again')
      },
    )

    it('garbage on it is not heard', async () => {
      const { cache, lines } = await connected(redis.url)
      const events = await hearing(cache)
      const client = await raw()
      const sender = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
      for (const text of ['', 'text', sender, `${sender}-text`, `${sender} ${'x'.repeat(messageLimit + 1)}`]) {
        await client.publish('larder:v1:told', text)
      }
      await client.publish('larder:v1:told', `${sender} text`)
      await settled(
        () => events,
        ({ length }) => length > 1,
      )
      expect(events).toEqual([gap, { kind: 'message', text: 'text' }])
      expect(told(lines)).toEqual([])
    })

    it('what a listener throws, and a message that is too long, are logged', async () => {
      const [one, two] = [await connected(redis.url), await connected(redis.url)]
      two.cache.onTold(({ kind }) => {
        if (kind === 'message') throw new Error('of the listener')
      })
      await hearing(two.cache)
      await one.cache.tell('x'.repeat(messageLimit + 1))
      await one.cache.tell('message')
      expect(told(one.lines)).toEqual(['too long a message to the other replicas'])
      const lines = await settled(
        () => told(two.lines),
        ({ length }) => length > 0,
      )
      expect(lines).toEqual(['cannot take what another replica told'])
    })

    it('has a connection only where somebody listens', async () => {
      const client = await raw()
      const { cache } = await connected(redis.url)
      expect(await client.clientList()).toHaveLength(2)
      await hearing(cache)
      await hearing(cache)
      expect(await client.clientList()).toHaveLength(3)
    })
  })

  describe('close', () => {
    it('before the connection stands leaves none', async () => {
      const client = await raw()
      const { cache, lines } = connect(redis.url)
      await cache.close()
      await sleep(100)
      expect(await client.clientList()).toHaveLength(1)
      expect(told(lines)).toEqual([])
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
      const { cache } = await connected(redis.url, { wait: 2000 })
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
    expect(ms).toBeLessThan(hang)
    await cache.close()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    expect(await settled(() => [...sockets].filter(({ destroyed }) => !destroyed), isEmpty)).toEqual([])
  })
})
