import type { OpenBody } from '../storage/blob-store.js'
import { opened } from './bodies.js'
import type { Artifact } from './resolution.js'

/** The whole body of a small artifact; `undefined` where it has more than `most` bytes. */
export async function collected({ size, body }: Artifact, most: number): Promise<Uint8Array | undefined> {
  const tooLong = size !== undefined && size > most
  switch (body.kind) {
    case 'none':
      return undefined
    case 'inline':
      return tooLong ? undefined : body.bytes
    case 'passing': {
      const bytes = tooLong ? undefined : await collect(body.chunks, most)
      if (bytes === undefined) body.discard()
      return bytes
    }
    default: {
      const open = opened(body, undefined)
      try {
        return tooLong ? undefined : await collect(chunksOf(open), most)
      } finally {
        open.close()
      }
    }
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > most) return undefined
    parts.push(chunk)
  }
  return Buffer.concat(parts)
}

async function* chunksOf(body: OpenBody): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const into = new Uint8Array(64 * 1024)
    const count = await body.read(into, position)
    if (count === 0) return
    position += count
    yield into.subarray(0, count)
  }
}
