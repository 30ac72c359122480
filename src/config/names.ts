import { isIP } from 'node:net'
import { z } from 'zod'
import { compileGlob } from '../caching/glob.js'
import { parsed } from './parsed.js'
import { wrong } from './wording.js'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const nameWanted = (longest: number) =>
  `letters, digits, dots, dashes and underscores, a letter or digit first, at most ${longest} in all`

export const repositoryName = z
  .string()
  .regex(namePattern, { error: `is not a repository name, expected ${nameWanted(64)}`, abort: true })
  .max(64, { error: `is not a repository name, expected ${nameWanted(64)}` })

/** Longer than a repository's name may be: aliases are mostly host names. */
export const alias = z
  .string()
  .regex(namePattern, { error: `is not an alias, expected ${nameWanted(253)}`, abort: true })
  .max(253, { error: `is not an alias, expected ${nameWanted(253)}` })

/** What goes to the remote is this text with the path appended, so it must be what a URL parser would leave as it is. */
export const remoteUrl = z
  .string({ error: ({ input }) => wrong(input, 'an http or https URL') })
  .transform((text, context) => {
    const fault = (message: string) => {
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    const [, authority, path = '', rest] = /^https?:\/\/([^/?#\s\\]+)([^?#]*)(.*)$/is.exec(text) ?? []
    if (authority === undefined || !URL.canParse(text)) return fault(wrong(text, 'an http or https URL'))
    if (authority.includes('@')) return fault('holds credentials, expected a URL without them')
    if (rest !== '') return fault('holds a query or a fragment, expected a URL that ends with its path')
    const url = new URL(text)
    if (url.pathname !== (path || '/')) {
      return fault('has a path that would not go out as written, expected it percent-encoded, without dot segments')
    }
    return url.origin + path.replace(/\/+$/, '')
  })

/** A glob over the path without its leading slash, compiled once. */
export const glob = parsed(
  'a glob such as jdk/**, without a leading slash or ./, and with its brackets and braces closed',
  compileGlob,
)

/** A digest as 64 hex digits, in lower case. */
export const sha256 = parsed('64 hex digits', (text) => (/^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : undefined))

/** The path of a file beside the one it speaks of, with `{path}`, `{dir}` and `{name}` for the parts of that one's. */
export const listPath = parsed(
  'a path such as {dir}/SHASUMS256.txt or {path}.sha256, without a leading slash and dot segments, percent-encoded',
  (text) => {
    const path = text.replaceAll(/\{(path|dir|name)\}/g, 'x')
    const sent = URL.canParse(`http://x/${path}`) && new URL(`http://x/${path}`).href === `http://x/${path}`
    return path !== '' && !/^\/|:\/\/|[{}?#]/.test(path) && sent ? text : undefined
  },
)

export const isHeaderName = (text: string): boolean => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)

/** A field name, in lower case. */
export const fieldName = parsed('a header field name', (name) => (isHeaderName(name) ? name.toLowerCase() : undefined))

/** What Larder must say itself: what it is asking for, and on which connection (RFC 9110 §7.6.1, behaviour U1). */
const ownRequestFields: ReadonlySet<string> = new Set([
  ...['accept-encoding', 'content-length', 'expect', 'host', 'range', 'user-agent', 'via'],
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
])

export function isOwnRequestField(name: string): boolean {
  const field = name.toLowerCase()
  return field.startsWith('if-') || ownRequestFields.has(field)
}

export const forwardedField = parsed(
  'a header field name, none of those Larder sets itself (Host, Range, If-*, Accept-Encoding, User-Agent, Via) ' +
    'or that belong to one connection (Connection, TE and the like)',
  (name) => (!isHeaderName(name) || name === '*' || isOwnRequestField(name) ? undefined : name.toLowerCase()),
)

const hostPattern = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/

/** Where a redirect may lead although it is not public: `host`, `host:port` or a CIDR range; in lower case. */
export const redirectTarget = parsed('a host, host:port or CIDR range such as 10.1.0.0/16', (text) => {
  const target = text.toLowerCase()
  return isRange(target) || isHost(target) ? target : undefined
})

/** Where builds reach us: `host` or `host:port`, in lower case. */
export const publicHost = parsed('a host or host:port such as larder.example.com:8080', (text) =>
  isHost(text.toLowerCase()) ? text.toLowerCase() : undefined,
)

function isRange(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/')
  const family = isIP(address)
  return family !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

/** Whether it is `host`, `host:port`, an address, or `[address]:port`, in lower case. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false
  if (bracketed !== undefined) return isIP(bracketed) === 6
  return name !== undefined && name.length <= 253 && hostPattern.test(name)
}

/** The text, where it is the URL of an HTTP proxy; it may hold credentials. */
export function proxyUrl(text: string): string | undefined {
  return isUrl(text, ['http:', 'https:']) ? text : undefined
}

export function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== ''
}
