import { once } from 'node:events'
import type { Transform } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import { rewriteFailed } from './faults.js'

const chunkSize = 64 * 1024

/**
 * What the members of a gzip hold, one after the other; zeros that pad it are left out. Ends when `chunks` have ended well.
 * Throws what they throw, and `REWRITE_FAILED` where they are no gzip, or one that breaks off.
 */
export const gunzip = (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> =>
  through(createGunzip({ chunkSize }), chunks)

/**
 * Bytes depend on what is packed and on zlib, and on nothing else: not on how it was cut into chunks, nor on the time. The
 * level is zlib's own; the one an original was packed with can't be known.
 */
export const gzip = (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> =>
  through(createGzip({ chunkSize, level: 6 }), evenly(chunks))

/** The same bytes in chunks of one size but for the last, which comes when there are no more: they have ended well. */
export async function* evenly(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let chunk = Buffer.allocUnsafeSlow(chunkSize)
  let filled = 0
  for await (const bytes of chunks) {
    for (let at = 0; at < bytes.length; ) {
      if (filled === chunkSize) {
        yield chunk
        chunk = Buffer.allocUnsafeSlow(chunkSize)
        filled = 0
      }
      const part = bytes.subarray(at, at + chunkSize - filled)
      chunk.set(part, filled)
      filled += part.length
      at += part.length
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}

async function* through(engine: Transform, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let fault: unknown
  engine.on('error', () => {})
  const fed = feed(engine, chunks).catch((error: unknown) => {
    fault = error
    engine.destroy()
  })
  try {
    for await (const chunk of engine) yield chunk as Buffer
    await fed
  } catch (error) {
    throw fault ?? rewriteFailed('what is packed is not whole', error)
  } finally {
    engine.destroy()
  }
  if (fault !== undefined) throw fault
}

async function feed(engine: Transform, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) {
    // An engine that has come to its end leaves the rest unread, but whether the rest ends well is to be seen.
    if (engine.readableEnded) continue
    if (engine.destroyed) return
    if (!engine.write(chunk)) await drained(engine)
  }
  if (!engine.destroyed) engine.end()
}

async function drained(engine: Transform): Promise<void> {
  const over = new AbortController()
  const { signal } = over
  await Promise.race([once(engine, 'drain', { signal }), once(engine, 'close', { signal })]).catch(() => {})
  over.abort()
}
