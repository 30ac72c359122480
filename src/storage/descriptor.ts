import fs from 'node:fs'

/** A file descriptor that closes itself when its last holder, and the last read in flight, let go of it. */
export class Descriptor {
  #fd: number | undefined
  #holders = 1

  constructor(fd?: number) {
    this.#fd = fd
  }

  /** Throws once it is closed: the number may be another file's by then. */
  get fd(): number {
    if (this.#fd === undefined) throw new Error('the descriptor is not open')
    return this.#fd
  }

  set fd(fd: number) {
    this.#fd = fd
  }

  hold(): void {
    this.#holders += 1
  }

  release(): void {
    this.#holders -= 1
    if (this.#holders > 0 || this.#fd === undefined) return
    fs.close(this.#fd, () => {})
    this.#fd = undefined
  }

  /** Reads up to `length` bytes at `position`; resolves with how many came. */
  read(into: Uint8Array, position: number, length: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const { fd } = this
      this.hold()
      fs.read(fd, into, 0, length, position, (error, count) => {
        this.release()
        if (error) reject(error)
        else resolve(count)
      })
    })
  }
}
