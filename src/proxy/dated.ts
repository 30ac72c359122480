import { field, type RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'

/**
 * RFC 9110 §6.6.1: whoever receives a response without a `Date` gives it one. Without it each answer from the cache would
 * seem made the moment it is sent, and aged on top. `receivedAt` in ms.
 */
export const dated = (headers: RawHeaders, receivedAt: number): RawHeaders =>
  field(headers, 'date') === undefined ? [...headers, 'Date', new Date(receivedAt).toUTCString()] : headers

/** The same for a stored response whose `Date` a 304 without one has made void. */
export const redated = (stored: StoredResponse): StoredResponse => ({
  ...stored,
  headers: dated(stored.headers, stored.responseTime),
})
