import type { Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import type { ArtifactRequest } from './ask.js'
import { collected } from './collected.js'
import type { Pace } from './pace.js'
import { isSuccess } from './receive.js'
import { classifyRefusal, whyNot } from './refusal.js'
import type { Resolution, Resolve } from './resolution.js'

/** An artifact that is to be here before a client asks for it. */
export interface WarmRequest {
  readonly repository: Repository
  /** Path and query as a client would write them, checked (C10). */
  readonly target: string
  /** Ends the waiting; a fill that was begun goes on, as it does behind a client who left (C6). */
  readonly signal: AbortSignal
  readonly pace?: Pace | undefined
  /** Called once where a body is coming in. */
  readonly incoming?: (incoming: Incoming) => void
}

export interface Incoming {
  /** Bytes, where the remote told. */
  readonly size: number | undefined
  received(): number
}

/** How it comes to be here. `stale`: from before, while its remote is in trouble. */
export type Readiness = 'present' | 'validated' | 'fetched' | 'stale'

export type Warmed =
  | { readonly kind: 'ready'; readonly how: Readiness; readonly bytes: number }
  | { readonly kind: 'failed'; readonly error: LarderError }

/** What a GET does, for nobody: what it brings is stored, and is neither a use nor a hit (K6). */
export interface Warming {
  /** Resolves when it is stored durably, or can't be. Throws the signal's reason when it is aborted. */
  ensure(request: WarmRequest): Promise<Warmed>
  /** The bytes of an artifact that lists others, `most` of them at most. Throws `LarderError`. */
  read(request: WarmRequest & { readonly most: number; readonly validated?: boolean }): Promise<Uint8Array>
}

/** `publicUrl`: what rewritten URLs begin with; where only requests tell, the originals are made ready. */
export function createWarming(resolve: Resolve, publicUrl: () => string | undefined): Warming {
  const get = (
    { repository, target, signal, pace }: WarmRequest,
    more: Pick<ArtifactRequest, 'validated' | 'publicUrl'>,
  ) =>
    resolve({
      ...{ repository, method: 'GET', target, warming: true, pace, ...more },
      // Where `Vary` chooses by it, what curl would get.
      headers: ['Accept', '*/*'],
      leaving: () => signal,
    })

  return {
    async ensure(request) {
      const { signal } = request
      signal.throwIfAborted()
      const resolution = await unlessAborted(signal, Promise.resolve(get(request, { publicUrl: publicUrl() })))
      if (resolution.kind !== 'artifact') return { kind: 'failed', error: whyNot(resolution, request.repository) }
      const { size, body, status, headers } = resolution.artifact
      switch (body.kind) {
        case 'growing': {
          request.incoming?.({ size, received: body.received })
          const error = await unlessAborted(signal, body.unstored())
          if (error) return { kind: 'failed', error }
          break
        }
        case 'passing':
          body.discard()
          return { kind: 'failed', error: new LarderError('NOT_STORED', 'its remote forbids to store it') }
        case 'stored':
          body.body.close()
      }
      // A plain shared cache stores errors, too.
      if (!isSuccess(status))
        return { kind: 'failed', error: whyNot(classifyRefusal(status, headers), request.repository) }
      const bytes = body.kind === 'growing' ? body.received() : (size ?? 0)
      return { kind: 'ready', how: readinessOf(resolution), bytes }
    },

    async read(request) {
      const { signal, validated = false } = request
      const resolution = await unlessAborted(signal, Promise.resolve(get(request, { validated })))
      if (resolution.kind !== 'artifact') throw whyNot(resolution, request.repository)
      const bytes = await unlessAborted(signal, collected(resolution.artifact, request.most))
      if (bytes) return bytes
      throw new LarderError('NOTHING_LISTED', `it has more than ${request.most} bytes: no list of artifacts has`)
    },
  }
}

function readinessOf({ cache }: Resolution): Readiness {
  if (cache.outcome === 'miss') return 'fetched'
  if (cache.outcome === 'stale') return 'stale'
  if (cache.outcome === 'revalidated') return 'validated'
  return cache.collapsed ? 'fetched' : 'present'
}

/** What `work` comes to; whoever waits need not wait for its end. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    if (signal.aborted) leave()
  })
}
