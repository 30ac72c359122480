/** Bytes in their order, which can be looked at before they are taken. Throws what reading them throws, each time. */
export interface Input {
  /** Looks at what comes next, behind all that was looked at before; `undefined` at the end. */
  ahead(): Promise<Buffer | undefined>
  /** Looks at the first `count` bytes; fewer at the end. */
  peek(count: number): Promise<Buffer>
  /** Bytes that were looked at and not taken: they are in memory. */
  held(): number
  /** Takes all that was looked at. */
  drop(): void
  /** Takes `count` bytes; fewer at the end. */
  take(count: number): Promise<Buffer>
  /** Takes at most `count` bytes of what comes next, at least one; `undefined` at the end. */
  some(count: number): Promise<Buffer | undefined>
  /** Takes all there is. */
  rest(): AsyncGenerator<Buffer, void, void>
}

/** Chunks up to this size are put together with those before them. */
const smallChunk = 32 * 1024

export function inputOf(chunks: AsyncIterator<Uint8Array>): Input {
  const source = readerOf(chunks)
  let held: Buffer[] = []
  let size = 0

  /** Each byte is copied a few times at most, however small the chunks are. */
  const hold = (chunk: Buffer) => {
    let last = chunk
    while (last.length <= smallChunk && (held.at(-1)?.length ?? Number.POSITIVE_INFINITY) <= last.length) {
      last = Buffer.concat([held.pop() as Buffer, last])
    }
    held.push(last)
    size += chunk.length
  }
  const ahead = async () => {
    const chunk = await source.next()
    if (chunk) hold(chunk)
    return chunk
  }
  const peek = async (count: number) => {
    while (size < count) if (!(await ahead())) break
    return Buffer.concat(held).subarray(0, count)
  }
  const some = async (count: number) => {
    if (held.length === 0 && !(await ahead())) return undefined
    const first = held.shift() as Buffer
    if (first.length > count) held.unshift(first.subarray(count))
    const taken = first.subarray(0, count)
    size -= taken.length
    return taken
  }
  const take = async (count: number) => {
    const taken: Buffer[] = []
    let left = count
    while (left > 0) {
      const chunk = await some(left)
      if (!chunk) break
      taken.push(chunk)
      left -= chunk.length
    }
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken)
  }
  async function* rest(): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const chunk = await some(Number.POSITIVE_INFINITY)
      if (!chunk) return
      yield chunk
    }
  }
  const drop = () => {
    held = []
    size = 0
  }
  return { ahead, peek, held: () => size, drop, take, some, rest }
}

/**
 * Chunks one after the other, none of them empty, for callers that don't wait for each other; one that was given up may
 * still be asking.
 */
function readerOf(chunks: AsyncIterator<Uint8Array>): { next(): Promise<Buffer | undefined> } {
  const read = async (): Promise<Buffer | undefined> => {
    for (;;) {
      const { done, value } = await chunks.next()
      if (done) return undefined
      if (value.length > 0) return Buffer.from(value.buffer, value.byteOffset, value.length)
    }
  }
  let last: Promise<Buffer | undefined> = Promise.resolve(undefined)
  return {
    next: () => {
      // An iterator that has thrown says from then on that it has ended: the fault must not be forgotten.
      last = last.then(read)
      return last
    },
  }
}
