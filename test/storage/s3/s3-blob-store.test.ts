import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { BlobStore } from '../../../src/storage/blob-store.js'
import { inLanes } from '../../../src/storage/s3/lanes.js'
import type { Pace } from '../../../src/storage/s3/open-s3-store.js'
import { partSize } from '../../../src/storage/s3/upload.js'
import { type BlobStoreDriver, blobStoreContract } from '../../contract/blob-store.js'
import { radosgwPrograms } from '../../support/radosgw.js'
import { type Fault, type FaultyGateway, faultyGateway, type Gateway, openGateway } from '../../support/s3-gateway.js'
import { missing, title } from '../../support/servers.js'
import { collect, digestOf, expectBytes, isEmpty, noise, openUnder, settled } from '../fixtures.js'
import { behind, freshPrefix, replicaOf, replicasOf } from './s3-stage.js'

describe.skipIf(missing(...radosgwPrograms).length > 0)(title('S3 blob store', ...radosgwPrograms), () => {
  let gateway: Gateway
  let front: FaultyGateway
  beforeAll(async () => {
    gateway = await openGateway()
    front = await faultyGateway(gateway.url)
  }, 300_000)
  afterAll(async () => {
    await front?.close()
    await gateway?.dispose()
  })
  const place = () => ({ url: front.url, bucket: gateway.bucket })

  blobStoreContract(async (): Promise<BlobStoreDriver> => {
    const replica = await replicaOf(place(), { prefix: freshPrefix() })
    const { blobs } = replica.store
    const unreadable = new Set<string>()
    front.fault(({ method, path }) => {
      const hex = [...unreadable].find((digest) => path.split('?')[0]?.endsWith(digest))
      if (hex && (method === 'PUT' || method === 'DELETE')) unreadable.delete(hex)
      return hex && (method === 'GET' || method === 'HEAD') ? { kind: 'status', status: 400 } : undefined
    })
    return {
      store: blobs,
      stage: replica.staging.stage,
      async damage(digest, bytes) {
        if (bytes === 'unreadable') unreadable.add(digest.slice('sha256:'.length))
        else {
          // The gateway takes what it is told the digest is.
          await blobs.put(digest, await replica.staging.stage(bytes))
          blobs.release(digest)
        }
      },
      leftovers: replica.staging.leftovers,
      async dispose() {
        front.fault(undefined)
        await replica.dispose()
      },
    }
  })

  const hour = 3_600_000
  const day = 24 * hour

  /** One replica, whose blobs stay for a day. */
  const setStage = async (grace = day, pace: Partial<Pace> = {}) => {
    front.fault(undefined)
    onTestFinished(() => front.fault(undefined))
    const { prefix, replicas } = await replicasOf(place(), 1, { grace, ...pace })
    const [replica] = replicas
    if (!replica) throw new Error('no replica')
    const { blobs } = replica.store
    const put = async (bytes: Uint8Array) => {
      await blobs.put(digestOf(bytes), await replica.staging.stage(bytes))
      blobs.release(digestOf(bytes))
      return digestOf(bytes)
    }
    const writes = () => front.seen.filter(({ method, path }) => method === 'PUT' && path.includes('/blobs/')).length
    const { health } = replica.store
    return { prefix, blobs, health, put, writes, ...replica.staging }
  }

  /** The clock goes on, and the gateway's does not: signatures are made to fit that. */
  const pass = (milliseconds: number) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + milliseconds })
    onTestFinished(() => void vi.useRealTimers())
  }

  const readAll = async (blobs: BlobStore, bytes: Uint8Array, step = 256 * 1024): Promise<Buffer> => {
    const body = await blobs.open(digestOf(bytes), bytes.length)
    if (typeof body === 'string') throw new Error(`it is ${body}`)
    const into = Buffer.alloc(bytes.length)
    try {
      for (let at = 0; at < bytes.length; ) at += await body.read(into.subarray(at, at + step), at)
      return into
    } finally {
      body.close()
    }
  }

  const isStored = async (blobs: BlobStore, bytes: Uint8Array) => {
    const body = await blobs.open(digestOf(bytes), bytes.length)
    if (typeof body === 'string') return false
    body.close()
    return true
  }

  it('a large body goes up in parts, and comes back in a few requests', async () => {
    const { blobs, put, writes } = await setStage()
    const bytes = noise(2.5 * partSize + 7)
    const before = writes()
    await put(bytes)
    expect(writes() - before).toBe(3)
    const asked = front.seen.length
    expectBytes(await readAll(blobs, bytes), bytes)
    const ranges = front.seen.slice(asked).filter(({ method }) => method === 'GET')
    expect(ranges.length).toBeLessThan(8)
  })

  it.each<[string, Fault]>([
    ['503', { kind: 'status', status: 503 }],
    ['an answer that is lost', { kind: 'lost' }],
  ])('a part that meets %s is sent again', async (_, fault) => {
    const { blobs, put } = await setStage()
    const bytes = noise(partSize + 1)
    let met = 0
    front.fault(({ method, path }) => {
      if (method !== 'PUT' || !path.includes('partNumber=2') || met > 0) return undefined
      met += 1
      return fault
    })
    await put(bytes)
    expect(met).toBe(1)
    expectBytes(await readAll(blobs, bytes), bytes)
  })

  it('parts that come to nothing leave nothing, and the next put is whole', async () => {
    const { prefix, blobs, stage, put } = await setStage()
    const bytes = noise(partSize + 1)
    front.fault(({ path }) => (path.includes('partNumber=2') ? { kind: 'status', status: 400 } : undefined))
    await expect(blobs.put(digestOf(bytes), await stage(bytes))).rejects.toMatchObject({ code: 'STORE_FAULT' })
    expect(await isStored(blobs, bytes)).toBe(false)
    expect(await behind(gateway).uploads(prefix)).toEqual([])
    front.fault(undefined)
    await put(bytes)
    expectBytes(await readAll(blobs, bytes), bytes)
  })

  it('an upload that breaks off leaves nothing open', async () => {
    const { blobs, stage, directory } = await setStage()
    const bytes = noise(partSize)
    front.fault(({ method, path }) => (method === 'PUT' && path.includes('/blobs/') ? { kind: 'broken' } : undefined))
    await expect(blobs.put(digestOf(bytes), await stage(bytes))).rejects.toMatchObject({ code: 'STORE_FAULT' })
    expect(await settled(() => openUnder(directory), isEmpty)).toEqual([])
  })

  it.each([20_000, partSize + 1])(
    'a staged file of %i bytes that cannot be read is no fault of the gateway',
    async (size) => {
      const { blobs, health, stage } = await setStage()
      const bytes = noise(size)
      const file = await stage(bytes)
      // It has been read once by then, for its digests.
      front.fault(({ path }) => void (path.includes('/blobs/') && rmSync(file, { force: true })))
      await expect(blobs.put(digestOf(bytes), file)).rejects.toMatchObject({
        code: 'STORE_FAULT',
        cause: { code: 'ENOENT' },
      })
      expect([health.healthy, await isStored(blobs, bytes)]).toEqual([true, false])
    },
  )

  it('a body that was changed on its way is refused by the gateway', async () => {
    const { blobs, stage } = await setStage()
    const bytes = noise(20_000)
    front.fault(({ method, path }) => (method === 'PUT' && path.includes('/blobs/') ? { kind: 'flip' } : undefined))
    await expect(blobs.put(digestOf(bytes), await stage(bytes))).rejects.toMatchObject({ code: 'STORE_FAULT' })
    front.fault(undefined)
    expect(await isStored(blobs, bytes)).toBe(false)
  })

  it.each([20_000, partSize + 1])('D7: %i bytes that are there are put again once they are old', async (size) => {
    const { put, writes } = await setStage()
    const bytes = noise(size)
    const before = writes()
    await put(bytes)
    const once = writes() - before
    await put(bytes)
    expect(writes() - before).toBe(once)
    pass(13 * hour)
    await put(bytes)
    expect(writes() - before).toBe(2 * once)
  })

  it('D7: what is held is as good as written anew', async () => {
    const { blobs, put, writes } = await setStage()
    const bytes = noise(20_000)
    const digest = await put(bytes)
    const before = writes()
    expect(await blobs.hold(digest, bytes.length)).toBe(true)
    blobs.release(digest)
    expect(writes()).toBe(before)
    pass(13 * hour)
    expect(await blobs.hold(digest, bytes.length)).toBe(true)
    blobs.release(digest)
    expect(writes()).toBe(before + 1)
    expectBytes(await readAll(blobs, bytes), bytes)
  })

  it('D7: the gateway may take its time to write a held one anew', async () => {
    const { blobs, health, put } = await setStage(day, { deadline: 400 })
    const bytes = noise(20_000)
    const digest = await put(bytes)
    pass(13 * hour)
    front.fault(({ method, path }) =>
      method === 'PUT' && path.includes('/blobs/') ? { kind: 'late', by: 800 } : undefined,
    )
    expect([await blobs.hold(digest, bytes.length), health.healthy]).toEqual([true, true])
    blobs.release(digest)
  })

  it('D7: only what is old goes', async () => {
    const { blobs, put } = await setStage()
    const bytes = noise(20_000)
    const digest = await put(bytes)
    expect(await blobs.delete(digest, () => false)).toBe(false)
    pass(23 * hour)
    expect(await blobs.delete(digest, () => false)).toBe(false)
    pass(2 * hour)
    expect(await blobs.delete(digest, () => true)).toBe(false)
    expect(await blobs.delete(digest, () => false)).toBe(true)
    expect(await isStored(blobs, bytes)).toBe(false)
  })

  it('a read that is cut goes on where it was', async () => {
    const { blobs, put } = await setStage()
    const bytes = noise(3_000_000)
    await put(bytes)
    let cuts = 0
    front.fault(({ method, range }) => {
      if (method !== 'GET' || range === undefined || cuts === 3) return undefined
      cuts += 1
      return { kind: 'cut', after: 100_000 }
    })
    expectBytes(await readAll(blobs, bytes), bytes)
    expect(cuts).toBe(3)
  })

  it('what is read here and there comes by position', async () => {
    const { blobs, put } = await setStage()
    const bytes = noise(3_000_000)
    const digest = await put(bytes)
    const body = await blobs.open(digest, bytes.length)
    if (typeof body === 'string') throw new Error(body)
    onTestFinished(() => body.close())
    for (const at of [2_999_990, 5, 1_000_000, 1_000_100, 0, 2_000_000]) {
      const into = Buffer.alloc(100)
      const count = await body.read(into, at)
      expectBytes(into.subarray(0, count), bytes.subarray(at, at + 100))
    }
  })

  it('what a crash left half way up is ended by a later sweep', async () => {
    const { prefix, blobs } = await setStage()
    const bucket = behind(gateway)
    const name = `${prefix}v1/blobs/sha256/00/${'0'.repeat(64)}`
    await bucket.beginUpload(name)
    expect(await collect(blobs.list())).toEqual([])
    expect(await bucket.uploads(prefix)).toEqual([name])
    pass(25 * hour)
    expect(await collect(blobs.list())).toEqual([])
    vi.useRealTimers()
    expect(await bucket.uploads(prefix)).toEqual([])
  })

  it('lists more than a page', async () => {
    const { prefix, blobs } = await setStage()
    const bucket = behind(gateway)
    const digests = Array.from({ length: 1050 }, (_, i) => digestOf(Buffer.from(`${i}`)))
    const name = (hex: string) => `${prefix}v1/blobs/sha256/${hex.slice(0, 2)}/${hex}`
    await inLanes(digests, 16, (digest) => bucket.put(name(digest.slice(7)), Buffer.from('x')))
    await bucket.put(`${prefix}v1/blobs/sha256/README`, Buffer.from('not ours'))
    expect((await collect(blobs.list())).sort()).toEqual(digests.sort())
  })
})
