import fs from 'node:fs'
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Digest } from '../../caching/record.js'
import type { BlobStore, OpenBody } from '../blob-store.js'
import { Descriptor } from '../descriptor.js'

/*
 * <directory>/
 *   sha256/
 *     3f/3f9a...   one blob, named by its digest; whole from the moment the name is there
 */

const blobName = /^[0-9a-f]{64}$/

export async function openDiskBlobStore(directory: string): Promise<BlobStore> {
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
        throw error
      }
    },

    hold: (digest, size) =>
      inTurn(digest, async () => {
        const present = await stat(pathOf(digest)).catch(absent)
        if (present?.size !== size) return false
        retain(digest)
        return true
      }),

    release,

    open: (digest, size) => openBlob(pathOf(digest), size),

    delete: (digest, stillNeeded) =>
      inTurn(digest, async () => {
        if (holds.has(digest) || stillNeeded()) return false
        await rm(pathOf(digest), { force: true })
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

/** File first, then its name, then the directory that holds the name (D2). A blob already here stays if its size is right. */
async function moveDurably(file: string, to: string): Promise<void> {
  const [staged, present] = await Promise.all([stat(file), stat(to).catch(absent)])
  if (present?.size === staged.size) return rm(file)
  await sync(file)
  const shard = dirname(to)
  const isNew = (await mkdir(shard, { recursive: true })) !== undefined
  await rename(file, to)
  await sync(shard)
  if (isNew) await sync(dirname(shard))
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function openBlob(path: string, size: number): Promise<OpenBody | undefined> {
  return new Promise((resolve, reject) => {
    fs.open(path, 'r', (error, fd) => {
      if (error) return error.code === 'ENOENT' ? resolve(undefined) : reject(error)
      const descriptor = new Descriptor(fd)
      fs.fstat(fd, (fault, stats) => {
        if (fault || stats.size !== size) {
          descriptor.release()
          return fault ? reject(fault) : resolve(undefined)
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

const absent = (error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT') return undefined
  throw error
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
