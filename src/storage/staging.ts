import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Algorithm } from '../caching/integrity.js'
import { inlineLimit } from '../caching/record.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from './blob-store.js'
import { copyOut, slices, writeFully } from './chunks.js'
import { Descriptor } from './descriptor.js'
import { createDigester, type Digester, type DigestRun, type Digests } from './digester.js'

const openFile = promisify(fs.open)

/** Bytes that may wait for the disk before the remote is told to wait. */
const writeBacklog = 1 * 1024 * 1024

/** The newest bytes are kept in memory, this many: who keeps up with the remote needs no file. */
const recentLimit = 256 * 1024

/** The digester is told of this many new bytes at a time. */
const digestStep = 4 * 1024 * 1024

/** Bodies that are coming in: `<directory>/<uuid>`, one file each, nothing of value after a restart (D2). */
export interface Staging {
  /**
   * `length` (bytes) where the remote tells it; `promised`: the digests its last byte waits for. With one, the body is
   * digested while it comes in; else only when asked, off the way of those who wait for its bytes.
   */
  create(length: number | undefined, promised?: readonly Algorithm[]): StagedBody
  close(): void
}

export async function openStaging(directory: string): Promise<Staging> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const digester = createDigester()
  return {
    create: (length, promised = []) => new StagedBody(join(directory, randomUUID()), length, promised, digester),
    close: () => digester.close(),
  }
}

/**
 * A growing body: one writer, any number of followers, each at its own pace from byte 0 (C6).
 * It stays in memory up to `inlineLimit` and goes to its file beyond. Until `seal` followers never get the last byte (C7).
 */
export class StagedBody {
  #received = 0
  /** Bytes the file has. */
  #written = 0
  #sealed = false
  #failure: unknown
  /** The newest chunks, from byte `#recentFrom` on; at least all that the file doesn't have yet. */
  #recent: Uint8Array[] = []
  #recentFrom = 0
  #spilled = false
  readonly #descriptor = new Descriptor()
  #queue: Uint8Array[] = []
  #queued = 0
  #writing: Promise<void> | undefined
  #digesting: DigestRun | undefined
  #digested = 0
  readonly #algorithms: readonly Algorithm[]
  readonly #digestsAlong: boolean
  readonly #waiters = new Set<() => void>()

  constructor(
    readonly file: string,
    readonly length: number | undefined,
    promised: readonly Algorithm[],
    private readonly digester: Digester,
  ) {
    this.#algorithms = [...new Set<Algorithm>(['sha256', ...promised])]
    this.#digestsAlong = promised.length > 0
  }

  /** Bytes taken over so far. */
  get received(): number {
    return this.#received
  }

  /** The whole body, where it is small enough to live in its record. */
  get inline(): Uint8Array | undefined {
    return this.#spilled ? undefined : Buffer.concat(this.#recent)
  }

  /** How far followers may read. A body longer than its remote told gives its last byte away no sooner. */
  get #visible(): number {
    return this.#sealed || this.length === undefined ? this.#received : Math.min(this.#received, this.length - 1)
  }

  /** Takes over a chunk (its memory too); resolves when the next is welcome. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#recent.push(chunk)
    this.#received += chunk.length
    this.#wake()
    if (!this.#spilled && this.#received <= inlineLimit) return
    if (this.#spilled) this.#queue.push(chunk)
    else this.#queue = [...this.#recent]
    this.#queued = this.#received - this.#written
    this.#spilled = true
    this.#writing ??= this.#drain()
    this.#writing.catch(() => {})
    if (this.#queued > writeBacklog) await this.#writing
  }

  /** SHA-256 and the promised digests of all that was taken over so far. */
  async digests(): Promise<Digests> {
    if (this.#recentFrom === 0) return this.#digestsNow()
    const size = this.#received
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    return this.#digestRun().digests(size)
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
    try {
      await this.#digesting?.end()
      if (this.#spilled) await rm(this.file, { force: true })
    } finally {
      // Last, so that whoever finds this fill under way until it is released can still follow it.
      this.#descriptor.release()
    }
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
        if (available > 0) return this.#read(into, position, available)
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
    return { read, close, peek: (position, end) => (closed ? [] : this.#peek(position, end)) }
  }

  #peek(position: number, end: number): Uint8Array[] {
    const to = Math.min(end, this.#visible)
    return position < this.#recentFrom ? [] : slices(this.#recent, position - this.#recentFrom, to - this.#recentFrom)
  }

  #read(into: Uint8Array, position: number, length: number): number | Promise<number> {
    if (position >= this.#recentFrom) return copyOut(this.#recent, into, position - this.#recentFrom, length)
    return this.#descriptor.read(into, position, Math.min(length, this.#written - position))
  }

  /** Writes the queue in as few calls as it takes. */
  async #drain(): Promise<void> {
    try {
      if (this.#written === 0) this.#descriptor.fd = await openFile(this.file, 'wx+', 0o600)
      while (this.#queue.length > 0) {
        const batch = this.#queue
        const bytes = this.#queued
        this.#queue = []
        await writeFully(this.#descriptor.fd, batch)
        this.#written += bytes
        this.#queued = this.#received - this.#written
        this.#forgetWritten()
      }
    } catch (error) {
      this.fail(new LarderError('STORE_FAULT', `cannot write the staged file ${this.file}`, { cause: error }))
      throw this.#failure
    } finally {
      this.#writing = undefined
    }
  }

  /** Lets the oldest chunks go that the file has, and has the digester take them in. */
  #forgetWritten(): void {
    let gone = 0
    for (const { length } of this.#recent) {
      const from = this.#recentFrom + length
      if (from > this.#written || this.#received - from < recentLimit) break
      this.#recentFrom = from
      gone += 1
    }
    this.#recent.splice(0, gone)
    if (this.#digestsAlong && this.#recentFrom > 0 && this.#written - this.#digested >= digestStep) {
      this.#digested = this.#written
      this.#digestRun().advance(this.#written)
    }
  }

  #digestRun(): DigestRun {
    this.#digesting ??= this.digester.start(this.#descriptor.fd, this.#algorithms)
    return this.#digesting
  }

  #digestsNow(): Digests {
    const digest = (algorithm: Algorithm) => {
      const hash = createHash(algorithm)
      for (const chunk of this.#recent) hash.update(chunk)
      return hash.digest('hex')
    }
    return { sha256: digest('sha256'), ...(this.#algorithms.includes('md5') && { md5: digest('md5') }) }
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }
}
