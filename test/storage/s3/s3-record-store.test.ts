import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { storageKey } from '../../../src/caching/cache-key.js'
import { encodeRecord } from '../../../src/caching/record-encoding.js'
import { LarderError } from '../../../src/errors.js'
import { openLmdbRecordStore } from '../../../src/storage/disk/lmdb-record-store.js'
import type { RecordStore } from '../../../src/storage/record-store.js'
import type { S3RecordStore } from '../../../src/storage/s3/s3-record-store.js'
import { type RecordStoreDriver, recordStoreContract } from '../../contract/record-store.js'
import { radosgwPrograms } from '../../support/radosgw.js'
import { type Fault, type FaultyGateway, faultyGateway, type Gateway, openGateway } from '../../support/s3-gateway.js'
import { missing, title } from '../../support/servers.js'
import { blobBody, collect, inlineBody, noise, openUnder, record, response, settled } from '../fixtures.js'
import { behind, freshPrefix, replicaOf, replicasOf } from './s3-stage.js'

describe.skipIf(missing(...radosgwPrograms).length > 0)(title('S3 record store', ...radosgwPrograms), () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await openGateway()
  }, 300_000)
  afterAll(() => gateway?.dispose())

  recordStoreContract(async (): Promise<RecordStoreDriver> => {
    const replica = await replicaOf(gateway, { prefix: freshPrefix() })
    await replica.store.records.catchUp()
    return {
      store: replica.store.records,
      async reopen() {
        const { records } = await replica.reopen()
        await records.catchUp()
        return records
      },
      leftovers: async () => openUnder(replica.path),
      dispose: replica.dispose,
    }
  })

  const small = inlineBody(noise(10))
  const stored = (key: string, body = small, version = 1) => record(key, [response(body)], { version })
  const keysOf = async (store: RecordStore, prefix = '') => (await collect(store.list(prefix))).map(({ key }) => key)

  /** Two replicas of one store. */
  const two = async () => {
    const { prefix, replicas } = await replicasOf(gateway, 2)
    const [one, other] = replicas
    if (!one || !other) throw new Error('no replicas')
    return { prefix, one: one.store.records, other: other.store.records }
  }

  it('what one replica writes the other has at once, of every kind', async () => {
    const { one, other } = await two()
    const body = blobBody(noise(20_000))
    await one.put(stored('raw/a', body), 0)
    expect(await other.get('raw/a')).toEqual(stored('raw/a', body))
    expect([other.totals(), other.repositories()]).toEqual([{ records: 1, bytes: body.size }, ['raw']])
    await other.put(record('raw/a', [], { version: 5, epoch: 5 }), 1)
    expect(await one.get('raw/a')).toEqual(record('raw/a', [], { version: 5, epoch: 5 }))
    expect(one.totals()).toEqual({ records: 0, bytes: 0 })
  })

  it('D6: of writers on several replicas one wins, whatever each knew', async () => {
    const { replicas } = await replicasOf(gateway, 3)
    for (const [version, next] of [
      [0, 10],
      [10, 20],
    ] as const) {
      const writes = replicas.map(({ store }, i) =>
        store.records.put(stored('raw/a', inlineBody(noise(10 + i)), next), version),
      )
      expect((await Promise.all(writes)).filter(({ done }) => done)).toHaveLength(1)
      const seen = await Promise.all(replicas.map(({ store }) => store.records.get('raw/a')))
      expect(seen.map((found) => found?.version)).toEqual([next, next, next])
      expect(new Set(seen.map((found) => found?.variants[0]?.body.digest)).size).toBe(1)
    }
  })

  it('D6: a removal is not undone by a replica that did not hear of it', async () => {
    const { one, other } = await two()
    await one.put(stored('raw/a'), 0)
    await other.get('raw/a')
    await one.put(record('raw/a', [], { version: 2 }), 1)
    expect(await other.put(stored('raw/a', undefined, 3), 1)).toEqual({ done: false })
    expect(await other.get('raw/a')).toBeUndefined()
    expect(await other.put(stored('raw/a', undefined, 3), 0)).toMatchObject({ done: true })
    expect(await one.get('raw/a')).toMatchObject({ version: 3 })
  })

  it('lists what is in the bucket, of more than a page, and what others removed no more', async () => {
    const { one, other } = await two()
    const all = Array.from({ length: 1100 }, (_, i) => `raw/${10_000 + i}`)
    await Promise.all(all.map((key) => one.put(stored(key), 0)))
    expect(await keysOf(other)).toEqual(all)
    const removed = all.filter((_, i) => i % 10 === 0)
    await Promise.all(removed.map((key) => one.put(record(key, [], { version: 2 }), 1)))
    const left = all.filter((_, i) => i % 10 !== 0)
    expect(await keysOf(other, 'raw/')).toEqual(left)
    expect((await collect(other.list('raw/', left[950]))).map(({ key }) => key)).toEqual(left.slice(951))
    expect(other.totals().records).toBe(left.length)
  })

  it('an index that was lost is made anew from the bucket', async () => {
    const prefix = freshPrefix()
    const replica = await replicaOf(gateway, { prefix })
    onTestFinished(replica.dispose)
    const body = blobBody(noise(20_000))
    await replica.store.records.put(stored('raw/a', body), 0)
    await replica.store.records.put(record('raw/gone', [], { version: 4, epoch: 4 }), 0)
    await replica.store.records.saveOrder({ kind: 'pin', selection: { repository: 'raw', by: 'all', pattern: '' } })
    await replica.close()
    await rm(replica.path, { recursive: true })
    const { records } = await replica.reopen()
    await records.catchUp()
    expect([records.totals(), records.references(body.digest), records.references(blobBody(noise(9)).digest)]).toEqual([
      { records: 1, bytes: body.size },
      true,
      false,
    ])
    expect(records.orders()).toHaveLength(1)
    expect(await records.prune(5, 10)).toEqual(['raw/gone'])
    expect(await records.get('raw/gone')).toBeUndefined()
  })

  it('D6: an index that was lost alone is no reason to write over what is in the bucket', async () => {
    const replica = await replicaOf(gateway, { prefix: freshPrefix() })
    onTestFinished(replica.dispose)
    await replica.store.records.put(stored('raw/a', undefined, 4), 0)
    await replica.close()
    const [own = ''] = (await readdir(replica.path)).filter((name) => name !== 'staging')
    await rm(join(replica.path, own, 'index'), { recursive: true })
    const { records } = await replica.reopen()
    expect(await records.put(stored('raw/a', undefined, 9), 0)).toEqual({ done: false })
    expect(await records.get('raw/a')).toMatchObject({ version: 4 })
  })

  it('K6: what a replica only hears of counts as used when it heard', async () => {
    const { one, other } = await two()
    const before = Date.now()
    await one.put(stored('raw/a'), 0)
    await other.catchUp()
    expect(one.lastUse('raw/a')).toBe(2000)
    expect(other.lastUse('raw/a')).toBeGreaterThanOrEqual(before)
  })

  it('D7: everything is needed until the bucket was passed over once', async () => {
    const front = await faultyGateway(gateway.url)
    onTestFinished(front.close)
    let listings = 0
    front.fault(({ path }) => {
      if (!path.includes('list-type') || !path.includes('records')) return undefined
      listings += 1
      return listings > 1 ? undefined : { kind: 'status', status: 400 }
    })
    const { replicas } = await replicasOf({ ...gateway, url: front.url }, 1)
    const records = replicas[0]?.store.records as S3RecordStore
    const { digest } = blobBody(noise(100))
    expect(records.references(digest)).toBe(true)
    await settled(
      () => listings,
      (count) => count > 0,
    )
    expect(records.references(digest)).toBe(true)
    await records.catchUp()
    expect(records.references(digest)).toBe(false)
  })

  it('D6: a replica whose disk takes nothing reads what others wrote; it writes, or says that it can’t, at once', async () => {
    const prefix = freshPrefix()
    const fault = new LarderError('STORE_FAULT', 'no space')
    const openIndex = (directory: string): RecordStore => ({
      ...openLmdbRecordStore(directory),
      put: () => Promise.reject(fault),
    })
    const one = await replicaOf(gateway, { prefix, replica: 'one' })
    const full = await replicaOf(gateway, { prefix, replica: 'full', openIndex })
    onTestFinished(one.dispose)
    onTestFinished(full.dispose)
    await one.store.records.put(stored('raw/a'), 0)
    expect(await full.store.records.get('raw/a')).toEqual(stored('raw/a'))
    // Else whoever changes a record would try for ever.
    await expect(full.store.records.put(stored('raw/a', small, 2), 1)).rejects.toBe(fault)
    await expect(full.store.records.put(stored('raw/b'), 0)).resolves.toMatchObject({ done: true })
    expect(await one.store.records.get('raw/b')).toEqual(stored('raw/b'))
  })

  it('D5: an object that is no record counts as absent, is told of, and is written over', async () => {
    const { prefix, one, other } = await two()
    await one.put(stored('raw/a'), 0)
    const bucket = behind(gateway)
    const [name = ''] = await bucket.names(`${prefix}v1/records/`)
    await bucket.put(name, Buffer.from('garbage'))
    for (const store of [one, other]) {
      expect(await store.get('raw/a')).toBeUndefined()
      expect(await collect(store.undecodable())).toEqual([storageKey('raw/a')])
      // What it refers to is for its version to say.
      expect(store.references(blobBody(noise(9)).digest)).toBe(true)
    }
    expect(await other.put(stored('raw/a', undefined, 7), 0)).toMatchObject({ done: true, version: 7 })
    expect(await one.get('raw/a')).toMatchObject({ version: 7 })
    expect(await collect(one.undecodable())).toEqual([])
    expect(one.references(blobBody(noise(9)).digest)).toBe(false)
  })

  it('a bucket that was put back to an earlier state is believed', async () => {
    const { prefix, one } = await two()
    const old = encodeRecord(stored('raw/a', undefined, 3))
    await one.put(stored('raw/a', undefined, 9), 0)
    const bucket = behind(gateway)
    const [name = ''] = await bucket.names(`${prefix}v1/records/`)
    await bucket.put(name, old)
    expect(await one.get('raw/a')).toMatchObject({ version: 3 })
    expect(await one.put(stored('raw/a', undefined, 4), 3)).toMatchObject({ done: true, version: 4 })
    await bucket.remove(name)
    expect(await one.get('raw/a')).toBeUndefined()
    expect(one.totals()).toEqual({ records: 0, bytes: 0 })
  })

  it('stores under different prefixes of a bucket know nothing of each other', async () => {
    const [one, other] = [await two(), await two()]
    await one.one.put(stored('raw/a'), 0)
    await other.one.put(stored('raw/b'), 0)
    expect([await keysOf(one.other), await keysOf(other.other)]).toEqual([['raw/a'], ['raw/b']])
    expect(await other.one.get('raw/a')).toBeUndefined()
  })

  it('K5, K6: orders reach the other replicas, and are taken back there, too', async () => {
    const { one, other } = await two()
    const selection = { repository: 'raw', by: 'prefix', pattern: 'a' } as const
    const pin = { kind: 'pin', selection } as const
    const purge = { kind: 'purge', selection, epoch: 5, soft: false, done: false } as const
    const heard: unknown[] = []
    other.onOrder((order, stands) => heard.push([order, stands]))
    await one.saveOrder(pin)
    await other.look()
    await one.saveOrder(purge)
    await other.look()
    await one.dropOrder(pin)
    await other.look()
    await other.look()
    expect(heard).toEqual([
      [pin, true],
      [purge, true],
      [pin, false],
    ])
    expect(other.orders()).toEqual([purge])
    await other.saveOrder({ ...purge, epoch: 9 })
    await one.saveOrder({ ...purge, done: true })
    await one.look()
    expect(one.orders()).toEqual([{ ...purge, epoch: 9 }])
  })

  it('P5: what follows an eviction is later than all before it, whatever the clock of its replica says', async () => {
    const { one, other } = await two()
    await one.put(stored('raw/a', small, 1000), 0)
    await one.put(record('raw/a', [], { version: 2000 }), 1000)
    expect(await other.get('raw/a')).toBeUndefined()
    expect(await other.put(stored('raw/a', small, 500), 0)).toMatchObject({ done: true, version: 2001 })
    expect(await one.get('raw/a')).toEqual(stored('raw/a', small, 2001))
  })

  it('K5: who stores hears first what others purged', async () => {
    const { one, other } = await two()
    const selection = { repository: 'raw', by: 'all', pattern: '' } as const
    await one.saveOrder({ kind: 'purge', selection, epoch: 5, soft: false, done: false })
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 1001)
    onTestFinished(() => clock.mockRestore())
    expect(await other.put(stored('raw/a'), 0)).toEqual({ done: false })
    expect(other.orders()).toHaveLength(1)
    expect(await other.put(stored('raw/a'), 0)).toMatchObject({ done: true })
  })

  it('K6: what one replica uses the others do not take for unused', async () => {
    const { one, other } = await two()
    await one.put(stored('raw/a'), 0)
    await other.get('raw/a')
    const later = Date.now() + 60_000
    await one.use(new Map([['raw/a', later]]))
    await one.look()
    await other.look()
    expect(other.lastUse('raw/a')).toBe(later)
  })

  describe('a gateway in trouble', () => {
    let front: FaultyGateway
    let records: S3RecordStore
    beforeEach(async () => {
      front = await faultyGateway(gateway.url)
      onTestFinished(front.close)
      const { replicas } = await replicasOf({ ...gateway, url: front.url }, 1, {
        deadline: 300,
        soon: 300,
        retryAfter: 20,
      })
      records = replicas[0]?.store.records as S3RecordStore
      await records.catchUp()
    })

    const times = (count: number, fault: Fault, method: string) => {
      let left = count
      front.fault((seen) => {
        if (seen.method !== method || left === 0) return undefined
        left -= 1
        return fault
      })
    }

    it.each<[string, Fault]>([
      ['503 Slow Down', { kind: 'status', status: 503 }],
      ['silence', { kind: 'silent' }],
      ['an answer that is lost', { kind: 'lost' }],
    ])('D6: %s for a while costs a second try, and no write', async (_, fault) => {
      times(1, fault, 'PUT')
      expect(await records.put(stored('raw/a'), 0)).toMatchObject({ done: true })
      times(1, fault, 'GET')
      expect(await records.get('raw/a')).toEqual(stored('raw/a'))
    })

    it.each<[string, Fault]>([
      ['503', { kind: 'status', status: 503 }],
      ['403', { kind: 'status', status: 403 }],
      ['silence', { kind: 'silent' }],
    ])('%s for longer: what is known is told, what is not is a fault, and nobody waits again', async (_, fault) => {
      await records.put(stored('raw/a'), 0)
      front.fault(() => fault)
      expect(await records.get('raw/a')).toEqual(stored('raw/a'))
      const asked = front.seen.length
      await expect(records.put(stored('raw/a', undefined, 2), 1)).rejects.toMatchObject({ code: 'STORE_FAULT' })
      await expect(async () => records.get('raw/b')).rejects.toMatchObject({ code: 'STORE_FAULT' })
      expect(front.seen.slice(asked).filter(({ path }) => !path.includes('/trial/'))).toEqual([])
      front.fault(undefined)
      const written = await settled(
        () => records.put(stored('raw/a', undefined, 2), 1).catch(() => undefined),
        (result) => result !== undefined,
      )
      expect(written).toMatchObject({ done: true })
    })
  })
})
