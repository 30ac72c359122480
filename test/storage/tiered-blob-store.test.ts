import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Digest } from '../../src/caching/record.js'
import { LarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'
import type { BlobStore, OpenBody } from '../../src/storage/blob-store.js'
import { openDiskBlobStore } from '../../src/storage/disk/disk-blob-store.js'
import { openStaging } from '../../src/storage/staging.js'
import { openTieredBlobStore, type TieredBlobStore } from '../../src/storage/tiered-blob-store.js'
import { type BlobStoreDriver, blobStoreContract } from '../contract/blob-store.js'
import { collect, digestOf, expectBytes, noise, openUnder, settled, workDirectory } from './fixtures.js'

const mebibyte = 1024 * 1024

interface Tiers extends BlobStoreDriver {
  readonly store: TieredBlobStore
  readonly near: BlobStore
  /** Bytes read from the far store so far. */
  readonly farBytes: () => number
  /** What the far store does before it reads. */
  beforeFarRead(action: () => Promise<void>): void
  /** Where the near store has a blob. */
  readonly nearFile: (digest: Digest) => string
  reopen(): Promise<BlobStore>
  put(bytes: Uint8Array): Promise<Digest>
}

/** Two disks, the far one of which tells what is read from it. */
async function tiers(limit = 64 * mebibyte): Promise<Tiers> {
  const { path, remove } = await workDirectory()
  const [nearPath, farPath, staged] = [join(path, 'near'), join(path, 'far'), join(path, 'staged')]
  await mkdir(staged)
  const near = await openDiskBlobStore(nearPath)
  const far = await openDiskBlobStore(farPath)
  const staging = await openStaging(join(path, 'staging'))
  let farBytes = 0
  let before = async () => {}
  const watched: BlobStore = {
    ...far,
    async open(digest, size) {
      const body = await far.open(digest, size)
      if (typeof body === 'string') return body
      return {
        ...body,
        async read(into, position) {
          await before()
          const count = await body.read(into, position)
          farBytes += count
          return count
        },
      }
    },
  }
  const open = () =>
    openTieredBlobStore({ near, far: watched, staging, limitOf: () => limit, log: createLog('silent') })
  const store = await open()
  const fileOf = (root: string, digest: Digest) => join(root, 'sha256', digest.slice(7, 9), digest.slice(7))
  let count = 0
  const stage = async (bytes: Uint8Array) => {
    count += 1
    const file = join(staged, `${count}`)
    await writeFile(file, bytes)
    return file
  }
  return {
    ...{ store, near, stage, reopen: open },
    farBytes: () => farBytes,
    nearFile: (digest) => fileOf(nearPath, digest),
    beforeFarRead(action) {
      before = action
    },
    async put(bytes) {
      const digest = digestOf(bytes)
      await store.put(digest, await stage(bytes))
      store.release(digest)
      return digest
    },
    async damage(digest, bytes) {
      for (const root of [nearPath, farPath]) {
        const file = fileOf(root, digest)
        await rm(file)
        if (bytes === 'unreadable') await mkdir(join(file, 'within'), { recursive: true })
        else await writeFile(file, bytes)
      }
    },
    leftovers: async () => [
      ...openUnder(path),
      ...(await readdir(staged)),
      ...(await readdir(join(path, 'staging'))),
      ...(await collect(near.list())),
    ],
    async dispose() {
      staging.close()
      await remove()
    },
  }
}

async function tiersForTest(limit?: number): Promise<Tiers> {
  const made = await tiers(limit)
  onTestFinished(made.dispose)
  return made
}

/** Two disks with a blob, the near one of which is read like this. */
async function nearReadBy(read: OpenBody['read']) {
  const { path } = await workForTest()
  const [near, far] = [await openDiskBlobStore(join(path, 'near')), await openDiskBlobStore(join(path, 'far'))]
  const staging = await openStaging(join(path, 'staging'))
  onTestFinished(() => staging.close())
  let farOpened = 0
  const store = await openTieredBlobStore({
    near: {
      ...near,
      async open(...of) {
        const body = await near.open(...of)
        return typeof body === 'string' ? body : { ...body, read }
      },
    },
    far: {
      ...far,
      open(...of) {
        farOpened += 1
        return far.open(...of)
      },
    },
    ...{ staging, limitOf: () => mebibyte, log: createLog('silent') },
  })
  onTestFinished(() => store.close())
  const bytes = noise(100_000)
  await writeFile(join(path, 'staged'), bytes)
  await store.put(digestOf(bytes), join(path, 'staged'))
  return { store, bytes, farOpened: () => farOpened }
}

async function opened(store: BlobStore, digest: Digest, size: number): Promise<OpenBody> {
  const body = await store.open(digest, size)
  if (typeof body === 'string') throw new Error(`${digest} is ${body}`)
  return body
}

async function readAll(store: BlobStore, bytes: Uint8Array): Promise<Buffer> {
  const body = await opened(store, digestOf(bytes), bytes.length)
  const into = Buffer.alloc(bytes.length)
  try {
    for (let at = 0; at < bytes.length; ) at += await body.read(into.subarray(at, at + 100_000), at)
    return into
  } finally {
    body.close()
  }
}

const isNear = (near: BlobStore, bytes: Uint8Array) =>
  settled(
    async () => {
      const body = await near.open(digestOf(bytes), bytes.length)
      if (typeof body !== 'string') body.close()
      return typeof body !== 'string'
    },
    (found) => found,
  )

const nearDigests = async (near: BlobStore) => (await collect(near.list())).sort()

describe('tiered blob store', () => {
  blobStoreContract(tiers)

  it('what was put is read from near', async () => {
    const { store, put, farBytes } = await tiersForTest()
    const bytes = noise(300_000)
    await put(bytes)
    expectBytes(await readAll(store, bytes), bytes)
    expect(farBytes()).toBe(0)
  })

  it('what only the far store has is read from there once, by however many, and is near from then on', async () => {
    const { store, near, put, farBytes } = await tiersForTest()
    const bytes = noise(3 * mebibyte)
    await near.delete(await put(bytes), () => false)
    const copies = await Promise.all(Array.from({ length: 8 }, () => readAll(store, bytes)))
    for (const copy of copies) expectBytes(copy, bytes)
    expect(farBytes()).toBe(bytes.length)
    expect(await isNear(near, bytes)).toBe(true)
    expectBytes(await readAll(store, bytes), bytes)
    expect(farBytes()).toBe(bytes.length)
  })

  it('the first byte is there before the last has come', async () => {
    const { store, near, put, beforeFarRead } = await tiersForTest()
    const bytes = noise(2 * mebibyte)
    const digest = await put(bytes)
    await near.delete(digest, () => false)
    let reads = 0
    let goOn = () => {}
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve
    })
    beforeFarRead(async () => {
      reads += 1
      if (reads > 2) await stopped
    })
    const body = await opened(store, digest, bytes.length)
    const into = Buffer.alloc(1000)
    expect(await body.read(into, 0)).toBe(1000)
    expectBytes(into, bytes.subarray(0, 1000))
    body.close()
    goOn()
    expect(await isNear(near, bytes)).toBe(true)
  })

  it('bytes far ahead of what has come do not wait for it', async () => {
    const { store, near, put, beforeFarRead } = await tiersForTest()
    const bytes = noise(12 * mebibyte)
    const digest = await put(bytes)
    await near.delete(digest, () => false)
    let arriving = 0
    let goOn = () => {}
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const body = await opened(store, digest, bytes.length)
    const into = Buffer.alloc(1000)
    await body.read(into, 0)
    beforeFarRead(async () => {
      arriving += 1
      if (arriving === 1) await stopped
    })
    await settled(
      () => arriving,
      (count) => count > 0,
    )
    expect(await body.read(into, bytes.length - 1000)).toBe(1000)
    expectBytes(into, bytes.subarray(-1000))
    body.close()
    goOn()
    expect(await isNear(near, bytes)).toBe(true)
  })

  it('keeps what was used last, up to its limit', async () => {
    const { store, near, put } = await tiersForTest(250_000)
    const [one, two, three] = [noise(100_000), noise(100_001), noise(100_002)] as const
    await put(one)
    await put(two)
    await readAll(store, one)
    await put(three)
    const kept = [digestOf(one), digestOf(three)].sort()
    expect(
      await settled(
        () => nearDigests(near),
        ({ length }) => length === 2,
      ),
    ).toEqual(kept)
    expectBytes(await readAll(store, two), two)
  })

  it('what is larger than its limit is read from far away, and is never near', async () => {
    const { store, near, put, farBytes } = await tiersForTest(50_000)
    const bytes = noise(100_000)
    await put(bytes)
    expectBytes(await readAll(store, bytes), bytes)
    expect(farBytes()).toBe(bytes.length)
    expect(await nearDigests(near)).toEqual([])
  })

  it('remembers after a restart what is near, and holds it to its limit', async () => {
    const { near, put, reopen } = await tiersForTest(250_000)
    const [one, two] = [noise(100_000), noise(100_001)] as const
    await put(one)
    await put(two)
    const again = await reopen()
    const three = noise(100_002)
    const file = join((await workForTest()).path, 'three')
    await writeFile(file, three)
    await again.put(digestOf(three), file)
    again.release(digestOf(three))
    expect(
      await settled(
        () => nearDigests(near),
        ({ length }) => length === 2,
      ),
    ).toContain(digestOf(three))
  })

  it('D4: a near copy that is damaged is made anew from the far one', async () => {
    const { store, near, put, stage } = await tiersForTest()
    const bytes = noise(100_000)
    const digest = await put(bytes)
    await near.put(digest, await stage(bytes.subarray(1)))
    near.release(digest)
    expectBytes(await readAll(store, bytes), bytes)
    expect(await isNear(near, bytes)).toBe(true)
  })

  it('D4: a near copy that is not what its digest says goes when it is checked; a sound one stays', async () => {
    const { store, near, put, stage } = await tiersForTest()
    const [bad, good] = [noise(300_000), noise(300_000)] as const
    for (const bytes of [bad, good]) await put(bytes)
    await near.put(digestOf(bad), await stage(noise(bad.length)))
    near.release(digestOf(bad))
    for (const bytes of [bad, good]) await store.checkCopy(digestOf(bytes), bytes.length, async () => {})
    expect(await nearDigests(near)).toEqual([digestOf(good)])
    expectBytes(await readAll(store, bad), bad)
  })

  it('D4: who checks a near copy sets the pace, and may end it, which says nothing of the copy', async () => {
    const { store, near, put } = await tiersForTest()
    const bytes = noise(600_000)
    const digest = await put(bytes)
    let read = 0
    await store.checkCopy(digest, bytes.length, async (count) => {
      read += count
    })
    expect(read).toBe(bytes.length)
    const ended = new Error('ended')
    await expect(store.checkCopy(digest, bytes.length, () => Promise.reject(ended))).rejects.toBe(ended)
    expect(await nearDigests(near)).toEqual([digest])
  })

  it('D4: a near copy that breaks off while it is read costs its reader nothing, and is made anew', async () => {
    const { store, near, nearFile, put, stage } = await tiersForTest()
    const bytes = noise(600_000)
    const digest = await put(bytes)
    // Not the same file as the far one here.
    await near.put(digest, await stage(bytes))
    near.release(digest)
    const body = await opened(store, digest, bytes.length)
    onTestFinished(() => body.close())
    const into = Buffer.alloc(bytes.length)
    let at = await body.read(into.subarray(0, 100_000), 0)
    await truncate(nearFile(digest), 200_000)
    while (at < bytes.length) {
      const count = await body.read(into.subarray(at, at + 100_000), at)
      expect(count, `at ${at}`).toBeGreaterThan(0)
      at += count
    }
    expectBytes(into, bytes)
    expect(await isNear(near, bytes)).toBe(true)
  })

  it('D4: a near copy that cannot be read on is read on from the far one', async () => {
    const { store, bytes } = await nearReadBy(() => Promise.reject(new Error('EIO')))
    expectBytes(await readAll(store, bytes), bytes)
  })

  it('who has left is no reason to read on from the far one', async () => {
    let breakOff = () => {}
    const broken = new Promise<number>((resolve) => {
      breakOff = () => resolve(0)
    })
    const { store, bytes, farOpened } = await nearReadBy(() => broken)
    const body = await opened(store, digestOf(bytes), bytes.length)
    const reading = body.read(Buffer.alloc(1000), 0)
    body.close()
    breakOff()
    await expect(reading).rejects.toThrow('closed')
    expect(farOpened()).toBe(0)
  })

  it('D4: what is not what its digest says never comes whole from far away, nor near', async () => {
    const { store, near, put, damage } = await tiersForTest()
    const bytes = noise(300_000)
    const digest = await put(bytes)
    await damage(digest, noise(300_000))
    await near.delete(digest, () => false)
    await expect(readAll(store, bytes)).rejects.toThrow('digest')
    expect(await nearDigests(near)).toEqual([])
  })

  it('what is on its way when it is closed ends, and is read on', async () => {
    const { store, near, put, beforeFarRead, leftovers } = await tiersForTest()
    const bytes = noise(2 * mebibyte)
    await near.delete(await put(bytes), () => false)
    let reads = 0
    beforeFarRead(async () => {
      reads += 1
      if (reads === 3) void store.close()
    })
    expectBytes(await readAll(store, bytes), bytes)
    await store.close()
    expect(await settled(leftovers, ({ length }) => length === 0)).toEqual([])
  })

  it('a cut on the way costs a reader nothing, where the far store goes on', async () => {
    const { store, near, put, beforeFarRead } = await tiersForTest()
    const bytes = noise(2 * mebibyte)
    await near.delete(await put(bytes), () => false)
    let reads = 0
    beforeFarRead(async () => {
      reads += 1
      if (reads === 3) throw new LarderError('STORE_FAULT', 'cut')
    })
    expectBytes(await readAll(store, bytes), bytes)
  })

  it('a far store that takes nothing leaves nothing near', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const near = await openDiskBlobStore(join(path, 'near'))
    const far = await openDiskBlobStore(join(path, 'far'))
    const staging = await openStaging(join(path, 'staging'))
    onTestFinished(() => staging.close())
    const put = () => Promise.reject(new LarderError('STORE_FAULT', 'down'))
    const store = await openTieredBlobStore({
      ...{ near, staging, limitOf: () => mebibyte, log: createLog('silent') },
      far: { ...far, put },
    })
    await writeFile(join(path, 'staged'), 'x')
    await expect(store.put(digestOf(Buffer.from('x')), join(path, 'staged'))).rejects.toMatchObject({
      code: 'STORE_FAULT',
    })
    expect([await nearDigests(near), (await readdir(path)).filter((name) => name.endsWith('.near'))]).toEqual([[], []])
  })
})

async function workForTest() {
  const work = await workDirectory()
  onTestFinished(work.remove)
  return work
}
