import { field, type RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import { type ErrorCode, isLarderError, LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'
import { isTransient } from './attempt.js'
import { faultOf } from './fault.js'
import { type Proof, provenChunks } from './proof.js'
import { mayBeSame, provesWhole, sizeIfContinued, strongValidator } from './same-body.js'
import type { BodySource, SourceResponse } from './source.js'

export interface AloneOptions {
  readonly repository: Repository
  readonly source: BodySource
  /** What the fill asked with. */
  readonly headers: RawHeaders
  /** The answer whose head the client has. */
  readonly first: SourceResponse
  readonly proof: Proof
}

/**
 * A body that one client reads off the remote by itself (K7): from wherever it is, at its own pace. What goes on in the middle
 * can't be held to a promised digest, but for its length; a pinned body is always fetched, and proven, from its first byte.
 * Throws where the remote has another version by now.
 */
export function readAlone(options: AloneOptions): OpenBody {
  const { repository } = options
  const leaving = new AbortController()
  let chunks: AsyncIterator<Uint8Array> | undefined
  let rest: Uint8Array = new Uint8Array()
  /** The position of the first byte of `rest`. */
  let at = 0
  let resumes = 0

  const next = async (): Promise<Uint8Array | undefined> => {
    for (;;) {
      try {
        chunks ??= (await openAt(options, at, leaving.signal))[Symbol.asyncIterator]()
        const { value, done } = await chunks.next()
        return done ? undefined : value
      } catch (error) {
        chunks = undefined
        const healable = isTransient(faultOf(error), repository) && !leaving.signal.aborted
        if (!healable || resumes >= repository.upstream.retry.resumes) throw error
        resumes += 1
      }
    }
  }

  const moveTo = (position: number) => {
    letGo(chunks)
    chunks = undefined
    rest = new Uint8Array()
    at = position
  }

  return {
    async read(into, position) {
      if (position !== at) moveTo(position)
      while (rest.length === 0) {
        const chunk = await next()
        if (!chunk) return 0
        rest = chunk
      }
      const part = rest.subarray(0, into.length)
      into.set(part)
      rest = rest.subarray(part.length)
      at += part.length
      return part.length
    },
    close() {
      leaving.abort()
      letGo(chunks)
    },
  }
}

/** What `along` has, and from where it fails its reader with that code on what `alone` has. */
export function orElse(along: OpenBody, code: ErrorCode, alone: () => OpenBody): OpenBody {
  let body = along
  let closed = false
  return {
    async read(into, position) {
      try {
        return await body.read(into, position)
      } catch (error) {
        if (closed || body !== along || !isLarderError(error) || error.code !== code) throw error
        along.close()
        body = alone()
        return body.read(into, position)
      }
    },
    peek: (position, end) => body.peek?.(position, end) ?? [],
    close() {
      closed = true
      body.close()
    },
  }
}

/** The same body from `position` on. */
async function openAt(options: AloneOptions, position: number, signal: AbortSignal) {
  const { repository, source, headers, first, proof } = options
  const validator = position > 0 && !proof.demanded ? strongValidator(first.headers) : undefined
  const conditions = validator === undefined ? [] : ['Range', `bytes=${position}-`, 'If-Range', validator]
  const response = await source.open({ method: 'GET', headers: [...headers, ...conditions], signal })
  if (response.status === 206 && sizeIfContinued(first, response, position) !== undefined) return response.body
  if (mayBeSame(first, response) && namesSame(first, response)) {
    return skipping(provenChunks(response.body, proof), position)
  }
  response.discard()
  // Of a body in chunks all may be here but the last one, which is empty.
  if (validator !== undefined && response.status === 416 && provesWhole(first, response, position)) return nothing()
  if (isTransient(response, repository)) throw new LarderError('UPSTREAM_CUT', `no more for now: ${response.status}`)
  throw new LarderError('UPSTREAM_INVALID', `the remote has no more of what was begun, from byte ${position} on`)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Something has to say that it is the same version: a length, else a validator, which agree as far as both tell them. */
function namesSame({ headers: first }: SourceResponse, { headers: again }: SourceResponse): boolean {
  const [length, lengthAgain] = [field(first, 'content-length'), field(again, 'content-length')]
  if (length !== undefined && lengthAgain !== undefined) return length === lengthAgain
  return (field(first, 'etag') ?? field(first, 'last-modified')) !== undefined
}

async function* skipping(chunks: AsyncIterable<Uint8Array>, position: number): AsyncGenerator<Uint8Array> {
  let passed = 0
  for await (const chunk of chunks) {
    const skipped = Math.min(chunk.length, position - passed)
    passed += skipped
    if (skipped < chunk.length) yield chunk.subarray(skipped)
  }
}

/** Ends a body nobody reads any more; how that ends is nobody's business either. */
function letGo(chunks: AsyncIterator<Uint8Array> | undefined): void {
  void chunks?.return?.().catch(() => {})
}
