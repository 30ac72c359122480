import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Digest } from '../../../src/caching/record.js'
import { openDiskBlobStore } from '../../../src/storage/disk/disk-blob-store.js'
import { type BlobStoreDriver, blobStoreContract } from '../../contract/blob-store.js'
import { collect, digestOf, noise, openUnder, workDirectory } from '../fixtures.js'

const fileOf = (directory: string, digest: Digest) => {
  const hex = digest.slice('sha256:'.length)
  return join(directory, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

async function diskDriver(): Promise<BlobStoreDriver> {
  const { path, remove } = await workDirectory()
  const staging = join(path, 'staging')
  await mkdir(staging)
  let staged = 0
  return {
    store: await openDiskBlobStore(join(path, 'blobs')),
    async stage(bytes) {
      staged += 1
      const file = join(staging, `${staged}`)
      await writeFile(file, bytes)
      return file
    },
    async damage(digest, bytes) {
      if (bytes !== 'unreadable') return writeFile(fileOf(path, digest), bytes)
      await rm(fileOf(path, digest))
      await mkdir(join(fileOf(path, digest), 'within'), { recursive: true })
    },
    leftovers: async () => [...openUnder(path), ...(await readdir(staging))],
    dispose: remove,
  }
}

describe('disk blob store', () => {
  blobStoreContract(diskDriver)

  it('D2: a restart finds the blobs', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const bytes = noise(20_000)
    const digest = digestOf(bytes)
    await writeFile(join(path, 'staged'), bytes)
    const first = await openDiskBlobStore(join(path, 'blobs'))
    await first.put(digest, join(path, 'staged'))
    const second = await openDiskBlobStore(join(path, 'blobs'))
    expect(await collect(second.list())).toEqual([digest])
    expect(await second.hold(digest, bytes.length)).toBe(true)
  })

  it('D4: a directory in a blob’s place is no blob, whatever its size', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const store = await openDiskBlobStore(join(path, 'blobs'))
    const digest = digestOf(noise(8))
    await mkdir(fileOf(path, digest), { recursive: true })
    expect(await store.open(digest, (await stat(fileOf(path, digest))).size)).toBe('unreadable')
  })

  it('D7: what is not named like a blob is not listed, so never swept', async () => {
    const { path, remove } = await workDirectory()
    onTestFinished(remove)
    const store = await openDiskBlobStore(path)
    await mkdir(join(path, 'sha256', 'ab', `lost+found`), { recursive: true })
    await writeFile(join(path, 'sha256', 'ab', `ab${'0'.repeat(62)}.part`), 'x')
    await writeFile(join(path, 'sha256', 'README'), 'x')
    expect(await collect(store.list())).toEqual([])
  })
})
