import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inlineLimit } from '../caching/record.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from './blob-store.js'
import { Descriptor } from './descriptor.js'

const openFile = promisify(fs.open)
const writev = promisify(fs.writev)

/** Bytes that may wait for the disk before the remote is told to wait. */
const writeBacklog = 4 * 1024 * 1024

/** Bodies that are coming in: `<directory>/<uuid>`, one file each, nothing of value after a restart (D2). */
export interface Staging {
  /** `length` (bytes) where the remote tells it. */
  create(length: number | undefined): StagedBody
}

export async function openStaging(directory: string): Promise<Staging> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  return { create: (length) => new StagedBody(join(directory, randomUUID()), length) }
}

/**
 * A growing body: one writer, any number of followers, each at its own pace from byte 0 (C6).
 * It stays in memory up to `inlineLimit` and spills to its file beyond. Until `seal` followers never get the last byte (C7).
 */
export class StagedBody {
  #received = 0
  /** Bytes that can be read back. */
  #readable = 0
  #sealed = false
  #failure: unknown
  /** The whole body so far, until the file has it. */
  #memory: Uint8Array[] | undefined = []
  #spilled = false
  readonly #descriptor = new Descriptor()
  #queue: Uint8Array[] = []
  #queued = 0
  #writing: Promise<void> | undefined
  readonly #waiters = new Set<() => void>()

  constructor(
    readonly file: string,
    readonly length: number | undefined,
  ) {}

  /** Bytes taken over so far. */
  get received(): number {
    return this.#received
  }

  /** The whole body, where it is small enough to live in its record. */
  get inline(): Uint8Array | undefined {
    return this.#spilled || !this.#memory ? undefined : Buffer.concat(this.#memory)
  }

  /** How far followers may read. */
  get #visible(): number {
    return !this.#sealed && this.#readable === this.length ? this.#readable - 1 : this.#readable
  }

  /** Takes over a chunk (its memory too); resolves when the next is welcome. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#received += chunk.length
    if (this.#memory && this.#received <= inlineLimit) {
      this.#memory.push(chunk)
      this.#readable = this.#received
      return this.#wake()
    }
    if (this.#memory && !this.#spilled) {
      this.#spilled = true
      this.#queue = [...this.#memory]
      this.#queued = this.#readable
    }
    this.#queue.push(chunk)
    this.#queued += chunk.length
    this.#writing ??= this.#drain()
    this.#writing.catch(() => {})
    if (this.#queued > writeBacklog) await this.#writing
  }

  /** The body is whole and has passed its checks: once the file has all of it, followers may have the last byte. */
  async seal(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    this.#sealed = true
    this.#wake()
  }

  /** No more bytes will come: followers get `error` once they have read what is here. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#wake()
  }

  /** The writer lets go; a file nobody took over is removed. Followers keep what they have open. */
  async release(): Promise<void> {
    await this.#writing?.catch(() => {})
    this.#descriptor.release()
    if (this.#spilled) await rm(this.file, { force: true })
  }

  /** Resolves with the size once the body is sealed; rejects if it never will be. */
  async whole(): Promise<number> {
    while (!this.#sealed) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => this.#waiters.add(resolve))
    }
    return this.#received
  }

  follow(): OpenBody {
    let closed = false
    let wake = () => {}
    this.#descriptor.hold()
    const read = async (into: Uint8Array, position: number): Promise<number> => {
      while (!closed) {
        const available = Math.min(into.length, this.#visible - position)
        if (available > 0) {
          if (this.#memory) return copyOut(this.#memory, into, position, available)
          return this.#descriptor.read(into, position, available)
        }
        if (this.#sealed) return 0
        if (this.#failure !== undefined) throw this.#failure
        await new Promise<void>((resolve) => {
          wake = resolve
          this.#waiters.add(resolve)
        })
      }
      return 0
    }
    const close = () => {
      if (closed) return
      closed = true
      this.#waiters.delete(wake)
      wake()
      this.#descriptor.release()
    }
    return { read, close }
  }

  /** Writes the queue in as few calls as it takes; the memory is dropped once the file has it. */
  async #drain(): Promise<void> {
    try {
      if (this.#memory) this.#descriptor.fd = await openFile(this.file, 'wx+', 0o600)
      while (this.#queue.length > 0) {
        const batch = this.#queue
        const bytes = this.#queued
        this.#queue = []
        this.#queued = 0
        await writeFully(this.#descriptor.fd, batch)
        this.#readable = this.#memory ? bytes : this.#readable + bytes
        this.#memory = undefined
        this.#wake()
      }
    } catch (error) {
      this.fail(new LarderError('STORE_FAULT', `cannot write the staged file ${this.file}`, { cause: error }))
      throw this.#failure
    } finally {
      this.#writing = undefined
    }
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }
}

/** `writev` may write less than asked (a nearly full disk). */
async function writeFully(fd: number, batch: Uint8Array[]): Promise<void> {
  let rest = batch
  while (rest.length > 0) {
    let { bytesWritten } = await writev(fd, rest)
    while (rest[0] && bytesWritten >= rest[0].length) {
      bytesWritten -= rest[0].length
      rest = rest.slice(1)
    }
    if (bytesWritten > 0 && rest[0]) rest = [rest[0].subarray(bytesWritten), ...rest.slice(1)]
  }
}

function copyOut(chunks: readonly Uint8Array[], into: Uint8Array, position: number, wanted: number): number {
  let skip = position
  let copied = 0
  for (const chunk of chunks) {
    if (copied === wanted) break
    if (skip >= chunk.length) {
      skip -= chunk.length
      continue
    }
    const part = chunk.subarray(skip, skip + wanted - copied)
    into.set(part, copied)
    copied += part.length
    skip = 0
  }
  return copied
}
