import fs from 'node:fs'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { writeFully } from './chunks.js'
import { Descriptor } from './descriptor.js'

const openFile = promisify(fs.open)

/** The file of a body that comes in: made with its first bytes, open until its last holder lets go. */
export class StagedFile {
  readonly #descriptor = new Descriptor()
  #exists = false
  #written = 0

  constructor(readonly path: string) {}

  /** Bytes it has, all of them whole. */
  get written(): number {
    return this.#written
  }

  /** `undefined` as long as there is no file. */
  get fd(): number | undefined {
    return this.#exists ? this.#descriptor.fd : undefined
  }

  async append(chunks: readonly Uint8Array[]): Promise<void> {
    if (!this.#exists) this.#descriptor.fd = await openFile(this.path, 'wx+', 0o600)
    this.#exists = true
    await writeFully(this.#descriptor.fd, chunks)
    for (const { length } of chunks) this.#written += length
  }

  read(into: Uint8Array, position: number, length: number): Promise<number> {
    return this.#descriptor.read(into, position, Math.min(length, this.#written - position))
  }

  hold(): void {
    this.#descriptor.hold()
  }

  release(): void {
    this.#descriptor.release()
  }

  /** Unless someone took it over by its name. */
  async remove(): Promise<void> {
    if (this.#exists) await rm(this.path, { force: true })
  }
}
