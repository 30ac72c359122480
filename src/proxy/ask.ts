import { cacheKey, keyTarget } from '../caching/cache-key.js'
import type { RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import type { Pace } from './pace.js'
import { forwardedHeaders } from './request-headers.js'

export interface ArtifactRequest {
  readonly repository: Repository
  readonly method: 'GET' | 'HEAD'
  /** Path and query as the client wrote them, checked (C10). */
  readonly target: string
  readonly headers: RawHeaders
  /** The remote's word is wanted, however fresh a stored copy is. */
  readonly validated?: boolean
  /** What is stored is wanted, however stale, and nothing asked of the remote. */
  readonly storedOnly?: boolean
  /** What our own URLs begin with for the client, where he may be served a rewritten body; without it he gets the original. */
  readonly publicUrl?: string | undefined
  /** A warm-up: nobody uses what it brings, so that it says nothing of how long to keep it (K6). */
  readonly warming?: boolean
  /** Holds a fill that this request begins back, until a client asks for the same. */
  readonly pace?: Pace | undefined
  /** A signal that comes when the client leaves; made only where it is asked for. */
  leaving(): AbortSignal
}

/** A request on its way through the proxy, with what was worked out about it. */
export class Ask {
  readonly repository: Repository
  /** What goes to the remote, and is keyed. */
  readonly target: string
  readonly key: string
  readonly now = Date.now()
  #forwarded: RawHeaders | undefined

  constructor(readonly request: ArtifactRequest) {
    this.repository = request.repository
    this.target = keyTarget(request.target, request.repository.query)
    this.key = cacheKey(request.repository.name, this.target)
  }

  /** The key at these remotes: what was learnt of others, before a reload, says nothing of it. */
  get remoteKey(): string {
    return `${this.repository.remotes.map(({ url }) => url).join(' ')}\n${this.key}`
  }

  /** The client's fields that go to the remote; worked out only where a miss or a `Vary` needs them. */
  get forwarded(): RawHeaders {
    this.#forwarded ??= forwardedHeaders(this.request.headers, this.repository.forwardRequestHeaders)
    return this.#forwarded
  }
}

/** The cache key within a `remoteKey`, or within what begins with one; neither URL nor key has a line feed. */
export const keyWithin = (remoteKey: string): string => remoteKey.split('\n', 2)[1] ?? ''
