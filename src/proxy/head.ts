import { field, filterFields, type RawHeaders } from '../caching/headers.js'
import { contentRange } from '../caching/integrity.js'
import { contentLength } from './receive.js'
import type { BodySource, SourceResponse } from './source.js'

/** What a remote says of an artifact without its body: the status a GET would have, its fields, its size. */
export interface HeadAnswer {
  readonly status: number
  readonly headers: RawHeaders
  readonly size: number | undefined
  readonly requestTime: number
  readonly responseTime: number
}

/** Remotes that refuse HEAD: not implemented, or a target signed for GET alone (C4). */
const headRefused: ReadonlySet<number> = new Set([403, 405, 501])

/** HEAD at the remote; where it refuses that, one GET of the first byte finds out (C4). */
export async function askHead(source: BodySource, headers: RawHeaders, attempts?: number): Promise<HeadAnswer> {
  const tries = attempts === undefined ? {} : { attempts }
  const response = await source.open({ method: 'HEAD', headers, ...tries })
  response.discard()
  if (!headRefused.has(response.status)) return { ...response, size: contentLength(response.headers) }
  const first = await source.open({ method: 'GET', headers: [...headers, 'Range', 'bytes=0-0'], ...tries })
  first.discard()
  return ofFirstByte(first)
}

function ofFirstByte(response: SourceResponse): HeadAnswer {
  const range = field(response.headers, 'content-range')
  // An empty object has no first byte.
  const size = response.status === 416 && range === 'bytes */0' ? 0 : contentRange(range)?.size
  if (response.status !== 206 && size !== 0) return { ...response, size: contentLength(response.headers) }
  const headers = filterFields(response.headers, (name) => name !== 'content-range' && name !== 'content-length')
  return { ...response, status: 200, headers, size }
}
