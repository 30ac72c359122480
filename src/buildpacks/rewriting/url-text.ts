/*
 * URLs as they stand in text: between quotes, in prose, in JSON that escapes slashes, in scripts that put them together.
 * Text is bytes as characters (latin1).
 */

export interface WrittenUrl {
  /** In lower case, with the port unless it is the scheme's own. */
  readonly host: string
  /** What follows the host, with plain slashes, as far as it belongs to the URL. */
  rest(): string
  /** Whether what follows the host can't be more of it. */
  readonly hostEnds: boolean
  /** Where in the text the rest's first `count` characters end. */
  endOf(count: number): number
}

/** Where a URL begins; `$1` is its two slashes. Global: it goes on where the last one was found. */
export const schemes = () => /https?:(\/\/|\\\/\\\/)/gi

/** No name in the DNS is longer; more of it means that the host does not end there. */
const authority = () => /(\[[0-9a-f:.]{2,45}\]|[\w.-]{1,255})(?::(\d{1,5})(?!\d))?/iy

/** What may follow a host in a URL's authority up to an `@`, which makes all of it another's user name. */
const userinfo = () => /[\w.~!$&()*+;=:%-]{0,256}@/y

const continuesHost = /[\w.%@:\x80-\xff-]/

/** The URL whose scheme ends at `at`; `undefined` where no host follows it. */
export function urlAt(text: string, at: number, scheme: string): WrittenUrl | undefined {
  const match = from(authority(), at, text)
  if (!match) return undefined
  const [{ length }, name = '', port] = match
  const standard = /^https/i.test(scheme) ? '443' : '80'
  const end = at + length
  const next = text[end] ?? ''
  return {
    host: name.toLowerCase() + (port === undefined || port === standard ? '' : `:${port}`),
    rest: () => restAt(text, end),
    hostEnds: !continuesHost.test(next) && (next === '/' || from(userinfo(), end, text) === null),
    endOf: (count) => endOf(text, end, count),
  }
}

function from(regex: RegExp, at: number, text: string): RegExpExecArray | null {
  regex.lastIndex = at
  return regex.exec(text)
}

/**
 * What of a path is looked at, slashes escaped or not; whatever is behind it. Another URL ends it, as in a list: so no
 * character is looked at for two.
 */
const pathText = () => /(?:(?!https?:)[!$-&(-;=?-[\]_a-{}~\x80-\xff]|\\\/){0,1024}/iy

const opens = '([{'
const closes = ')]}'
const punctuation = '.,;:!'

/** Up to what can't be of a URL; a bracket that closes what was opened before it, or a dot at its end, is the text's. */
function restAt(text: string, start: number): string {
  const [written = ''] = from(pathText(), start, text) ?? []
  const rest = written.replaceAll('\\/', '/')
  let length = balanced(rest)
  while (length > 0 && punctuation.includes(rest[length - 1] as string)) length -= 1
  return rest.slice(0, length)
}

/** How many characters come before a bracket that closes more than was opened. */
function balanced(text: string): number {
  let open = 0
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] as string
    if (opens.includes(character)) open += 1
    else if (closes.includes(character)) open -= 1
    if (open < 0) return i
  }
  return text.length
}

function endOf(text: string, start: number, count: number): number {
  let at = start
  for (let i = 0; i < count; i += 1) at += text[at] === '\\' ? 2 : 1
  return at
}
