import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { field, fieldLines, type RawHeaders } from '../caching/headers.js'
import { deadline } from '../deadline.js'
import { cutBody, invalidAnswer, isUnparsable, timedOut } from './faults.js'
import type { UpstreamResponse } from './upstream.js'

export interface Framing {
  readonly kind: UpstreamResponse['framing']
  /** Bytes to come; undefined where only the end tells. */
  readonly length: number | undefined
}

/** How the end of the body will be known (RFC 9112 §6.3). Throws `UPSTREAM_INVALID` where two ends are promised. */
export function framingOf(method: 'GET' | 'HEAD', response: IncomingMessage, host: string): Framing {
  const headers: RawHeaders = response.rawHeaders
  const codings = field(headers, 'transfer-encoding')
  const lengths = new Set(
    fieldLines(headers, 'content-length')
      .flatMap((line) => line.split(','))
      .map((value) => value.trim()),
  )
  if (lengths.size > 1) throw invalidAnswer(host, 'its Content-Length fields differ')
  if (codings !== undefined && lengths.size > 0)
    throw invalidAnswer(host, 'it sent Content-Length with Transfer-Encoding')
  // We pass bodies on undecoded but for the chunks: a further transfer coding would end up inside the artifact.
  if (codings !== undefined && (codings.toLowerCase() !== 'chunked' || response.httpVersion === '1.0')) {
    throw invalidAnswer(host, 'its Transfer-Encoding is not understood')
  }
  if (method === 'HEAD' || response.statusCode === 204 || response.statusCode === 304)
    return { kind: 'none', length: 0 }
  if (codings !== undefined) return { kind: 'chunked', length: undefined }
  const [length] = lengths
  if (length === undefined) return { kind: 'close', length: undefined }
  if (!/^\d+$/.test(length)) throw invalidAnswer(host, 'its Content-Length is not a number')
  return { kind: 'length', length: Number(length) }
}

export interface BodySource {
  readonly stream: Readable
  readonly response: IncomingMessage
  readonly framing: Framing
  /** Milliseconds a reader waits for a chunk at most. */
  readonly stall: number
  readonly host: string
  readonly signal: AbortSignal | undefined
}

export interface Body extends AsyncIterable<Uint8Array> {
  /** Lets go of the connection; keeps it for the next request where hardly anything is left to come. */
  discard(): void
}

/** What is left of an unwanted body is read up to this many bytes and for this long (ms), to keep the connection. */
const worthDraining = { bytes: 64 * 1024, time: 1_000 }

/**
 * The body as a sequence of chunks, each newly allocated and the reader's to keep. Nothing is read ahead of the reader
 * beyond the socket's high-water mark.
 */
export function bodyOf(source: BodySource): Body {
  const { stream, response, framing } = source
  let received = 0
  let discarded = false

  function discard() {
    if (discarded) return
    discarded = true
    const left = framing.length === undefined ? Number.POSITIVE_INFINITY : framing.length - received
    if (left > worthDraining.bytes || stream.destroyed) {
      stream.destroy()
      return
    }
    const timer = setTimeout(() => stream.destroy(), worthDraining.time)
    response.once('close', () => clearTimeout(timer))
    stream.removeAllListeners('readable')
    stream.resume()
  }

  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const changes = watchStream(stream)
    try {
      for (;;) {
        const chunk: Uint8Array | null = stream.read()
        if (chunk !== null) {
          received += chunk.length
          yield chunk
        } else if (stream.readableEnded || changes.failed()) {
          break
        } else if (!(await changes.next(source.stall))) {
          throw timedOut(source.host, 'more of the body')
        }
      }
      requireWhole(source, received)
      discarded = true
    } catch (error) {
      stream.destroy()
      throw error
    } finally {
      discard()
    }
  }

  return { [Symbol.asyncIterator]: chunks, discard }
}

/** Counts for itself, whatever the parser thought of the body's end. */
function requireWhole({ stream, response, framing, host, signal }: BodySource, received: number): void {
  const promised = framing.length ?? received
  if (stream.readableEnded && response.complete && received === promised) return
  signal?.throwIfAborted()
  // Within a body of known length the parser has nothing to find fault with: these are bytes behind it.
  if (received > promised || (framing.kind === 'length' && isUnparsable(stream.errored))) {
    throw invalidAnswer(host, `it sent more than the ${promised} bytes it promised`)
  }
  throw cutBody(host, received, stream.errored ?? undefined)
}

interface StreamChanges {
  /** Resolves when the stream has something new to tell, `false` when it hasn't for `timeout` ms. */
  next(timeout: number): Promise<boolean>
  failed(): boolean
}

function watchStream(stream: Readable): StreamChanges {
  let wake: (() => void) | undefined
  const changed = () => wake?.()
  stream.on('readable', changed)
  stream.on('end', changed)
  stream.on('close', changed)
  stream.on('error', changed)
  return {
    next: (timeout) =>
      new Promise((resolve) => {
        const met = deadline(timeout, () => resolve(false))
        wake = () => {
          met()
          wake = undefined
          resolve(true)
        }
      }),
    failed: () => stream.destroyed,
  }
}
