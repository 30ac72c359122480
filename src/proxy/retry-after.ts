import { field, type RawHeaders } from '../caching/headers.js'
import { parseHttpDate } from '../caching/http-date.js'

/** `Retry-After` in seconds (RFC 9110 §10.2.3); a date counts from now. */
export function retryAfter(headers: RawHeaders): number | undefined {
  const value = field(headers, 'retry-after')?.trim()
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const date = parseHttpDate(value)
  return date === undefined ? undefined : Math.max(0, (date - Date.now()) / 1000)
}

/** Milliseconds a pause of our own is at most, before jitter: longer ones would use the budget up for too few tries. */
export const longestPause = 3_000

/** Milliseconds before the next try, after `tried` ones: what the remote asked for, else 100 ms doubling, with jitter. */
export function backoff(tried: number, headers: RawHeaders): number {
  const asked = retryAfter(headers)
  return asked === undefined ? Math.min(100 * 2 ** (tried - 1), longestPause) * (0.5 + Math.random()) : asked * 1000
}
