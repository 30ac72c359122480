import { cacheKey, keyTarget } from '../caching/cache-key.js'
import type { RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import { forwardedHeaders } from './request-headers.js'

export interface ArtifactRequest {
  readonly repository: Repository
  readonly method: 'GET' | 'HEAD'
  /** Path and query as the client wrote them, checked (C10). */
  readonly target: string
  readonly headers: RawHeaders
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

  get remote(): string {
    return this.repository.remotes[0]
  }

  /** The key at this remote: what was learnt of another, before a reload, says nothing of it. */
  get remoteKey(): string {
    return `${this.remote}\n${this.key}`
  }

  /** The client's fields that go to the remote; worked out only where a miss or a `Vary` needs them. */
  get forwarded(): RawHeaders {
    this.#forwarded ??= forwardedHeaders(this.request.headers, this.repository.forwardRequestHeaders)
    return this.#forwarded
  }
}
