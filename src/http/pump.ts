import type { ServerResponse } from 'node:http'
import type { ByteRange } from '../caching/preconditions.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'

const chunkBytes = 256 * 1024
const sparesKept = 64

/** Buffers for sending, used again: a chunk allocated for each read would cost more than the read. */
export interface BufferPool {
  take(): Buffer
  give(buffer: Buffer): void
}

export function createBufferPool(): BufferPool {
  const spares: Buffer[] = []
  return {
    take: () => spares.pop() ?? Buffer.allocUnsafeSlow(chunkBytes),
    give(buffer) {
      if (spares.length < sparesKept) spares.push(buffer)
    },
  }
}

export interface Pumped {
  readonly response: ServerResponse
  readonly body: OpenBody
  /** To the end of the body where its size isn't known. */
  readonly range: ByteRange | { readonly start: number; readonly end: undefined }
  readonly pool: BufferPool
  /** Called once, when the first bytes are here and before they go out. */
  readonly begin: () => void
  readonly sent: (bytes: number) => void
}

/**
 * Sends a part of a body at the client's pace: the next chunk is read while one is on its way. Resolves when all of it was
 * handed over; throws what the body throws, and `UPSTREAM_CUT` where it ends before the range does.
 */
export async function pump({ response, body, range, pool, begin, sent }: Pumped): Promise<void> {
  const buffers: Buffer[] = []
  const end = range.end === undefined ? Number.POSITIVE_INFINITY : range.end + 1
  let position = range.start
  let underWay: Promise<void> = Promise.resolve()
  let turn = 0

  /** Into the buffer that isn't on its way. */
  const read = async (from: number): Promise<Uint8Array> => {
    buffers[turn] ??= pool.take()
    const buffer = buffers[turn] as Buffer
    turn = 1 - turn
    const count = await body.read(buffer.subarray(0, Math.min(buffer.length, end - from)), from)
    return buffer.subarray(0, count)
  }

  /** No more at a time than a buffer holds: what a slow client has not taken yet stays in memory for it. */
  const peek = (from: number) => body.peek?.(from, Math.min(end, from + chunkBytes)) ?? []

  try {
    while (position < end) {
      // More may have come by the time the last bytes are gone; fewer, larger writes cost less.
      if (peek(position).length > 0) await underWay
      const ready = peek(position)
      const chunks = ready.length > 0 ? ready : [await read(position)]
      const count = chunks.reduce((sum, { length }) => sum + length, 0)
      if (count === 0) break
      if (position === range.start) begin()
      await underWay
      underWay = write(response, ...chunks)
      underWay.catch(() => {})
      position += count
      sent(count)
    }
    if (range.end !== undefined && position < end) {
      throw new LarderError('UPSTREAM_CUT', `the body ended at byte ${position} of ${end}`)
    }
    if (position === range.start) begin()
    await underWay
  } finally {
    await underWay.catch(() => {})
    for (const buffer of buffers) pool.give(buffer)
  }
}

/** Sends chunks as they come, at the client's pace. */
export async function pumpChunks(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  begin: () => void,
  sent: (bytes: number) => void,
): Promise<void> {
  let begun = false
  for await (const chunk of chunks) {
    if (!begun) begin()
    begun = true
    await write(response, chunk)
    sent(chunk.length)
  }
  if (!begun) begin()
}

/** Resolves when the kernel has taken the bytes, in one call where it can; rejects with `ClientGone` when the client left. */
export function write(response: ServerResponse, ...chunks: (Uint8Array | string)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new ClientGone())
    if (response.destroyed) return gone()
    const last = chunks.pop() ?? ''
    response.once('close', gone)
    response.cork()
    for (const chunk of chunks) response.write(chunk)
    response.write(last, (error) => {
      response.off('close', gone)
      if (error) gone()
      else resolve()
    })
    response.uncork()
  })
}

/** The client left; nobody's fault, and nothing to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}
