import type { Algorithm } from '../caching/integrity.js'
import { inlineLimit } from '../caching/record.js'
import { LarderError } from '../errors.js'
import { Audience } from './audience.js'
import type { OpenBody } from './blob-store.js'
import { BodyDigests } from './body-digests.js'
import type { Digester, Digests } from './digester.js'
import { RecentBytes } from './recent-bytes.js'
import { StagedFile } from './staged-file.js'
import { Waiters } from './waiters.js'

/** Bytes that may wait for the disk before the remote is told to wait. */
const writeBacklog = 1 * 1024 * 1024

/** The newest bytes are kept in memory, this many: who keeps up with the remote needs no file. */
const recentLimit = 256 * 1024

export interface StagedBodyOptions {
  readonly file: string
  /** Bytes, where the remote tells. */
  readonly length: number | undefined
  /** The digests its last byte waits for. */
  readonly promised: readonly Algorithm[]
  readonly digester: Digester
  /** Whether a body of so many bytes may be stored. Asked at first, and again while a body of unknown length grows. */
  readonly room: (bytes: number | undefined) => boolean
  /** Told when the writer lets go. */
  readonly released: () => void
  /** Told why the file could not be written. */
  readonly failed: (error: unknown) => void
}

/**
 * A growing body: one writer, any number of followers, each at its own pace from byte 0 (C6).
 * It stays in memory up to `inlineLimit` and goes to its file beyond. Until `seal` followers never get the last byte (C7).
 *
 * Without room for the file, from the beginning or from some byte on, it is adrift (K7): what comes goes through memory at
 * the pace of one follower, its lead; the others have what is still here, and then a `NO_ROOM`, to ask for themselves.
 */
export class StagedBody {
  readonly length: number | undefined
  /** Resolves when the body goes adrift, if ever. */
  readonly parted: Promise<void>
  #part = () => {}
  /** Resolves when, adrift, it has lost its last follower, if ever: no more bytes are wanted. */
  readonly forsaken: Promise<void>
  #forsake = () => {}
  readonly #options: StagedBodyOptions
  readonly #recent = new RecentBytes()
  readonly #waiters = new Waiters()
  readonly #audience = new Audience(this.#recent, this.#waiters)
  readonly #file: StagedFile
  readonly #digests: BodyDigests
  #spilled = false
  #sealed = false
  #hasRoom: boolean
  #adrift = false
  #failure: unknown
  #writing: Promise<void> | undefined

  constructor(options: StagedBodyOptions) {
    const { length, file, digester, promised, room } = options
    this.#options = options
    this.length = length
    this.#file = new StagedFile(file)
    this.#digests = new BodyDigests(digester, this.#file, promised)
    this.#hasRoom = room(length)
    this.parted = new Promise((resolve) => {
      this.#part = resolve
    })
    this.forsaken = new Promise((resolve) => {
      this.#forsake = resolve
    })
  }

  /** The path of its file, where it has one. */
  get file(): string {
    return this.#file.path
  }

  /** Bytes taken over so far. */
  get received(): number {
    return this.#recent.to
  }

  /** Why no more bytes will come, if so. */
  get failure(): unknown {
    return this.#failure
  }

  /** Whether there is room for it, as far as is known: without, it is never to be published. */
  get kept(): boolean {
    return this.#hasRoom
  }

  /** The whole body, where it is small enough to live in its record. */
  get inline(): Uint8Array | undefined {
    return this.#spilled ? undefined : Buffer.concat(this.#recent.views(0, this.received))
  }

  /** How far followers may read. A body longer than its remote told gives its last byte away no sooner. */
  get #visible(): number {
    return this.#sealed || this.length === undefined ? this.received : Math.min(this.received, this.length - 1)
  }

  /** Takes over a chunk (its memory too); resolves when the next is welcome. Throws `NO_ROOM` once nobody is left to take it. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#recent.push(chunk)
    this.#waiters.wake()
    if (!this.#spilled && this.received <= inlineLimit) return
    this.#spilled = true
    if (this.#adrift) this.#digests.take(chunk)
    else if (!this.#hasRoom) this.#goAdrift()
    else if (this.received > this.#file.written) this.#writing ??= this.#drain()
    if (this.received - this.#file.written > writeBacklog) await this.#writing
    if (this.#adrift) await this.#outflow()
  }

  /** SHA-256 and the promised digests of all that was taken over so far; adrift, only where some were promised. */
  async digests(): Promise<Digests | undefined> {
    const size = this.received
    if (this.#recent.from === 0) return this.#digests.ofChunks(this.#recent.views(0, size))
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    return this.#digests.of(size)
  }

  /** The body is whole and has passed its checks: once the file has all of it, followers may have the last byte. */
  async seal(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    this.#sealed = true
    this.#waiters.wake()
  }

  /** No more bytes will come: followers get `error` once they have read what is here. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#waiters.wake()
  }

  /** The writer lets go; a file nobody took over is removed. Followers keep what they have open. */
  async release(): Promise<void> {
    await this.#writing
    await this.#digests.end()
    await this.#file.remove().catch(this.#options.failed)
    // Last, so that whoever finds this fill under way until it is released can still follow it.
    this.#file.release()
    this.#options.released()
  }

  /** Resolves with the size once the body is sealed, `undefined` where it will not be known before the last byte is read. */
  async whole(): Promise<number | undefined> {
    while (!this.#sealed) {
      if (this.#adrift) return undefined
      if (this.#failure !== undefined) throw this.#failure
      await this.#waiters.change()
    }
    return this.received
  }

  follow(): OpenBody {
    const follower = {}
    let closed = false
    this.#file.hold()
    this.#audience.join()
    const read = async (into: Uint8Array, position: number): Promise<number> => {
      while (!closed) {
        if (this.#adrift && !this.#reaches(follower, position)) throw noRoom()
        const available = Math.min(into.length, this.#visible - position)
        if (available > 0) return this.#read(into, position, available)
        if (this.#sealed) return 0
        if (this.#failure !== undefined) throw this.#failure
        await this.#waiters.change()
      }
      return 0
    }
    const peek = (position: number, end: number): readonly Uint8Array[] => {
      if (closed) return []
      // The lead takes from here too, and what it has passed makes room.
      if (this.#audience.isLed(follower)) this.#audience.letLead(follower, position)
      return this.#recent.views(position, Math.min(end, this.#visible))
    }
    const close = () => {
      if (closed) return
      closed = true
      this.#audience.leave(follower)
      this.#file.release()
    }
    return { read, peek, close }
  }

  #read(into: Uint8Array, position: number, length: number): number | Promise<number> {
    if (position >= this.#recent.from) return this.#recent.copy(into, position, length)
    return this.#file.read(into, position, length)
  }

  /** Adrift: whether there is, or will be, something at `position` for a follower. All have what is left in file and memory. */
  #reaches(follower: object, position: number): boolean {
    if (this.#audience.letLead(follower, position) || position < this.#file.written) return true
    return position >= this.#recent.from && (position < this.#visible || (this.#sealed && position >= this.received))
  }

  /** Adrift: resolves when the lead has kept up. */
  async #outflow(): Promise<void> {
    while (this.#failure === undefined) {
      if (this.#audience.behind(this.#visible) <= recentLimit) return
      await this.#waiters.change()
    }
    throw this.#failure
  }

  #goAdrift(): void {
    this.#hasRoom = false
    this.#adrift = true
    this.#digests.endFile()
    for (const bytes of this.#recent.views(this.#file.written, this.received)) this.#digests.take(bytes)
    this.#part()
    this.#waiters.wake()
    void this.#audience.gone().then(() => {
      if (!this.#sealed) this.fail(noRoom())
      this.#forsake()
    })
  }

  /** Writes what the file doesn't have yet, in as few calls as it takes. */
  async #drain(): Promise<void> {
    try {
      while (this.#file.written < this.received && this.#stillHasRoom()) {
        await this.#file.append(this.#recent.views(this.#file.written, this.received))
        // The oldest chunks go that the file has.
        this.#recent.dropBefore(Math.min(this.#file.written, this.received - recentLimit))
        if (this.#recent.from > 0) this.#digests.fileGrew()
      }
    } catch (error) {
      this.#options.failed(error)
      this.#hasRoom = false
    } finally {
      this.#writing = undefined
    }
    if (!this.#hasRoom) this.#goAdrift()
  }

  #stillHasRoom(): boolean {
    this.#hasRoom &&= this.length !== undefined || this.#options.room(this.received)
    return this.#hasRoom
  }
}

const noRoom = () => new LarderError('NO_ROOM', 'there is no room for what comes in')
