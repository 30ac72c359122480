import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { administer } from '../../support/admin.js'
import { get } from '../../support/http.js'
import { type InProcess, inFront, stopClock } from '../../support/in-process.js'
import type { Origin } from '../../support/origin.js'
import { radosgwPrograms } from '../../support/radosgw.js'
import { type Fault, type FaultyGateway, faultyGateway, type Gateway, openGateway } from '../../support/s3-gateway.js'
import { someOrigin } from '../../support/served.js'
import { missing, title } from '../../support/servers.js'
import { expectBytes, noise, settled } from '../fixtures.js'
import { behind, freshPrefix } from './s3-stage.js'

describe.skipIf(missing(...radosgwPrograms).length > 0)(title('replicas on one bucket', ...radosgwPrograms), () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await openGateway()
  }, 300_000)
  afterAll(() => gateway?.dispose())

  interface Stage {
    readonly origin: Origin
    readonly front: FaultyGateway
    readonly prefix: string
    replica(): Promise<InProcess>
  }

  /** Larders as compose wires them, with data directories of their own, over one bucket. */
  async function setStage(more: Readonly<Record<string, string>> = {}): Promise<Stage> {
    const origin = await someOrigin()
    const front = await faultyGateway(gateway.url)
    onTestFinished(front.close)
    const prefix = freshPrefix()
    const env = { LARDER_S3_BUCKET: gateway.bucket, LARDER_S3_ENDPOINT: front.url, LARDER_S3_PREFIX: prefix, ...more }
    return { ...{ origin, front, prefix }, replica: () => inFront(origin.url, {}, env) }
  }

  const degradation = async ({ url }: InProcess): Promise<readonly string[]> =>
    JSON.parse((await get(`${url}/readyz`)).body.toString()).degraded

  const hasDegraded = (larder: InProcess, expected: readonly string[]) =>
    settled(
      async () => {
        await sleep(20)
        return degradation(larder)
      },
      (found) => found.length === expected.length,
    )

  it.each([1, 20_000, 3_000_000])(
    'what one stores of %i bytes the other serves without asking the remote',
    async (size) => {
      const { origin, replica } = await setStage()
      const body = origin.put('/a', noise(size))
      const [one, two] = [await replica(), await replica()]
      await one.warm('/a')
      const asked = origin.requests.length
      const received = await two.get('/a')
      expectBytes(received.body, body)
      expect(received.header('cache-status')).toMatch(/^larder; hit/)
      expectBytes((await two.get('/a', { range: `bytes=${size - 1}-` })).body, body.subarray(-1))
      expect(origin.requests.length).toBe(asked)
    },
  )

  it('a replica that starts with nothing serves what there is, and knows how much that is', async () => {
    const { origin, replica } = await setStage()
    const body = origin.put('/a', noise(50_000))
    const one = await replica()
    await one.warm('/a')
    await one.stop()
    const two = await replica()
    const known = await settled(
      () => two.metric('larder_store_bytes'),
      (bytes) => bytes > 0,
    )
    expect(known).toBe(body.length)
    const asked = origin.requests.length
    expectBytes((await two.get('/a')).body, body)
    expect(origin.requests.length).toBe(asked)
  })

  it('D2: a record whose blob was lost is a miss, and what is fetched takes its place', async () => {
    const { origin, replica, prefix } = await setStage()
    const body = origin.put('/a', noise(50_000))
    await (await replica()).warm('/a')
    const bucket = behind(gateway)
    for (const name of await bucket.names(`${prefix}v1/blobs/`)) await bucket.remove(name)
    const two = await replica()
    expectBytes((await two.warm('/a')).body, body)
    const three = await replica()
    const asked = origin.requests.length
    expectBytes((await three.get('/a')).body, body)
    expect(origin.requests.length).toBe(asked)
  })

  it('D4, C7: of a blob that is not what its digest says nobody gets the beginning for the whole, and the next has it anew', async () => {
    const { origin, prefix, replica } = await setStage()
    const body = origin.put('/a', noise(3_000_000))
    const [one, two] = [await replica(), await replica()]
    await one.warm('/a')
    const bucket = behind(gateway)
    const [name = ''] = await bucket.names(`${prefix}v1/blobs/`)
    await bucket.put(name, noise(body.length))
    const { ended } = await (await two.open('/a')).finished
    expect(ended).toBe('broken')
    await two.settled()
    expectBytes((await two.get('/a')).body, body)
  })

  it('D1: what one replica dropped the others do not go on with from memory', async () => {
    const clock = stopClock()
    const { origin, prefix, replica } = await setStage()
    const body = origin.put('/a', noise(3_000_000))
    const [one, two, three] = [await replica(), await replica(), await replica()]
    await one.warm('/a')
    expect((await three.get('/a', {}, { method: 'HEAD' })).status).toBe(200)
    const bucket = behind(gateway)
    const [name = ''] = await bucket.names(`${prefix}v1/blobs/`)
    await bucket.put(name, noise(body.length))
    expect((await (await two.open('/a')).finished).ended).toBe('broken')
    await clock.pass(3)
    expectBytes((await three.get('/a')).body, body)
  })

  it('D1, K5: what one replica replaces the others see once they look again', async () => {
    const clock = stopClock()
    const { origin, replica } = await setStage()
    origin.put('/a', noise(50_000))
    const [one, two] = [await replica(), await replica()]
    await one.warm('/a')
    await two.get('/a')
    const newer = origin.put('/a', noise(60_000))
    await administer(one, 'POST', '/purge', { repository: 'raw', prefix: 'a' })
    await clock.pass(3)
    expectBytes((await two.warm('/a')).body, newer)
    await clock.pass(3)
    const asked = origin.requests.length
    expectBytes((await one.get('/a')).body, newer)
    expect(origin.requests.length).toBe(asked)
  })

  it.each<[string, Fault]>([
    ['503', { kind: 'status', status: 503 }],
    ['403', { kind: 'status', status: 403 }],
    ['cut off', { kind: 'lost' }],
    ['nothing', { kind: 'silent' }],
  ])('K7: a gateway that answers %s: what is near is served, the rest comes from the remote', async (_, fault) => {
    const { origin, front, replica } = await setStage()
    const [warm, cold, fresh] = [noise(50_000), noise(60_000), noise(70_000)].map((bytes, i) =>
      origin.put(`/${i}`, bytes),
    )
    const [one, two] = [await replica(), await replica()]
    await one.warm('/0')
    await two.warm('/1')
    await one.head('/1')
    front.fault(() => fault)
    const asked = origin.requests.length
    expectBytes((await one.get('/0')).body, warm as Buffer)
    expect(origin.requests.length).toBe(asked)
    expectBytes((await one.get('/1')).body, cold as Buffer)
    expectBytes((await one.get('/2')).body, fresh as Buffer)
    expect(await degradation(one)).toEqual(['s3'])
    expect(await one.metric('larder_degraded_by', { reason: 's3' })).toBe(1)
    front.fault(undefined)
    expect(await hasDegraded(one, [])).toEqual([])
    await one.warm('/2')
    const before = origin.requests.length
    for (const [path, body] of [
      ['/0', warm],
      ['/1', cold],
      ['/2', fresh],
    ] as const) {
      expectBytes((await one.get(path)).body, body as Buffer)
    }
    expect(origin.requests.length).toBe(before)
    // Nothing was dropped for want of an answer.
    expect(one.logs.filter(({ msg }) => String(msg).includes('damaged'))).toEqual([])
  })

  it.each([
    ['Ceph', 403, 'QuotaExceeded'],
    ['MinIO', 507, 'XMinioStorageFull'],
  ])(
    'K7: a bucket that is full, as %s says it: what is in it is served, and a replica can be started',
    async (...of) => {
      const [, status, code] = of
      const { origin, front, replica } = await setStage()
      const [stored, fresh] = [noise(50_000), noise(60_000)].map((bytes, i) => origin.put(`/${i}`, bytes)) as [
        Buffer,
        Buffer,
      ]
      const [one, two] = [await replica(), await replica()]
      await one.warm('/0')
      front.fault(({ method }) => (method === 'PUT' ? { kind: 'status', status, code } : undefined))
      expectBytes((await two.warm('/1')).body, fresh)
      expect(await hasDegraded(two, ['s3'])).toEqual(['s3'])
      const asked = origin.requests.length
      expectBytes((await two.get('/0')).body, stored)
      expect(origin.requests.length).toBe(asked)
      const three = await replica()
      expect(await degradation(three)).toEqual(['s3'])
      expectBytes((await three.get('/1')).body, fresh)
      front.fault(undefined)
      for (const each of [two, three]) {
        await vi.waitFor(async () => expect(await degradation(each)).toEqual([]), { timeout: 10_000 })
      }
      await two.warm('/1')
      const before = origin.requests.length
      expectBytes((await three.get('/1')).body, fresh)
      expect(origin.requests.length).toBe(before)
    },
  )

  it('D4: verify reads the bucket, and what the replica has of it on its disk', async () => {
    const { origin, replica } = await setStage()
    origin.put('/a', noise(300_000))
    const one = await replica()
    await one.warm('/a')
    const { id } = (await administer(one, 'POST', '/tasks', { kind: 'verify' })) as { id: string }
    const done = async () => {
      const task = await administer(one, 'GET', `/tasks/${id}`)
      expect(task).toMatchObject({ state: 'done', progress: { checked: 1, bytes: 600_000, damaged: 0 } })
    }
    await vi.waitFor(done, { timeout: 10_000 })
  })

  it('K6: the cap of the bucket holds for what all replicas store', async () => {
    const { origin, replica } = await setStage({ LARDER_S3_MAX_SIZE: '1MiB' })
    for (const path of ['/a', '/b', '/c']) origin.put(path, noise(400_000))
    const [one, two] = [await replica(), await replica()]
    await one.warm('/a')
    await two.warm('/b')
    await one.get('/b')
    await one.warm('/c')
    expect(await one.metric('larder_store_bytes')).toBe(800_000)
    const before = origin.count('/a') + origin.count('/c')
    await two.get('/c')
    await two.get('/a')
    expect(origin.count('/a') + origin.count('/c')).toBe(before + 1)
  })

  it('O1: a bucket that does not answer at the start is waited for', async () => {
    const { origin, front, replica } = await setStage()
    const body = origin.put('/a', noise(50_000))
    front.fault(() => ({ kind: 'status', status: 503 }))
    const one = await replica()
    expect(await degradation(one)).toEqual(['s3'])
    expectBytes((await one.get('/a')).body, body)
    front.fault(undefined)
    expect(await hasDegraded(one, [])).toEqual([])
    await one.warm('/a')
    const two = await replica()
    const asked = origin.requests.length
    expectBytes((await two.get('/a')).body, body)
    expect(origin.requests.length).toBe(asked)
  })

  it.each([
    ['none', { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }, /credentials/],
    ['wrong ones', { AWS_SECRET_ACCESS_KEY: 'wrong' }, /403 SignatureDoesNotMatch/],
    ['another one’s', { AWS_ACCESS_KEY_ID: 'nobody' }, /403 InvalidAccessKeyId/],
  ])('%s for credentials stop the start, in plain words', async (_, wrong, said) => {
    const { replica } = await setStage()
    onTestFinished(() => void vi.unstubAllEnvs())
    const away = {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    }
    for (const [name, value] of Object.entries({ ...away, ...wrong })) vi.stubEnv(name, value)
    await expect(replica()).rejects.toThrow(said)
  })

  it('a bucket that is not there stops the start', async () => {
    const { replica } = await setStage({ LARDER_S3_BUCKET: 'no-such-bucket' })
    await expect(replica()).rejects.toThrow(/404 NoSuchBucket/)
  })

  it('D5: a store of another version stops the start, and is left as it is', async () => {
    const { replica, prefix } = await setStage()
    const bucket = behind(gateway)
    await bucket.put(`${prefix}format`, Buffer.from('{"format":2}'))
    await expect(replica()).rejects.toMatchObject({
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining('format'),
    })
    expect(await bucket.names(prefix)).toEqual([`${prefix}format`])
  })

  it('D6: a gateway that knows no conditional writes stops the start', async () => {
    const { replica, front } = await setStage()
    front.fault(({ method }) => (method === 'PUT' ? { kind: 'status', status: 200 } : undefined))
    await expect(replica()).rejects.toThrow('ignores If-None-Match')
  })
})
