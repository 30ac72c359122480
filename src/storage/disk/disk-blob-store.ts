import fs from 'node:fs'
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../../caching/record.js'
import { LarderError } from '../../errors.js'
import type { BlobStore, OpenBody, Unusable } from '../blob-store.js'
import { Descriptor } from '../descriptor.js'
import { createHolds, createTurns, once } from '../holds.js'
import type { WriteGate } from '../write-gate.js'

/*
 * <directory>/
 *   sha256/
 *     3f/3f9a...   one blob, named by its digest; whole from the moment the name is there
 */

const blobName = /^[0-9a-f]{64}$/

export interface DiskBlobStore extends BlobStore {
  /** What is known of a blob without reading it; `undefined` where it is gone, or can't be one. */
  facts(digest: Digest): Promise<BlobFacts | undefined>
}

interface BlobFacts {
  /** Bytes. */
  readonly size: number
  /** ms since the epoch; to the day, where the file system notes no more of what is read. */
  readonly lastUse: number
}

/** Tells `disk` of what could not be written. */
export async function openDiskBlobStore(directory: string, disk?: Pick<WriteGate, 'failed'>): Promise<DiskBlobStore> {
  const root = join(directory, 'sha256')
  await mkdir(root, { recursive: true })
  const pathOf = (digest: Digest) => {
    const hex = digest.slice('sha256:'.length)
    return join(root, hex.slice(0, 2), hex)
  }
  const holds = createHolds()
  const inTurn = createTurns<Digest>()

  return {
    async put(digest, file) {
      holds.retain(digest)
      try {
        await inTurn(digest, () => moveDurably(file, pathOf(digest)))
      } catch (error) {
        holds.release(digest)
        disk?.failed(error)
        throw new LarderError('STORE_FAULT', 'cannot store a blob', { cause: error })
      }
    },

    hold: (digest, size) =>
      inTurn(digest, async () => {
        const blob = await openBlob(pathOf(digest), size)
        if (typeof blob === 'string') return false
        blob.close()
        holds.retain(digest)
        return true
      }),

    release: holds.release,

    open: (digest, size) => openBlob(pathOf(digest), size),

    delete: (digest, stillNeeded) =>
      inTurn(digest, async () => {
        if (holds.has(digest) || stillNeeded()) return false
        await rm(pathOf(digest), { force: true, recursive: true })
        return true
      }),

    async facts(digest) {
      const stats = await stat(pathOf(digest)).catch(() => undefined)
      return stats?.isFile() ? { size: stats.size, lastUse: Math.max(stats.atimeMs, stats.mtimeMs) } : undefined
    },

    async *list() {
      for await (const shard of await opendir(root)) {
        if (!shard.isDirectory()) continue
        for await (const { name } of await opendir(join(root, shard.name))) {
          // What isn't named like a blob isn't ours to list, and so to sweep.
          if (blobName.test(name)) yield `sha256:${name}`
        }
      }
    },
  }
}

/** File first, then its name, then the directory that holds the name (D2). */
async function moveDurably(file: string, to: string): Promise<void> {
  await sync(file)
  const shard = dirname(to)
  const isNew = await made(shard)
  await rename(file, to).catch(async (error: NodeJS.ErrnoException) => {
    // A directory in its place is damage like any other.
    if (error.code !== 'EISDIR') throw error
    await rm(to, { recursive: true })
    await rename(file, to)
  })
  await sync(shard)
  if (isNew) await sync(dirname(shard))
}

/** Whether it had to be made. Node's recursive `mkdir` calls every fault of the disk ENOENT: it is for what is really gone. */
function made(directory: string): Promise<boolean> {
  return mkdir(directory).then(
    () => true,
    async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false
      if (error.code !== 'ENOENT') throw error
      return (await mkdir(directory, { recursive: true })) !== undefined
    },
  )
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Says nothing of the blob: this process has too much open. */
const ownFaults: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

function openBlob(path: string, size: number): Promise<OpenBody | Unusable> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      ownFaults.has(error.code) ? reject(error) : resolve(error.code === 'ENOENT' ? 'gone' : 'unreadable')
    fs.open(path, 'r', (error, fd) => {
      if (error) return failed(error)
      const descriptor = new Descriptor(fd)
      fs.fstat(fd, (fault, stats) => {
        if (fault || !stats.isFile() || stats.size !== size) {
          descriptor.release()
          return fault ? failed(fault) : resolve(stats.isFile() ? 'size' : 'unreadable')
        }
        resolve({
          read: (into, position) => descriptor.read(into, position, into.length),
          close: once(() => descriptor.release()),
        })
      })
    })
  })
}
