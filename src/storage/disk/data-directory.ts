import { randomBytes } from 'node:crypto'
import {
  access,
  constants,
  type FileHandle,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { LarderError } from '../../errors.js'

/*
 * LARDER_DATA/
 *   lock       locked by the one process that owns the directory, released by the kernel when it dies (D8)
 *   store      {"format":1,"id":"<8 hex digits>"}: the layout's version (D5) and the store's identity (in our Via)
 *   admin-token  the administrator's, where none is configured (O5): see config/tokens.ts
 *   records/   lmdb: see lmdb-record-store.ts
 *   blobs/     see disk-blob-store.ts
 *   s3/        where the store is a bucket: copies of its blobs, and by bucket an index of it; can be made anew
 *   staging/   bodies coming in; emptied at every start
 */

export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  readonly id: string
  readonly records: string
  readonly blobs: string
  readonly staging: string
  readonly bucket: string
  /** Whether the path still names the directory that is locked: not once that was removed or replaced. */
  isOurs(): Promise<boolean>
  /** For tests and orderly ends; a dead process's lock is gone by itself. */
  unlock(): Promise<void>
}

const format = 1

/** Takes the directory into possession. Throws `DATA_DIRECTORY_UNUSABLE` where it is not ours to use. */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const directory = resolve(path)
  let lock: FileHandle
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    lock = await open(join(directory, 'lock'), 'a', 0o600)
  } catch (error) {
    // On a read-only file system Node's recursive `mkdir` says no more than ENOENT.
    const reason = await access(dirname(directory), constants.W_OK).catch((fault: unknown) => fault)
    throw unusable(`cannot write to ${directory}`, reason ?? error)
  }
  if (!tryLock(lock.fd)) {
    await lock.close()
    throw unusable(`${directory} is in use by another Larder process; one process owns a data directory`)
  }
  try {
    const id = await identity(directory)
    await requireRoomToBegin(directory)
    const { dev, ino } = await stat(directory)
    return {
      path: directory,
      id,
      records: join(directory, 'records'),
      blobs: join(directory, 'blobs'),
      staging: join(directory, 'staging'),
      bucket: join(directory, 's3'),
      async isOurs() {
        const now = await stat(directory).catch(absent)
        return now !== undefined && now.dev === dev && now.ino === ino
      },
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

/** Bytes that lmdb takes for an empty store, and some to spare. */
const firstBytes = 256 * 1024

/**
 * lmdb makes its files through memory maps: on a full disk that does not fail, it kills the process (SIGBUS). Once they are
 * there it writes in ways that fail as they should.
 */
async function requireRoomToBegin(directory: string): Promise<void> {
  const records = await stat(join(directory, 'records', 'data.mdb')).catch(absent)
  if (records && records.size >= firstBytes / 16) return
  const file = join(directory, 'trial')
  try {
    await writeFile(file, Buffer.alloc(firstBytes))
  } catch (error) {
    throw unusable(`cannot begin a store in ${directory}`, error)
  } finally {
    await rm(file, { force: true })
  }
}

const absent = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

/** The cause is said in the system's own words: `EROFS: read-only file system, ...`. */
const unusable = (message: string, cause?: unknown) =>
  new LarderError('DATA_DIRECTORY_UNUSABLE', cause instanceof Error ? `${message}: ${cause.message}` : message, {
    cause,
  })
