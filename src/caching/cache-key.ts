import { createHash } from 'node:crypto'
import { LarderError } from '../errors.js'
import type { QueryPolicy } from './repository.js'

const artifactRoute = /^(?:[hH][tT][tT][pP][sS]?:\/\/[^/?#]*)?\/repository\/([A-Za-z0-9._-]+)(?=[/?]|$)/

/**
 * The repository's name and the target behind it (path and query, its bytes untouched), from a request target in origin
 * or absolute form. `undefined` off the artifact route.
 */
export function splitArtifactPath(url: string): { name: string; target: string } | undefined {
  const match = artifactRoute.exec(url)
  if (!match) return undefined
  const rest = url.slice(match[0].length)
  return { name: match[1] as string, target: rest.startsWith('/') ? rest : `/${rest}` }
}

/** No escapes and no segment that begins with a dot: nothing that needs a closer look. Linear, and most targets are so. */
const ordinary = /^(?:\/(?!\.)[\w.~!$&'()*+,;=:@-]*)+(?:\?[\w.~!$&'()*+,;=:@/?-]*)?$/

/** Encodings of encodings that are still looked into; a name that is escaped more often isn't one. */
const deepestEncoding = 5

/**
 * Refuses what a remote might read as another path than we do (C10): dot segments however encoded, backslashes, control
 * bytes, overlong UTF-8, malformed escapes, fragments. Throws `PATH_INVALID`.
 */
export function checkTarget(target: string): void {
  if (ordinary.test(target)) return
  const fault = faultOf(target)
  if (fault) throw new LarderError('PATH_INVALID', `the path has ${fault}`)
}

function faultOf(target: string): string | undefined {
  const { path, query } = split(target)
  if (!path.startsWith('/')) return 'no leading slash'
  if (/[^!-~\u0080-\uffff]/.test(target)) return 'a space or control byte'
  if (target.includes('#')) return 'a fragment'
  if (/%(?![0-9a-fA-F]{2})/.test(path)) return 'a malformed percent-escape'
  if (hasControl(decodeOnce(query))) return 'an encoded control byte in its query'
  let decoded = path
  for (let depth = 0; depth <= deepestEncoding; depth += 1) {
    const fault = faultOfDecoded(decoded)
    if (fault) return fault
    const next = decodeOnce(decoded)
    if (next === decoded) return undefined
    decoded = next
  }
  return 'too many layers of percent-encoding'
}

/** `path`: bytes as characters. */
function faultOfDecoded(path: string): string | undefined {
  if (hasControl(path)) return 'a control byte'
  if (path.includes('\\')) return 'a backslash'
  // Lead bytes of forms longer than needed, such as C0 AE for a dot.
  if (/[\xc0\xc1]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]|\xf8[\x80-\x87]|\xfc[\x80-\x83]/.test(path)) return 'overlong UTF-8'
  // Java servers cut a parameter (`..;x`) off before they resolve the segment.
  if (/(?:^|\/)\.\.?(?=[/;]|$)/.test(path)) return 'a dot segment'
  return undefined
}

const hasControl = (text: string) => /[^ -~\u0080-\uffff]/.test(text)

/** Each escape as the character of its byte. */
export const decodeOnce = (text: string): string =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

function split(target: string): { path: string; query: string } {
  const at = target.indexOf('?')
  return at === -1 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) }
}

/** The target as it goes to the remote and into the key. */
export function keyTarget(target: string, policy: QueryPolicy): string {
  if (policy === 'forward' || !target.includes('?')) return target
  const { path, query } = split(target)
  if (policy === 'ignore') return path
  const parameters = query.split('&')
  const kept = parameters.filter((parameter) => !policy.drop.includes(parameterName(parameter)))
  if (kept.length === parameters.length) return target
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`
}

function parameterName(parameter: string): string {
  const name = parameter.split('=', 1)[0] as string
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

export const cacheKey = (repository: string, target: string): string => repository + target

export const repositoryOf = (key: string): string => key.slice(0, key.indexOf('/'))

/** What is made of an artifact is kept beside it, by `plan`; no target has this character (C10). */
export const derivedKey = (key: string, plan: string): string => `${key}#${plan}`

export const isDerived = (key: string): boolean => key.includes('#')

/** The key of what it was made of; of any other key itself. */
export const originalKey = (key: string): string => key.split('#', 1)[0] as string

/** A key or target as a log may have it (O3): values of the query may be signatures. */
export const withoutQueryValues = (target: string): string => {
  const { path, query } = split(target)
  return query === '' ? target : `${path}?${query.replace(/=[^&]*/g, '=')}`
}

/** What globs are matched against: no leading slash, no query. */
export const pathOf = (target: string): string => split(target).path.slice(1)

/** Characters of the escaped path that go into a storage key; with name and hash it stays below 1024 bytes (D5). */
const pathLimit = 700

/**
 * `v1/<repository>/<escaped path?query, cut>/<sha256 of the whole key>`, printable ASCII, at most 1024 bytes for a
 * repository name of up to 255. The hash alone tells keys apart; the path is there to list by.
 */
export function storageKey(key: string): string {
  const hash = createHash('sha256').update(key).digest('hex')
  const slash = key.indexOf('/')
  return `${storagePrefix(key.slice(0, slash), key.slice(slash + 1))}/${hash}`
}

/**
 * What the storage keys under a path prefix start with. Others may too (a hash reads like a path segment, a long
 * prefix is cut), so a listing still looks at the key in each record.
 */
export function storagePrefix(repository: string, pathPrefix = ''): string {
  return `v1/${repository}/${escapeInOrder(pathPrefix).slice(0, pathLimit)}`
}

/** As `storagePrefix`, for what cache keys start with. */
export function storagePrefixOf(keyPrefix: string): string {
  const slash = keyPrefix.indexOf('/')
  // Without a slash it may end within a repository's name.
  return slash === -1 ? `v1/${keyPrefix}` : storagePrefix(keyPrefix.slice(0, slash), keyPrefix.slice(slash + 1))
}

/** Character by character, so a prefix stays one; what isn't printable ASCII sorts as it did, led by the ends of that range. */
function escapeInOrder(path: string): string {
  return path.replace(/[^"-}]/g, (character) => {
    const code = character.charCodeAt(0)
    return `${code <= 0x21 ? '!' : '~'}${code.toString(16).padStart(4, '0')}`
  })
}
