import { fieldLines, listMembers, type RawHeaders } from './headers.js'

/** What `Cache-Control` says, of a request or a response. Times in seconds; an invalid one is 0, so counts as stale. */
export interface Directives {
  readonly maxAge?: number
  readonly sMaxAge?: number
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
  readonly minFresh?: number
  /** `Infinity` where the request sets no bound. */
  readonly maxStale?: number
  /** The qualified forms (`no-cache="field"`, `private="field"`) count as the unqualified ones, which are stricter. */
  readonly noCache?: true
  readonly private?: true
  readonly noStore?: true
  readonly public?: true
  readonly mustRevalidate?: true
  readonly proxyRevalidate?: true
  readonly mustUnderstand?: true
  readonly immutable?: true
  readonly noTransform?: true
  readonly onlyIfCached?: true
}

type FlagName = { [K in keyof Directives]-?: true extends Directives[K] ? K : never }[keyof Directives]
type SecondsName = Exclude<keyof Directives, FlagName>

const flags: ReadonlyMap<string, FlagName> = new Map([
  ['no-cache', 'noCache'],
  ['private', 'private'],
  ['no-store', 'noStore'],
  ['public', 'public'],
  ['must-revalidate', 'mustRevalidate'],
  ['proxy-revalidate', 'proxyRevalidate'],
  ['must-understand', 'mustUnderstand'],
  ['immutable', 'immutable'],
  ['no-transform', 'noTransform'],
  ['only-if-cached', 'onlyIfCached'],
])

const times: ReadonlyMap<string, SecondsName> = new Map([
  ['max-age', 'maxAge'],
  ['s-maxage', 'sMaxAge'],
  ['stale-while-revalidate', 'staleWhileRevalidate'],
  ['stale-if-error', 'staleIfError'],
  ['min-fresh', 'minFresh'],
  ['max-stale', 'maxStale'],
])

/** RFC 9111 §1.2.2: what is too large to count with is this many seconds. */
export const longestDelta = 2 ** 31

export function parseDeltaSeconds(digits: string): number | undefined {
  return /^\d+$/.test(digits) ? Math.min(Number(digits), longestDelta) : undefined
}

/** `lines`: every line of the field. A directive given more than once counts at its strictest (RFC 9111 §4.2.1). */
export function parseCacheControl(lines: readonly string[]): Directives {
  const directives: { -readonly [K in keyof Directives]: Directives[K] } = {}
  for (const member of listMembers(lines)) {
    const equals = member.indexOf('=')
    const name = (equals === -1 ? member : member.slice(0, equals)).toLowerCase()
    const flag = flags.get(name.trimEnd())
    if (flag) directives[flag] = true
    const time = times.get(name.trimEnd())
    if (time) {
      const seconds = secondsOf(time, equals === -1 ? undefined : member.slice(equals + 1), name)
      directives[time] = stricter(time, directives[time], seconds)
    }
  }
  return directives
}

function secondsOf(time: SecondsName, argument: string | undefined, name: string): number {
  if (argument === undefined) return time === 'maxStale' ? Number.POSITIVE_INFINITY : 0
  // No space may stand around the equals sign.
  if (name.endsWith(' ') || name.endsWith('\t')) return 0
  return parseDeltaSeconds(argument.replace(/^"(.*)"$/, '$1')) ?? 0
}

function stricter(time: SecondsName, a: number | undefined, b: number): number {
  if (a === undefined) return b
  return time === 'minFresh' ? Math.max(a, b) : Math.min(a, b)
}

/** The directives a response is to be stored and reused by. */
export interface Governing {
  readonly directives: Directives
  /** `Expires` counts only beside `Cache-Control`, not beside a targeted field (RFC 9213 §2.2). */
  readonly expires: string | undefined
}

/** The first of `targetedFields` (lower case) that is present and valid, else `Cache-Control` and `Expires`. */
export function governing(headers: RawHeaders, targetedFields: readonly string[]): Governing {
  for (const name of targetedFields) {
    const members = listMembers(fieldLines(headers, name))
    if (members.length === 0 || !members.every(isTargetedDirective)) continue
    return { directives: parseCacheControl(members.map(withoutParameters)), expires: undefined }
  }
  const expires = fieldLines(headers, 'expires')
  return {
    directives: parseCacheControl(fieldLines(headers, 'cache-control')),
    // Of several one is wrong, and nothing says which: joined they are no date, so stale.
    expires: expires.length === 0 ? undefined : expires.join(', '),
  }
}

/** One member of a structured Dictionary (RFC 9651 §3.2): key, item, parameters. No directive takes an inner list. */
const bareItem = String.raw`(?:-?\d{1,15}(?:\.\d{1,3})?|"(?:[^"\\]|\\["\\])*"|[A-Za-z*][\w!#$%&'*+.^${'`'}|~:/-]*|\?[01]|:[\w+/=-]*:)`
const key = '[a-z*][a-z0-9_.*-]*'
const dictionaryMember = new RegExp(`^(${key})(?:=(${bareItem}))?(?: *; *${key}(?:=${bareItem})?)*$`)

/** Valid as a member, and of the type the directive has: times are Integers, not Strings (RFC 9213 §2.1). */
function isTargetedDirective(member: string): boolean {
  const parts = dictionaryMember.exec(member)
  if (!parts) return false
  return !times.has(parts[1] as string) || /^\d+$/.test(parts[2] ?? '')
}

const withoutParameters = (member: string) => /^[^;"]*(?:"(?:[^"\\]|\\.)*")?/.exec(member)?.[0].trimEnd() ?? member
