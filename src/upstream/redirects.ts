import { fieldLines, type RawHeaders } from '../caching/headers.js'
import { LarderError } from '../errors.js'
import { invalidAnswer } from './faults.js'

/** Where one request of a chain goes. */
export interface Hop {
  /** Scheme and authority only. */
  readonly origin: URL
  /** Path and query as sent. */
  readonly path: string
  readonly headers: RawHeaders
  /** Whether this is the remote itself, and all before it were: only there go its credentials (U5, U6). */
  readonly own: boolean
}

/** What one answer of a chain tells. */
export interface HopAnswer {
  readonly status: number
  readonly headers: RawHeaders
  discard(): void
}

/** 300 offers a choice and 304 to 306 mean other things (RFC 9110 §15.4). */
const followed: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** All that may reach another origin; credentials, and fields a repository's own remote asked for, may not (U5). */
const keptAcrossOrigins: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'user-agent',
  'via',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
])

/** The first hop to a remote; its base path and the target stay exactly as written (C10). */
export function firstHop(remote: string, target: string, headers: RawHeaders): Hop {
  const basePath = remote.replace(/^[^:]+:\/\/[^/?#]*/, '')
  const path = basePath + target
  return { origin: new URL(new URL(remote).origin), path: path.startsWith('/') ? path : `/${path}`, headers, own: true }
}

/**
 * Follows redirects until an answer that is none (C8). `send` makes one request; `previous` is the answer that led to it,
 * undefined for the first. A HEAD stays a HEAD and a GET a GET, so nothing but the place and the headers change.
 */
export async function followRedirects<Answer extends HopAnswer>(
  first: Hop,
  maxRedirects: number,
  send: (hop: Hop, previous: { readonly hop: Hop; readonly answer: Answer } | undefined) => Promise<Answer>,
): Promise<Answer> {
  let hop = first
  let answer = await send(hop, undefined)
  for (let redirects = 0; followed.has(answer.status); redirects++) {
    answer.discard()
    if (redirects >= maxRedirects) {
      throw new LarderError('REDIRECT_LIMIT', `${first.origin.host}: more than ${maxRedirects} redirects`)
    }
    const previous = { hop, answer }
    hop = nextHop(hop, answer.headers)
    answer = await send(hop, previous)
  }
  return answer
}

/** Throws `UPSTREAM_INVALID` where the answer names no place, several, or one that is not http(s). */
export function nextHop(hop: Hop, answerHeaders: RawHeaders): Hop {
  const { host } = hop.origin
  const [location, another] = fieldLines(answerHeaders, 'location')
  if (location === undefined || location === '') throw invalidAnswer(host, 'it redirects without a Location')
  if (another !== undefined) throw invalidAnswer(host, 'it redirects to several Locations')
  const target = resolve(location, hop)
  if (target?.protocol !== 'http:' && target?.protocol !== 'https:') {
    throw invalidAnswer(host, 'it redirects to what is no http URL')
  }
  // Scheme, host and port: a downgrade from https is a change of origin too. User and password of a Location are not taken.
  const sameOrigin = target.origin === hop.origin.origin
  return {
    origin: new URL(target.origin),
    path: target.pathname + target.search,
    headers: sameOrigin ? hop.headers : onlyKept(hop.headers),
    own: hop.own && sameOrigin,
  }
}

function resolve(location: string, { origin, path }: Hop): URL | undefined {
  // Node reads header bytes as latin1; a Location with bare non-ASCII letters is UTF-8 in practice.
  const text = Buffer.from(location, 'latin1').toString()
  const base = `${origin.origin}${path}`
  return URL.canParse(text, base) ? new URL(text, base) : undefined
}

function onlyKept(headers: RawHeaders): RawHeaders {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (keptAcrossOrigins.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return kept
}
