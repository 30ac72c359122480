import { createHash } from 'node:crypto'
import { field, type RawHeaders } from '../caching/headers.js'
import { parseHttpDate } from '../caching/http-date.js'
import { contentRange } from '../caching/integrity.js'
import { LarderError } from '../errors.js'
import type { SourceResponse } from './source.js'

/** Whether another answer goes on where a cut one ended (U3). */

/** What `If-Range` may carry: a strong ETag, else a date a second or more before the answer's own (RFC 9110 §8.8.2.2, §13.1.5). */
export function strongValidator(headers: RawHeaders): string | undefined {
  const etag = field(headers, 'etag')
  if (etag?.startsWith('"')) return etag
  const modified = field(headers, 'last-modified')
  const changed = modified === undefined ? undefined : parseHttpDate(modified)
  const date = parseHttpDate(field(headers, 'date') ?? '')
  return changed !== undefined && date !== undefined && date - changed >= 1000 ? modified : undefined
}

/** The size of the whole, where a 206 goes on exactly where the first answer was cut, and to its end. */
export function sizeIfContinued(first: SourceResponse, rest: SourceResponse, position: number): number | undefined {
  const range = contentRange(field(rest.headers, 'content-range'))
  const length = field(first.headers, 'content-length')
  const size = length === undefined ? range?.size : Number(length)
  const sameVersion = field(rest.headers, 'etag') === field(first.headers, 'etag')
  const sameSize = range?.size === undefined || range.size === size
  return range?.start === position && range.end + 1 === size && sameSize && sameVersion ? size : undefined
}

/**
 * Whether a 416 to `Range: bytes=<position>-` proves that nothing was missing but the sign of the end: the remote holds as
 * many bytes as came, and of the same version, for `If-Range` would have turned another into a 200.
 */
export function provesWhole(first: SourceResponse, rest: SourceResponse, position: number): boolean {
  const etag = field(rest.headers, 'etag')
  const size = /^bytes \*\/(\d+)$/.exec(field(rest.headers, 'content-range') ?? '')?.[1]
  const sameVersion = etag === undefined || etag === field(first.headers, 'etag')
  return first.framing !== 'length' && Number(size ?? Number.NaN) === position && sameVersion
}

/**
 * Whether a second answer, from its first byte on, may be the body of the first: whose head went out, and must not be belied.
 * Without a length only the last chunk proved the first body's end; a closed connection would prove nothing.
 */
export function mayBeSame(first: SourceResponse, again: SourceResponse): boolean {
  const tellsItsEnd = again.framing !== 'close' || first.framing !== 'chunked'
  return again.status === 200 && tellsItsEnd && saysSameVersion(first, again)
}

/** Mirrors rarely agree on all validators of the same bytes: of another one a single equal one will do. */
function saysSameVersion(first: SourceResponse, again: SourceResponse): boolean {
  const same = (name: string) => field(first.headers, name) === field(again.headers, name)
  const validators = ['etag', 'last-modified']
  if (first.remote === again.remote) return validators.every(same)
  const sameLength = first.framing !== 'length' || again.framing !== 'length' || same('content-length')
  return sameLength && validators.some((name) => same(name) && field(first.headers, name) !== undefined)
}

/** The body from `position` on, once its first `position` bytes proved equal to those taken; throws if they aren't. */
export async function* skipEqual(body: AsyncIterable<Uint8Array>, position: number, sha256: string) {
  const hash = createHash('sha256')
  let skipped = 0
  for await (const chunk of body) {
    const prefix = chunk.subarray(0, position - skipped)
    if (prefix.length > 0) {
      hash.update(prefix)
      skipped += prefix.length
      if (skipped === position && hash.digest('hex') !== sha256) throw changed(position)
    }
    if (chunk.length > prefix.length) yield chunk.subarray(prefix.length)
  }
  if (skipped < position) throw changed(position)
}

const changed = (position: number) =>
  new LarderError('UPSTREAM_INVALID', `the remote's body changed while it was fetched, before byte ${position}`)
