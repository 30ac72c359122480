import { endToEnd, field, type RawHeaders } from '../caching/headers.js'
import { credentialFields } from '../caching/storable.js'

/** Never passed on even by `all` (U1): ours to set, the connection's, or answered from the cache. */
const ownFields: ReadonlySet<string> = new Set([
  'host',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'accept-encoding',
  'content-length',
  'expect',
  'http2-settings',
  'via',
])

const noHeaders: RawHeaders = []

/** The client's fields that go to the remote, and by which variants are chosen (K1). */
export function forwardedHeaders(client: RawHeaders, policy: 'all' | readonly string[]): RawHeaders {
  if (policy !== 'all' && policy.length === 0) return noHeaders
  const passes = policy === 'all' ? (name: string) => !ownFields.has(name) : (name: string) => policy.includes(name)
  const kept: string[] = []
  const fields = endToEnd(client)
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (passes(name.toLowerCase())) kept.push(name, fields[i + 1] as string)
  }
  return kept
}

export const carriesCredentials = (forwarded: RawHeaders): boolean =>
  credentialFields.some((name) => field(forwarded, name) !== undefined)

/** RFC 9110 §12.5.1: says nothing, or names every media type, not with a quality of 0. */
export function acceptsAnything(forwarded: RawHeaders): boolean {
  const ranges = field(forwarded, 'accept')?.replace(/\s/g, '').split(',')
  return ranges?.some((range) => /^\*\/\*(;q=(1(\.0*)?|0?\.\d*[1-9]\d*))?$/i.test(range)) ?? true
}

/** All fields of a request to the remote but conditions and ranges (U1). `via`: the client's, with ours appended. */
export function upstreamHeaders(forwarded: RawHeaders, userAgent: string, via: string): RawHeaders {
  const fields = [...forwarded, 'Accept-Encoding', 'identity', 'Via', via]
  return forwarded.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'user-agent')
    ? fields
    : [...fields, 'User-Agent', userAgent]
}
