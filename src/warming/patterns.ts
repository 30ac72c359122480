import { LarderError } from '../errors.js'

/** Items one order may come to: whoever means more mistook a brace. */
export const mostItems = 10_000

/**
 * All that braces stand for, as a shell has it: `{a,b}`, `{8..11}`, `{08..11}`, `{0..30..10}`, `{a..e}`, one within another. A
 * brace without comma or dots is itself, and so is one behind a backslash. Throws `REQUEST_INVALID` where they are too many.
 */
export function expandPattern(pattern: string): string[] {
  if (countOf(pattern) > mostItems) throw tooMany(`"${pattern}" stands`)
  return [...expansions(pattern)].map((text) => text.replace(/\\([{},\\])/g, '$1'))
}

/** Braces of one pattern: nobody means more, and each costs a look through the text. */
const mostBraces = 64

/** For how many a pattern stands, without going through them; `Infinity` where it has too many braces to tell. */
export const countOf = (pattern: string): number =>
  pattern.split('{', mostBraces + 2).length - 1 > mostBraces ? Number.POSITIVE_INFINITY : count(pattern)

function count(text: string): number {
  const brace = firstBrace(text, 0)
  if (!brace) return 1
  const { end, parts, inside } = brace
  const choices = parts.length > 1 ? parts.reduce((sum, part) => sum + count(part), 0) : sequence(inside)?.size
  return (choices ?? count(inside)) * count(text.slice(end + 1))
}

export const tooMany = (what: string) =>
  new LarderError('REQUEST_INVALID', `${what} for more than ${mostItems} artifacts`)

function* expansions(text: string): Generator<string> {
  const brace = firstBrace(text, 0)
  if (!brace) return yield text
  const { start, end, parts, inside } = brace
  const before = text.slice(0, start)
  const choices = parts.length > 1 ? choicesOf(parts) : (sequence(inside)?.values() ?? literally(inside))
  for (const choice of choices) for (const rest of expansions(text.slice(end + 1))) yield before + choice + rest
}

function* choicesOf(parts: readonly string[]): Generator<string> {
  for (const part of parts) yield* expansions(part)
}

function* literally(inside: string): Generator<string> {
  for (const expanded of expansions(inside)) yield `{${expanded}}`
}

interface Brace {
  readonly start: number
  readonly end: number
  /** Between both. */
  readonly inside: string
  /** What its own commas separate. */
  readonly parts: readonly string[]
}

/** The first brace from `from` on that is closed. */
function firstBrace(text: string, from: number): Brace | undefined {
  const start = nextUnescaped(text, '{', from)
  return start === -1 ? undefined : (closedBrace(text, start) ?? firstBrace(text, start + 1))
}

function closedBrace(text: string, start: number): Brace | undefined {
  let depth = 0
  let partStart = start + 1
  const parts: string[] = []
  for (let at = start; at < text.length; at += 1) {
    const character = text[at]
    if (character === '\\') at += 1
    else if (character === '{') depth += 1
    else if (character === '}') depth -= 1
    if (character === ',' && depth === 1) {
      parts.push(text.slice(partStart, at))
      partStart = at + 1
    }
    if (depth === 0) {
      return { start, end: at, inside: text.slice(start + 1, at), parts: [...parts, text.slice(partStart, at)] }
    }
  }
  return undefined
}

function nextUnescaped(text: string, wanted: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === wanted) return at
  }
  return -1
}

const numbers = /^(-?\d{1,9})\.\.(-?\d{1,9})(?:\.\.(\d{1,9}))?$/
const letters = /^([a-zA-Z])\.\.([a-zA-Z])(?:\.\.(\d{1,9}))?$/

interface Sequence {
  readonly size: number
  values(): Iterable<string>
}

/** `8..11` counts in either direction; a leading zero fills all numbers up to one width. */
function sequence(inside: string): Sequence | undefined {
  const [, first, last, step] = numbers.exec(inside) ?? []
  if (first !== undefined && last !== undefined) {
    const isPadded = [first, last].some((text) => /^-?0\d/.test(text))
    const width = isPadded ? Math.max(first.length, last.length) : 0
    return counted(Number(first), Number(last), step, (value) => padded(value, width))
  }
  const [, from, to, stride] = letters.exec(inside) ?? []
  if (from === undefined || to === undefined) return undefined
  return counted(from.charCodeAt(0), to.charCodeAt(0), stride, (code) => String.fromCharCode(code))
}

const padded = (value: number, width: number) =>
  value < 0 ? `-${String(-value).padStart(width - 1, '0')}` : String(value).padStart(width, '0')

function counted(first: number, last: number, step = '1', show: (value: number) => string): Sequence {
  const stride = Math.max(1, Number(step))
  const direction = first <= last ? stride : -stride
  const size = Math.floor(Math.abs(last - first) / stride) + 1
  return { size, values: () => Array.from({ length: size }, (_, i) => show(first + i * direction)) }
}
