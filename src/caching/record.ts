import type { RawHeaders } from './headers.js'

/** `sha256:<64 hex digits>` */
export type Digest = `sha256:${string}`

/** Bodies up to this many bytes live inside the record (D3). */
export const inlineLimit = 16 * 1024

/** Variants kept per key; the least recently stored goes first (K1). */
export const maxVariants = 8

/** All that is stored under one cache key. One without variants is a tombstone: the key was purged (D6). */
export interface StoredRecord {
  /** The cache key: `<canonical repository>/<path>?<query>`. */
  readonly key: string
  /** Grows with each write; compare-and-set works on it (D6). */
  readonly version: number
  /** The version of the key's last purge, 0 if there was none: a fill that began before it is not published (K5). */
  readonly epoch: number
  /** The remote the bytes came from; after the configuration names another, the variants are stale (D5). */
  readonly remote: string
  /** Newest first. */
  readonly variants: readonly StoredResponse[]
}

export interface StoredResponse {
  readonly status: number
  /** End-to-end fields only, as they are to be served. */
  readonly headers: RawHeaders
  /** When the request that brought (or last validated) it was sent; ms since the epoch (RFC 9111 §4.2.3). */
  readonly requestTime: number
  /** When its head arrived; ms since the epoch. */
  readonly responseTime: number
  /** The request fields (lower case) named by `Vary`, as we sent them; `null` for an absent one. */
  readonly selecting: Readonly<Record<string, string | null>>
  readonly body: StoredBody
  /** A soft purge marked it: never to be reused without validation, whatever its lifetime (K5). */
  readonly invalidated?: true
  /** Its body is known to be another than its digest says, or gone; kept, for nobody can send it again but who uploaded it. */
  readonly damaged?: true
}

/** What is known of a response before its body is. */
export type ResponseHead = Omit<StoredResponse, 'body'>

export interface StoredBody {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** The bytes themselves, where they are at most `inlineLimit`. */
  readonly inline?: Uint8Array
}
