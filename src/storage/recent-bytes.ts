import { copyOut, slices } from './chunks.js'

/** The newest bytes of a body that is coming in, as the chunks they came in. */
export class RecentBytes {
  #chunks: Uint8Array[] = []
  #from = 0
  #to = 0

  /** The position of the first byte that is still here. */
  get from(): number {
    return this.#from
  }

  /** All that ever came. */
  get to(): number {
    return this.#to
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#to += chunk.length
  }

  /** Lets the chunks go that end at or before `position`. */
  dropBefore(position: number): void {
    let gone = 0
    for (const { length } of this.#chunks) {
      if (this.#from + length > position) break
      this.#from += length
      gone += 1
    }
    this.#chunks.splice(0, gone)
  }

  /** What is here of the bytes from `start` on, to `end` (exclusive); nothing where `start` is gone. */
  views(start: number, end: number): Uint8Array[] {
    return start < this.#from ? [] : slices(this.#chunks, start - this.#from, end - this.#from)
  }

  /** Copies `length` bytes from `position` on, which must be here; returns how many it were. */
  copy(into: Uint8Array, position: number, length: number): number {
    return copyOut(this.#chunks, into, position - this.#from, length)
  }
}
