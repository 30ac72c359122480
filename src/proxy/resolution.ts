import type { CacheOutcome } from '../caching/cache-status.js'
import type { RawHeaders } from '../caching/headers.js'
import type { Digest, StoredResponse } from '../caching/record.js'
import { storedHeaders } from '../caching/storable.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { ArtifactRequest } from './ask.js'
import type { HeadAnswer } from './head.js'
import { contentLength, type Growing } from './receive.js'
import type { SourceResponse } from './source.js'

/** What a request for an artifact comes to. Only `absent` says that there is none. */
export type Resolution =
  | { readonly kind: 'artifact'; readonly artifact: Artifact; readonly cache: CacheOutcome }
  | { readonly kind: 'absent'; readonly status: number; readonly cache: CacheOutcome }
  /** The remote did not like the request itself (a 4xx that is neither absence nor trouble). */
  | { readonly kind: 'refused'; readonly status: number; readonly cache: CacheOutcome }
  | { readonly kind: 'trouble'; readonly error: LarderError; readonly cache: CacheOutcome }

export type Resolve = (request: ArtifactRequest) => Resolution | Promise<Resolution>

export interface Artifact {
  readonly status: number
  /** The remote's end-to-end fields, without Content-Length and without ours. */
  readonly headers: RawHeaders
  /** Bytes; `undefined` until known. */
  readonly size: number | undefined
  /** Once stored. */
  readonly digest: Digest | undefined
  /** Seconds; only where it comes from the cache without validation (C3). */
  readonly age: number | undefined
  readonly body: ArtifactBody
}

export type ArtifactBody =
  /** HEAD asked. */
  | { readonly kind: 'none' }
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  /** To be closed by whoever gets it. */
  | { readonly kind: 'stored'; readonly body: OpenBody }
  | ({ readonly kind: 'growing' } & Pick<Growing, 'whole' | 'follow' | 'received' | 'unstored' | 'digest'>)
  /** For this client alone (a bypass); ends with it. */
  | { readonly kind: 'passing'; readonly chunks: AsyncIterable<Uint8Array>; discard(): void }

/** HEAD needs no more than the head of the fill (C4). */
export const growingArtifact = (growing: Growing, method: 'GET' | 'HEAD'): Artifact => ({
  status: growing.head.status,
  headers: growing.head.headers,
  size: growing.size,
  digest: undefined,
  age: undefined,
  body: method === 'HEAD' ? { kind: 'none' } : { kind: 'growing', ...growing },
})

export const passingArtifact = ({ status, headers, framing, body, discard }: SourceResponse): Artifact => ({
  status,
  headers: storedHeaders(headers),
  size: framing === 'length' ? contentLength(headers) : undefined,
  digest: undefined,
  age: undefined,
  body: { kind: 'passing', chunks: body, discard },
})

export const headArtifact = ({ status, headers, size }: HeadAnswer): Artifact => ({
  status,
  headers: storedHeaders(headers),
  size,
  digest: undefined,
  age: undefined,
  body: { kind: 'none' },
})

export const storedArtifact = (
  { status, headers, body: { digest, size } }: StoredResponse,
  body: ArtifactBody,
  age: number | undefined,
): Artifact => ({ status, headers, size, digest, age, body })

export const notRouted: Resolution = {
  kind: 'trouble',
  error: new LarderError('PATH_NOT_ROUTED', 'the routing rules of the repository exclude the path'),
  cache: { outcome: 'error' },
}
