import type { RawHeaders } from '../caching/headers.js'
import type { UpstreamResponse } from '../upstream/upstream.js'

/** PORT. Where a fill's bytes come from: a remote, and later a derivation, an upload, a peer. */
export interface BodySource {
  /**
   * Resolves with the answer, whatever its status; throws `LarderError` when there is none. The source heals what it can:
   * the body it hands out ends only when whole, and throws when it can't be completed.
   */
  open(request: SourceRequest): Promise<SourceResponse>
}

/** The remotes of a repository. */
export interface RemoteSource extends BodySource {
  /** Goes on with a remote's answer that came by another way as with one that came by this: a cut body is taken up again. */
  adopt(request: SourceRequest, response: SourceResponse): SourceResponse
}

export interface SourceRequest {
  readonly method: 'GET' | 'HEAD'
  readonly headers: RawHeaders
  /** How often to try in all; the repository's `retry.attempts` unless told. */
  readonly attempts?: number
  readonly signal?: AbortSignal
  /** SHA-256 (hex) of all bytes taken so far: with it a body that can't be resumed is fetched again and compared (U3). */
  readonly taken?: () => Promise<string | undefined>
}

export interface SourceResponse extends UpstreamResponse {
  /** URL of the remote it came from. */
  readonly remote: string
}
