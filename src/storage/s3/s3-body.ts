import type { Readable } from 'node:stream'
import { deadline } from '../../deadline.js'
import { LarderError } from '../../errors.js'
import type { OpenBody } from '../blob-store.js'
import type { Bucket } from './bucket.js'

/*
 * A body is read through one request after another, each for a window of it: small at first, for many want a few bytes only,
 * and doubled as long as reading goes on where it was. Bytes of a window are taken off the wire as they are asked for.
 */
const firstWindow = 1024 * 1024
const largestWindow = 64 * 1024 * 1024

/** ms without a byte while one is waited for. */
const longestStall = 10_000

const attempts = 4

/** `closed` is told once, when the last read has ended. */
export function openS3Body(bucket: Bucket, name: string, size: number, closed: () => void): OpenBody {
  let length = firstWindow
  let current: Window | undefined
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false

  const next = async (position: number): Promise<Window> => {
    if (current?.position === position && position < current.end) return current
    length = current?.position === position ? Math.min(2 * length, largestWindow) : firstWindow
    current?.leave()
    current = undefined
    const end = Math.min(size, position + length)
    const stream = await bucket.stream(name, position, end)
    if (!stream) throw new Error('the blob is gone')
    current = openWindow(stream, position, end)
    return current
  }

  const readNow = async (into: Uint8Array, position: number): Promise<number> => {
    for (let tried = 1; ; tried += 1) {
      const window = await next(position)
      try {
        return await window.take(into)
      } catch (error) {
        window.leave()
        current = undefined
        if (tried === attempts) throw new LarderError('STORE_FAULT', 'the bucket cuts a blob', { cause: error })
      }
    }
  }

  return {
    read(into, position) {
      if (position >= size || into.length === 0) return Promise.resolve(0)
      const reading = last.then(() => readNow(into, position))
      last = reading.catch(() => {})
      return reading
    },
    close() {
      if (isClosed) return
      isClosed = true
      void last.then(() => {
        current?.leave()
        closed()
      })
    },
  }
}

interface Window {
  readonly position: number
  readonly end: number
  /** Fills as much of `into` as the window has; throws where it is cut. */
  take(into: Uint8Array): Promise<number>
  leave(): void
}

function openWindow(stream: Readable, start: number, end: number): Window {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
  let position = start
  let rest: Buffer = Buffer.alloc(0)
  // A window that nobody reads may be cut; that is told by the next read.
  stream.on('error', () => {})

  const more = async (): Promise<Buffer> => {
    const met = deadline(longestStall, () => stream.destroy(new Error('no byte came for too long')))
    const { done, value } = await chunks.next().finally(met)
    if (done) throw new Error('the answer was cut')
    return value
  }

  return {
    get position() {
      return position
    },
    end,
    async take(into) {
      const wanted = Math.min(into.length, end - position)
      let taken = 0
      while (taken < wanted) {
        if (rest.length === 0) rest = await more()
        const part = rest.subarray(0, wanted - taken)
        into.set(part, taken)
        rest = rest.subarray(part.length)
        taken += part.length
      }
      position += taken
      return taken
    },
    leave() {
      // What has come whole leaves its connection to the next; the rest of a cut one is not worth waiting for.
      if (position < end) stream.destroy()
      else stream.resume()
    },
  }
}
