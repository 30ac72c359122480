import type { RawHeaders } from '../caching/headers.js'
import type { Remote, UpstreamPolicy } from '../caching/repository.js'

/** PORT. One HTTP exchange with a remote; redirects are followed inside it (C8, U5). */
export interface Upstream {
  /**
   * Resolves when the final answer's head is here, whatever its status.
   * Throws `LarderError` when there is none: `UPSTREAM_UNREACHABLE | UPSTREAM_TIMEOUT | UPSTREAM_TLS | UPSTREAM_INVALID |
   * REDIRECT_REFUSED | REDIRECT_LIMIT`; `UPSTREAM_UNAUTHORIZED` where the egress proxy refuses our credentials,
   * `UPSTREAM_OVERLOADED` where no connection got free within `timeout.headers`, `INTERNAL` where the request could not be
   * made. Never retries.
   */
  fetch(request: UpstreamRequest): Promise<UpstreamResponse>
  close(): void
}

export interface UpstreamRequest {
  readonly method: 'GET' | 'HEAD'
  readonly remote: Remote
  /** Path and query to append, sent byte for byte (C10). */
  readonly target: string
  readonly headers: RawHeaders
  readonly policy: UpstreamPolicy
  readonly signal?: AbortSignal
}

export interface UpstreamResponse {
  readonly status: number
  readonly headers: RawHeaders
  /** ms since the epoch: the last request of the redirect chain was sent, its head arrived. */
  readonly requestTime: number
  readonly responseTime: number
  /** How the end of the body is known: `none` for HEAD, 204, 304. */
  readonly framing: 'length' | 'chunked' | 'close' | 'none'
  /**
   * The body, undecoded, to be read once. Ends only when its framing says it is whole, else throws `LarderError`
   * (`UPSTREAM_CUT | UPSTREAM_TIMEOUT`); the stall timeout runs only while the reader waits.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Lets go of the connection; the rest of the body is not wanted. */
  discard(): void
}
