import { entityTag, strongMatch, weakMatch } from './entity-tag.js'
import { field, fieldLines, filterFields, type RawHeaders } from './headers.js'
import type { StoredResponse } from './record.js'
import { storedHeaders } from './storable.js'
import { selecting, varyNames } from './vary.js'

/** The fields that make a request conditional on the stored response (RFC 9111 §4.3.1); none where it has no validator. */
export function conditionalHeaders(stored: StoredResponse): RawHeaders {
  const etag = entityTag(stored.headers)
  const lastModified = fieldLines(stored.headers, 'last-modified')[0]
  return [...(etag ? ['If-None-Match', etag] : []), ...(lastModified ? ['If-Modified-Since', lastModified] : [])]
}

export const canValidate = (stored: StoredResponse): boolean => conditionalHeaders(stored).length > 0

/** Whether a 304 speaks of the stored response (RFC 9111 §4.3.4); if not, its representation has to be fetched. */
export function matches304(stored: StoredResponse, notModifiedHeaders: RawHeaders): boolean {
  const theirs = entityTag(notModifiedHeaders)
  const ours = entityTag(stored.headers)
  if (theirs !== undefined && ours !== undefined) return weakMatch(theirs, ours)
  // By date alone a file rolled back to an older one is "not modified since".
  return agree(stored.headers, notModifiedHeaders, 'last-modified')
}

interface NotModified {
  readonly headers: RawHeaders
  /** ms since the epoch. */
  readonly requestTime: number
  readonly responseTime: number
  /** What was sent to the remote; with it a changed `Vary` is followed, without it the old one stays. */
  readonly requestHeaders?: RawHeaders
}

/** Describe the stored bytes, so a message without them can't change it (RFC 9111 §3.2). */
const describesBody: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'content-range'])

/** The stored response as a 304 leaves it (RFC 9111 §3.2, §4.3.4). */
export function freshened(stored: StoredResponse, notModified: NotModified): StoredResponse {
  const { requestTime, responseTime, requestHeaders } = notModified
  const keepsTag = entityTag(stored.headers) !== undefined
  const updates = filterFields(
    storedHeaders(notModified.headers),
    (name) =>
      !describesBody.has(name) &&
      // The same one, or its weak form, which would cost us ranges.
      !(name === 'etag' && keepsTag) &&
      !(name === 'vary' && !requestHeaders),
  )
  // Date and Age are of the message that carried them: the old ones mean nothing beside the new times.
  const replaced = new Set(['date', 'age', ...updates.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())])
  const headers = [...filterFields(stored.headers, (name) => !replaced.has(name)), ...updates]
  const { invalidated: _, ...valid } = stored
  return {
    ...valid,
    headers,
    requestTime,
    responseTime,
    selecting: requestHeaders ? selecting(varyNames(headers), requestHeaders) : stored.selecting,
  }
}

/** Whether two heads describe the same bytes, so that one from HEAD speaks of what GET stored (RFC 9111 §4.3.5). */
export function sameVersion(a: RawHeaders, b: RawHeaders): boolean {
  const tagA = entityTag(a)
  const tagB = entityTag(b)
  if (tagA !== undefined || tagB !== undefined)
    return tagA !== undefined && tagB !== undefined && strongMatch(tagA, tagB)
  const modified = field(a, 'last-modified')
  return modified !== undefined && modified === field(b, 'last-modified') && agree(a, b, 'content-length')
}

function agree(a: RawHeaders, b: RawHeaders, name: string): boolean {
  const inA = field(a, name)
  const inB = field(b, name)
  return inA === undefined || inB === undefined || inA === inB
}
