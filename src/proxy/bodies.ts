import type { ByteRange } from '../caching/preconditions.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'
import { inMemory } from '../storage/in-memory.js'
import type { ArtifactBody } from './resolution.js'

/** To be read by position; `range`: what of it. Throws `INTERNAL` for one that can't be. */
export function opened(body: ArtifactBody, range: ByteRange | undefined): OpenBody {
  switch (body.kind) {
    case 'stored':
      return body.body
    case 'growing':
      return body.follow(range)
    case 'inline':
      return inMemory(body.bytes)
    default:
      throw new LarderError('INTERNAL', `a ${body.kind} body can't be read by position`)
  }
}

/** Lets go of a body that is not wanted. */
export function release(body: ArtifactBody): void {
  if (body.kind === 'stored') body.body.close()
  if (body.kind === 'passing') body.discard()
}

/** Chunks, read from their beginning and once. */
export function inOrder(chunks: AsyncIterable<Uint8Array>): OpenBody {
  const coming = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array()
  let at = 0
  return {
    async read(into, position) {
      if (position !== at) throw new LarderError('INTERNAL', `read at ${position} what can be read at ${at} only`)
      while (rest.length === 0) {
        const { value, done } = await coming.next()
        if (done) return 0
        rest = value
      }
      const part = rest.subarray(0, into.length)
      into.set(part)
      rest = rest.subarray(part.length)
      at += part.length
      return part.length
    },
    close: () => void coming.return?.().catch(() => {}),
  }
}
