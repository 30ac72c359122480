/** Header fields as they came: `[name, value, name, value, ...]`, spelling and order kept (Node's `rawHeaders`). */
export type RawHeaders = readonly string[]

/** Every value of a field, in order; `name` in lower case. */
export function fieldLines(headers: RawHeaders, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === name) values.push(headers[i + 1] as string)
  }
  return values
}

/** A field's lines joined by a comma (RFC 9110 §5.3); `undefined` when absent. `name` in lower case. */
export function field(headers: RawHeaders, name: string): string | undefined {
  const lines = fieldLines(headers, name)
  return lines.length === 0 ? undefined : lines.join(', ')
}

/** The members of a list-valued field (RFC 9110 §5.6.1): a comma inside a quoted string doesn't separate. */
export function listMembers(lines: readonly string[]): string[] {
  return lines.flatMap(membersOf)
}

function membersOf(line: string): string[] {
  const members: string[] = []
  let start = 0
  // A quote that is never closed hides nothing: what follows it is read as if it were not there.
  let quoting = line.includes('"')
  for (let i = 0; i <= line.length; i += 1) {
    if (i === line.length || line[i] === ',') {
      const member = line.slice(start, i).trim()
      if (member !== '') members.push(member)
      start = i + 1
    } else if (quoting && line[i] === '"') {
      const close = closingQuote(line, i)
      if (close === -1) quoting = false
      else i = close
    }
  }
  return members
}

function closingQuote(line: string, open: number): number {
  for (let i = open + 1; i < line.length; i += 1) {
    if (line[i] === '\\') i += 1
    else if (line[i] === '"') return i
  }
  return -1
}

/** RFC 9110 §7.6.1, and the fields older senders treat alike. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Meant for every recipient, so never a connection option (RFC 9110 §7.6.1); losing one would change what the bytes mean. */
const beyondConnection: ReadonlySet<string> = new Set([
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'vary',
])

/** Without the hop-by-hop fields and those `Connection` lists. */
export function endToEnd(headers: RawHeaders): RawHeaders {
  const listed = new Set(listMembers(fieldLines(headers, 'connection')).map((name) => name.toLowerCase()))
  for (const name of beyondConnection) listed.delete(name)
  return filterFields(headers, (name) => !hopByHop.has(name) && !listed.has(name))
}

/** Keeps the fields whose name (given in lower case) passes. */
export function filterFields(headers: RawHeaders, keep: (name: string) => boolean): RawHeaders {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (keep(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return kept
}

/** As clients written against HTTP/1 servers look for them (C2). */
const usualNames: ReadonlyMap<string, string> = new Map(
  [
    ...['Accept-Ranges', 'Access-Control-Allow-Credentials', 'Access-Control-Allow-Headers'],
    ...['Access-Control-Allow-Methods', 'Access-Control-Allow-Origin', 'Access-Control-Expose-Headers'],
    ...['Access-Control-Max-Age', 'Age', 'Allow', 'Cache-Control', 'Cache-Status', 'CDN-Cache-Control'],
    ...['Content-Digest', 'Content-Disposition', 'Content-Encoding', 'Content-Language', 'Content-Length'],
    ...['Content-Location', 'Content-MD5', 'Content-Range', 'Content-Security-Policy', 'Content-Type'],
    ...['Cross-Origin-Embedder-Policy', 'Cross-Origin-Opener-Policy', 'Cross-Origin-Resource-Policy', 'Date'],
    ...['Digest', 'ETag', 'Expires', 'Last-Modified', 'Link', 'Location', 'Permissions-Policy', 'Pragma'],
    ...['Proxy-Status', 'Referrer-Policy', 'Repr-Digest', 'Retry-After', 'Server', 'Server-Timing', 'SourceMap'],
    ...['Timing-Allow-Origin', 'Vary', 'Via', 'Want-Content-Digest', 'Want-Repr-Digest', 'Warning'],
    ...['WWW-Authenticate', 'X-Content-Type-Options', 'X-Frame-Options', 'X-XSS-Protection'],
  ].map((name) => [name.toLowerCase(), name]),
)

/** A standard field that came all in lower case (HTTP/2 does that) gets its usual spelling; any other stays as it came. */
export function usualSpelling(headers: RawHeaders): RawHeaders {
  return headers.map((text, i) => (i % 2 === 0 ? (usualNames.get(text) ?? text) : text))
}
