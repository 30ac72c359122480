import fs from 'node:fs'

/** A file descriptor that closes itself when its last holder, and the last read in flight, let go of it. */
export class Descriptor {
  #fd: number | undefined
  #holders = 1

  constructor(fd?: number) {
    this.#fd = fd
  }

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
    if (this.#holders === 0 && this.#fd !== undefined) fs.close(this.#fd, () => {})
  }

  /** Reads up to `length` bytes at `position`; resolves with how many came. */
  read(into: Uint8Array, position: number, length: number): Promise<number> {
    this.hold()
    return new Promise((resolve, reject) => {
      fs.read(this.fd, into, 0, length, position, (error, count) => {
        this.release()
        if (error) reject(error)
        else resolve(count)
      })
    })
  }
}
