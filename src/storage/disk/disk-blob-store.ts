import fs from 'node:fs'
import { mkdir, open, opendir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../../caching/record.js'
import { LarderError } from '../../errors.js'
import type { BlobStore, OpenBody, Unusable } from '../blob-store.js'
import { Descriptor } from '../descriptor.js'
import type { WriteGate } from '../write-gate.js'

/*
 * <directory>/
 *   sha256/
 *     3f/3f9a...   one blob, named by its digest; whole from the moment the name is there
 */

const blobName = /^[0-9a-f]{64}$/

/** Tells `disk` of what could not be written. */
export async function openDiskBlobStore(directory: string, disk?: Pick<WriteGate, 'failed'>): Promise<BlobStore> {
  const root = join(directory, 'sha256')
  await mkdir(root, { recursive: true })
  const pathOf = (digest: Digest) => {
    const hex = digest.slice('sha256:'.length)
    return join(root, hex.slice(0, 2), hex)
  }
  const holds = new Map<Digest, number>()
  const inTurn = turns()

  const retain = (digest: Digest) => {
    holds.set(digest, (holds.get(digest) ?? 0) + 1)
  }

  const release = (digest: Digest) => {
    const left = (holds.get(digest) ?? 0) - 1
    if (left > 0) holds.set(digest, left)
    else holds.delete(digest)
  }

  return {
    async put(digest, file) {
      retain(digest)
      try {
        await inTurn(digest, () => moveDurably(file, pathOf(digest)))
      } catch (error) {
        release(digest)
        disk?.failed(error)
        throw new LarderError('STORE_FAULT', 'cannot store a blob', { cause: error })
      }
    },

    hold: (digest, size) =>
      inTurn(digest, async () => {
        const blob = await openBlob(pathOf(digest), size)
        if (typeof blob === 'string') return false
        blob.close()
        retain(digest)
        return true
      }),

    release,

    open: (digest, size) => openBlob(pathOf(digest), size),

    delete: (digest, stillNeeded) =>
      inTurn(digest, async () => {
        if (holds.has(digest) || stillNeeded()) return false
        await rm(pathOf(digest), { force: true, recursive: true })
        return true
      }),

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

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}

/** Runs the actions on one digest one after another, so that a removal can't meet a put half way (D7). */
function turns() {
  const last = new Map<Digest, Promise<unknown>>()
  return async <T>(digest: Digest, action: () => Promise<T>): Promise<T> => {
    const turn = (last.get(digest) ?? Promise.resolve()).then(action, action)
    last.set(digest, turn)
    try {
      return await turn
    } finally {
      if (last.get(digest) === turn) last.delete(digest)
    }
  }
}
