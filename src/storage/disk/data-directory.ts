import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { LarderError } from '../../errors.js'

/*
 * LARDER_DATA/
 *   lock       locked by the one process that owns the directory, released by the kernel when it dies (D8)
 *   store      {"format":1,"id":"<8 hex digits>"}: the layout's version (D5) and the store's identity (in our Via)
 *   records/   lmdb: see lmdb-record-store.ts
 *   blobs/     see disk-blob-store.ts
 *   staging/   bodies coming in; emptied at every start
 */

export interface DataDirectory {
  readonly id: string
  readonly records: string
  readonly blobs: string
  readonly staging: string
  /** For tests and orderly ends; a dead process's lock is gone by itself. */
  unlock(): Promise<void>
}

const format = 1

/** Takes the directory into possession. Throws `DATA_DIRECTORY_UNUSABLE` where it is not ours to use. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const directory = resolve(path)
  let lock: FileHandle
  try {
    await mkdir(directory, { recursive: true })
    lock = await open(join(directory, 'lock'), 'a', 0o600)
  } catch (error) {
    throw unusable(`cannot write to ${directory}`, error)
  }
  if (!tryLock(lock.fd)) {
    await lock.close()
    throw unusable(`${directory} is in use by another Larder process; one process owns a data directory`)
  }
  try {
    return {
      id: await identity(directory),
      records: join(directory, 'records'),
      blobs: join(directory, 'blobs'),
      staging: join(directory, 'staging'),
      unlock: () => lock.close(),
    }
  } catch (error) {
    await lock.close()
    throw error
  }
}

async function identity(directory: string): Promise<string> {
  const file = join(directory, 'store')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw unusable(`cannot read ${file}`, error)
    return undefined
  })
  if (text !== undefined) return parseIdentity(text, file)
  const id = randomBytes(4).toString('hex')
  try {
    await writeFile(`${file}.new`, `${JSON.stringify({ format, id })}\n`, { mode: 0o600, flush: true })
    await rename(`${file}.new`, file)
  } catch (error) {
    throw unusable(`cannot write ${file}`, error)
  }
  return id
}

function parseIdentity(text: string, file: string): string {
  let store: { format?: unknown; id?: unknown } | null
  try {
    store = JSON.parse(text)
  } catch (error) {
    throw damaged(file, error)
  }
  if (!Number.isInteger(store?.format)) throw damaged(file)
  if (store?.format !== format) {
    throw unusable(`${file} names layout ${store?.format}; this version reads layout ${format}`)
  }
  if (typeof store.id !== 'string' || !/^[0-9a-f]{8}$/.test(store.id)) {
    throw unusable(`${file} is damaged: "id" must be 8 hex digits`)
  }
  return store.id
}

const damaged = (file: string, cause?: unknown) =>
  unusable(`${file} is damaged: expected {"format":${format},"id":"<8 hex digits>"}`, cause)

const unusable = (message: string, cause?: unknown) => new LarderError('DATA_DIRECTORY_UNUSABLE', message, { cause })
