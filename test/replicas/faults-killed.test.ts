import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { open } from '../support/http.js'
import type { InProcess } from '../support/in-process.js'
import { missing, title } from '../support/servers.js'
import { noise, until } from '../support/stage.js'
import { expectStored, expectWhole, type FaultStage, faultStages, pathAt, programs } from './fault-stage.js'

const size = 2_000_000

describe.skipIf(missing(...programs).length > 0)(title('P4: a replica killed', ...programs), () => {
  const stages = faultStages()

  /** A process that has half of `/a`, and two replicas that can follow it. */
  async function heldHalfWay(stage: FaultStage) {
    const [second, third] = (await stage.replicas(2)) as [InProcess, InProcess]
    const holder = await stage.process()
    const body = stage.origin.put('/a', noise(size))
    const gate = stage.origin.hold('/a', size / 2, {}, 1)
    const early = await open(pathAt(holder, '/a'))
    await early.firstByte
    await until(() => early.received() === size / 2, 'half of it is here')
    return { ...{ second, third, holder, body, gate, early } }
  }

  const ranges = ({ origin }: FaultStage) => origin.requestsFor('/a').map(({ headers }) => headers.range)

  it('who follows goes on by one ranged request each; who comes then waits for nobody', async () => {
    const stage = await stages.set()
    const { origin, redis } = stage
    const { second, third, holder, body, gate, early } = await heldHalfWay(stage)
    const following = await Promise.all([second, second, third].map((each) => each.open('/a')))
    await Promise.all(following.map((client) => until(() => client.received() === size / 2, 'each has that half')))
    await holder.kill()
    expect((await early.finished).ended).toBe('broken')
    gate.letGo()
    for (const client of following) await expectWhole(client, body)
    // Its clients' whole request, and the rest for each replica.
    const asked = ranges(stage)
    expect(asked.filter((range) => range === undefined)).toHaveLength(1)
    expect(asked.length).toBeLessThanOrEqual(3)
    for (const range of asked.filter((range) => range !== undefined)) expect(range).toBe(`bytes=${size / 2}-`)
    await expectStored(origin, [second, third], '/a', body)
    const [lease = ''] = await leases(stage)
    const left = Number((await redis.command(`PTTL ${lease}`)).slice(1))
    expect(left, 'a lease outlives its holder by 10 s at most').toBeLessThanOrEqual(10_000)
  })

  it('with nobody following: one fetch for each replica while its lease lasts, at once; one for all after it', async () => {
    const stage = await stages.set()
    const { origin } = stage
    const { second, third, holder, body } = await heldHalfWay(stage)
    const other = origin.put('/b', noise(size))
    origin.hold('/b', size / 2, {}, 1)
    await (await open(pathAt(holder, '/b'))).firstByte
    await holder.kill()
    const gate = origin.hold('/a', size / 2)
    const clients = await Promise.all([second, third, third].map((each) => each.open('/a')))
    // Byte 0 is here although the lease is another's and its holder is gone.
    for (const { firstByte } of clients) await firstByte
    expect(await leases(stage)).toHaveLength(2)
    gate.letGo()
    for (const client of clients) await expectWhole(client, body)
    expect(origin.count('/a')).toBeLessThanOrEqual(3)
    await expectStored(origin, [second, third], '/a', body)
    for (let tries = 0; tries < 24 && (await leases(stage)).length > 0; tries += 1) await sleep(500)
    expect(await leases(stage)).toEqual([])
    const again = origin.hold('/b', size / 2)
    const one = await second.open('/b')
    await one.firstByte
    const two = await third.open('/b')
    await two.firstByte
    again.letGo()
    for (const client of [one, two]) await expectWhole(client, other)
    expect(origin.count('/b')).toBe(2)
  })

  it('after the blob was put, before its record: one fetch more, and the blob is there once', async () => {
    const stage = await stages.set()
    const { origin, front, bucket, prefix } = stage
    const [second, third] = (await stage.replicas(2)) as [InProcess, InProcess]
    const holder = await stage.process()
    const body = origin.put('/a', noise(size))
    let reached = () => {}
    const atRecord = new Promise<void>((resolve) => {
      reached = resolve
    })
    front.fault(({ method, path }) => {
      if (method !== 'PUT' || !path.includes('/records/')) return undefined
      reached()
      return { kind: 'silent' }
    })
    await expectWhole(await open(pathAt(holder, '/a')), body)
    await atRecord
    await holder.kill()
    front.fault(undefined)
    expect([await bucket.names(`${prefix}v1/records/`), origin.count('/a')]).toEqual([[], 1])
    await expectWhole(await second.open('/a'), body)
    await second.settled()
    expect(origin.count('/a')).toBe(2)
    await expectStored(origin, [second, third], '/a', body)
    expect(await bucket.names(`${prefix}v1/blobs/`)).toHaveLength(1)
  })

  const leases = async ({ redis }: FaultStage) =>
    (await redis.answer('KEYS larder:v1:lease:*')).split('\r\n').filter((line) => line.startsWith('larder:'))
})
