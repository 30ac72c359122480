import type { OpenBody } from '../../storage/blob-store.js'
import { rewriteFailed } from './faults.js'

const chunkSize = 64 * 1024

/** The body's bytes from its beginning, until `left` aborts: then it throws, and waits no longer for bytes to come in. */
export async function* bodyChunks(body: OpenBody, left: AbortSignal): AsyncGenerator<Buffer, void, void> {
  let position = 0
  for (;;) {
    const into = Buffer.allocUnsafeSlow(chunkSize)
    const count = await unlessLeft(body.read(into, position), left)
    if (count === 0) return
    position += count
    // What is looked at stays in memory: a few bytes must not hold a whole chunk there.
    yield count < chunkSize / 2 ? Buffer.from(into.subarray(0, count)) : into.subarray(0, count)
  }
}

/** Bytes `start` to `end` (exclusive), which are there. */
export async function* bodyRange(body: OpenBody, start: number, end: number): AsyncGenerator<Buffer, void, void> {
  for (let position = start; position < end; ) {
    const chunk = await readRange(body, position, Math.min(end, position + chunkSize))
    if (chunk.length === 0) throw rewriteFailed('it is shorter than it was said to be')
    position += chunk.length
    yield chunk
  }
}

/** The same in one piece; fewer where the body ends. */
export async function readRange(body: OpenBody, start: number, end: number): Promise<Buffer> {
  const into = Buffer.allocUnsafeSlow(end - start)
  let filled = 0
  while (filled < into.length) {
    const count = await body.read(into.subarray(filled), start + filled)
    if (count === 0) break
    filled += count
  }
  return into.subarray(0, filled)
}

/** Waits until `left` aborts, and throws its reason then. */
export function unlessLeft<T>(promise: Promise<T>, left: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(left.reason)
    if (left.aborted) leave()
    left.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => left.removeEventListener('abort', leave))
  })
}
