import { describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import type { InProcess } from '../support/in-process.js'
import type { Fault } from '../support/s3-gateway.js'
import { missing, title } from '../support/servers.js'
import { noise, until } from '../support/stage.js'
import { expectStored, expectWhole, type FaultStage, faultStages, programs, sharing } from './fault-stage.js'

/** More than is shared through Redis, so that the bucket alone has it. */
const size = 600_000

const troubles: readonly (readonly [string, Fault])[] = [
  ['answers 503', { kind: 'status', status: 503 }],
  ['is silent', { kind: 'silent' }],
  ['breaks off', { kind: 'lost' }],
]

type Two = [InProcess, InProcess]

const isDegraded = async ({ url }: InProcess) => (await get(`${url}/readyz`)).body.toString().includes('s3')

describe.skipIf(missing(...programs).length > 0)(title('P3: the bucket in trouble', ...programs), () => {
  const stages = faultStages()

  /** Asks each for it until all have it from what is stored; how often the remote was asked for that. */
  async function storedAgain(
    { origin, front }: FaultStage,
    replicas: readonly InProcess[],
    path: string,
    body: Buffer,
  ) {
    front.fault(undefined)
    for (const replica of replicas) await sharing(replica)
    const before = origin.count(path)
    for (const replica of replicas) {
      await expectWhole(await replica.open(path), body)
      await replica.settled()
    }
    const asked = origin.count(path) - before
    await expectStored(origin, replicas, path, body)
    return asked
  }

  it('P1, K2: one that is slow to store a validation: the other waits for that, and does not ask the remote', async () => {
    const { origin, front, replicas } = await stages.set()
    const settings = { freshness: [{ match: '**', maxAge: '0s' }] }
    const [first, second] = (await replicas(2, { settings })) as Two
    const body = origin.put('/a', noise(size))
    await first.warm('/a')
    front.fault(({ method }) => (method === 'PUT' ? { kind: 'late', by: 700 } : undefined))
    const gate = origin.hold('/a', -1, {}, 1)
    const one = first.get('/a')
    await gate.reached
    const two = second.get('/a')
    await until(async () => (await second.metric('larder_fills_in_flight')) === 1, 'the second one asks')
    gate.letGo()
    expect([(await one).body.equals(body), (await two).body.equals(body)]).toEqual([true, true])
    expect(origin.count('/a')).toBe(2)
  })

  it.each(troubles)(
    'one that %s at the start: each replica serves from the remote; once it is back, one fetch for all',
    async (_, fault) => {
      const stage = await stages.set()
      const { origin, front, replica } = stage
      front.fault(() => fault)
      const two = [await replica(), await replica()]
      const body = origin.put('/a', noise(size))
      for (const each of two) {
        expect(await isDegraded(each)).toBe(true)
        await expectWhole(await each.open('/a'), body)
      }
      expect(origin.count('/a')).toBe(2)
      expect(await storedAgain(stage, two, '/a', body)).toBe(1)
    },
  )

  it.each(troubles)(
    'one that %s in the middle of a fill: all who follow get it whole, by one fetch; it is stored by the next',
    async (_, fault) => {
      const stage = await stages.set()
      const { origin, front, replicas } = stage
      const two = (await replicas(2)) as Two
      const body = origin.put('/a', noise(size))
      const gate = origin.hold('/a', size / 2, {}, 1)
      const clients = []
      for (const each of [...two, ...two]) {
        const client = await each.open('/a')
        await client.firstByte
        clients.push(client)
      }
      front.fault(() => fault)
      gate.letGo()
      for (const client of clients) await expectWhole(client, body)
      await Promise.all(two.map(({ settled }) => settled()))
      expect(origin.count('/a')).toBe(1)
      expect(await storedAgain(stage, two, '/a', body)).toBeLessThanOrEqual(1)
    },
  )

  it.each([
    ['the blob', ({ method, path }: Sent) => method !== 'GET' && path.includes('/blobs/')],
    ['the record', ({ method, path }: Sent) => method === 'PUT' && path.includes('/records/')],
  ])('one that refuses %s at publishing: nobody hears of it, and one fetch stores it later', async (_, isMeant) => {
    const stage = await stages.set()
    const { origin, front, replicas } = stage
    const two = (await replicas(2)) as Two
    const body = origin.put('/a', noise(size))
    front.fault((seen) => (isMeant(seen) ? { kind: 'status', status: 503 } : undefined))
    await expectWhole(await two[0].open('/a'), body)
    await two[0].settled()
    expect(origin.count('/a')).toBe(1)
    expect(await storedAgain(stage, two, '/a', body)).toBe(1)
  })

  it.each<[string, Fault, boolean]>([
    ['is cut off again and again', { kind: 'cut', after: 100_000 }, false],
    ['is refused from the first byte on', { kind: 'status', status: 503 }, false],
    ['is refused from the middle on', { kind: 'status', status: 503 }, true],
  ])('a body read from the bucket that %s: the rest comes from the remote, one request a client', async (...given) => {
    const [, fault, isLate] = given
    const stage = await stages.set()
    const { origin, front, replicas } = stage
    const two = (await replicas(2)) as Two
    const body = origin.put('/a', noise(4_000_000))
    await two[0].warm('/a')
    front.fault(({ method, path, range }) => {
      const isMeant = method === 'GET' && path.includes('/blobs/') && !(isLate && range?.startsWith('bytes=0-'))
      return isMeant ? fault : undefined
    })
    const clients = [await two[1].open('/a'), await two[1].open('/a', { range: 'bytes=3000000-' })]
    // Past the store, a range is answered whole.
    for (const client of clients) await expectWhole(client, client.status === 206 ? body.subarray(3_000_000) : body)
    expect(origin.count('/a')).toBeLessThanOrEqual(1 + clients.length)
    expect(await storedAgain(stage, two, '/a', body)).toBe(0)
  })

  it('a body whose rest nobody has is cut, never ended short', async () => {
    const stage = await stages.set()
    const { origin, front, replicas } = stage
    const two = (await replicas(2)) as Two
    const body = origin.put('/a', noise(4_000_000))
    await two[0].warm('/a')
    origin.put('/a', noise(4_000_000))
    front.fault(({ method, range }) =>
      method === 'GET' && range !== undefined && !range.startsWith('bytes=0-')
        ? { kind: 'status', status: 503 }
        : undefined,
    )
    const client = await two[1].open('/a')
    const { body: received, ended } = await client.finished
    expect([ended, received.equals(body.subarray(0, received.length))]).toEqual(['broken', true])
    expect(await storedAgain(stage, two, '/a', body)).toBe(0)
  })

  it('one that is slow: clients of a fill wait for none of it, and it is stored by the one fetch', async () => {
    const { origin, front, replicas } = await stages.set()
    const two = (await replicas(2)) as Two
    const body = origin.put('/a', noise(size))
    front.fault(() => ({ kind: 'late', by: 300 }))
    const clients = await Promise.all([...two, ...two].map((each) => each.open('/a')))
    for (const client of clients) await expectWhole(client, body)
    expect(origin.count('/a')).toBe(1)
    await expectStored(origin, two, '/a', body)
  })

  it('what a replica’s own disk has is served while the bucket is away, by it and without a fetch', async () => {
    const { origin, front, replicas } = await stages.set()
    const two = (await replicas(2)) as Two
    const bodies = [noise(200), noise(50_000), noise(size)].map((bytes, i) => origin.put(`/${i}`, bytes))
    for (const i of bodies.keys()) for (const each of two) await each.warm(`/${i}`)
    expect(origin.requests.length).toBe(bodies.length)
    front.fault(() => ({ kind: 'silent' }))
    for (const [i, body] of bodies.entries()) await expectStored(origin, two, `/${i}`, body)
    await origin.stop()
    for (const [i, body] of bodies.entries()) await expectStored(origin, two, `/${i}`, body)
  })

  it.each([
    ['the blob', 'blobs/', 1],
    ['the record', 'records/', 1],
    ['both', '', 1],
  ])('an object lost (%s): at most one fetch for all, after which it is stored again', async (_, kind, most) => {
    const { origin, bucket, prefix, replicas } = await stages.set()
    const two = (await replicas(2)) as Two
    const body = origin.put('/a', noise(size))
    await two[0].warm('/a')
    for (const name of await bucket.names(`${prefix}v1/${kind}`)) {
      if (/\/(?:blobs|records)\//.test(name)) await bucket.remove(name)
    }
    for (const each of [two[1], two[0], two[1]]) {
      await expectWhole(await each.open('/a'), body)
      await each.settled()
    }
    expect(origin.count('/a')).toBeLessThanOrEqual(1 + most)
    const [third] = (await replicas(1)) as [InProcess]
    await expectStored(origin, [...two, third], '/a', body)
  })

  it('a blob that is damaged: its record does not come back from Redis; one fetch, and all have it anew', async () => {
    const { origin, bucket, prefix, replicas } = await stages.set()
    const [one, two] = (await replicas(2)) as Two
    const body = origin.put('/a', noise(size))
    await one.warm('/a')
    const [name = ''] = await bucket.names(`${prefix}v1/blobs/`)
    await bucket.put(name, noise(size))
    expect((await (await two.open('/a')).finished).ended).toBe('broken')
    await expectWhole(await two.open('/a'), body)
    await two.settled()
    expect(origin.count('/a')).toBe(2)
    await expectStored(origin, [one, two], '/a', body)
  })
})

interface Sent {
  readonly method: string
  readonly path: string
}
