import { strongMatch, tagListed, weakMatch } from './entity-tag.js'
import { parseHttpDate } from './http-date.js'
import { evaluateRanges, isByteRanges, type RangeOutcome } from './ranges.js'

export type { ByteRange } from './ranges.js'

/** What becomes of a request that could be answered with the whole representation (C5). */
export type Outcome = RangeOutcome | { readonly kind: 'not-modified' } | { readonly kind: 'failed' }

/** As Node parses them: names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

interface Representation {
  readonly status: number
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
  /** Stands in for a missing `lastModified` (RFC 9111 §4.3.2). */
  readonly date?: string | undefined
  /** Bytes. */
  readonly size: number | undefined
}

const whole: Outcome = Object.freeze({ kind: 'whole' })
const notModified: Outcome = Object.freeze({ kind: 'not-modified' })
const failed: Outcome = Object.freeze({ kind: 'failed' })

/** Whether the answer may depend on the size; where that isn't known yet it is worth finding out. */
export function wantsRange(headers: RequestHeaders): boolean {
  const range = headers.range
  return typeof range === 'string' && isByteRanges(range)
}

/**
 * Evaluates the preconditions and the range of a GET or HEAD, in the order of RFC 9110 §13.2.2. `now` in ms, for two-digit
 * years. With an unknown size a range is answered whole.
 */
export function evaluate(
  request: { readonly method: string; readonly headers: RequestHeaders },
  representation: Representation,
  now: number,
): Outcome {
  const { headers } = request
  if (!isConditional(headers)) return whole
  // §13.2.1: preconditions are about a successful answer.
  if (representation.status < 200 || representation.status > 299) return whole
  if (fails(headers, representation, now)) return failed
  if (isUnchanged(headers, representation, now)) return notModified
  if (request.method !== 'GET' || representation.status !== 200 || representation.size === undefined) return whole
  const { range } = headers
  if (typeof range !== 'string' || !ifRangeHolds(headers, representation, now)) return whole
  return evaluateRanges(range, representation.size)
}

/** Whether the request is anything but a plain one; the common case, so it is asked first. */
export function isConditional(headers: RequestHeaders): boolean {
  return (
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers.range !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  )
}

/**
 * Whether the preconditions of a PUT or DELETE forbid it (RFC 9110 §13.2.2, steps 1 to 3); `current` is what is there.
 * `now` in ms, for two-digit years.
 */
export function forbidsChange(headers: RequestHeaders, current: Representation | undefined, now: number): boolean {
  if (!current) return headers['if-match'] !== undefined
  if (fails(headers, current, now)) return true
  const ifNoneMatch = combined(headers['if-none-match'])
  return ifNoneMatch !== undefined && tagListed(ifNoneMatch, current.etag, weakMatch)
}

/** Steps 1 and 2; a date that isn't one, or isn't known, asks nothing. */
function fails(headers: RequestHeaders, { etag, lastModified }: Representation, now: number): boolean {
  const ifMatch = combined(headers['if-match'])
  if (ifMatch !== undefined) return !tagListed(ifMatch, etag, strongMatch)
  const limit = dateIn(headers['if-unmodified-since'], now)
  const modified = dateIn(lastModified, now)
  return limit !== undefined && modified !== undefined && modified > limit
}

/** Steps 3 and 4 */
function isUnchanged(headers: RequestHeaders, { etag, lastModified, date }: Representation, now: number): boolean {
  const ifNoneMatch = combined(headers['if-none-match'])
  if (ifNoneMatch !== undefined) return tagListed(ifNoneMatch, etag, weakMatch)
  const since = dateIn(headers['if-modified-since'], now)
  const modified = dateIn(lastModified ?? date, now)
  return since !== undefined && modified !== undefined && modified <= since
}

/** Step 5, §13.1.5: a strong validator, or exactly our date. */
function ifRangeHolds(headers: RequestHeaders, { etag, lastModified }: Representation, now: number): boolean {
  const ifRange = combined(headers['if-range'])
  if (ifRange === undefined) return true
  if (etag !== undefined && strongMatch(ifRange, etag)) return true
  const date = dateIn(ifRange, now)
  return date !== undefined && date === dateIn(lastModified, now)
}

function combined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

function dateIn(value: string | string[] | undefined, now: number): number | undefined {
  return typeof value === 'string' ? parseHttpDate(value, now) : undefined
}
