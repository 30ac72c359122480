import { z } from 'zod'
import { parsed } from './parsed.js'
import { wrong } from './wording.js'

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytes = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

/** Node's timers fire at once beyond 2^31 - 1 ms, so what becomes a timer is kept well below. */
const longestTimer = milliseconds.d

const durationPattern = /^(?:0|(\d{1,9})(ms|s|m|h|d))$/
const sizePattern = /^(\d{1,9})(KiB|MiB|GiB|TiB)$/

const durationWanted = 'a duration such as 500ms, 30s, 5m, 24h, 7d or 0'
const lifetimeWanted = `${durationWanted}, or forever`

export const whole = (least: number, most: number) => {
  const wanted = `a whole number from ${least} to ${most}`
  const error = ({ input }: { input?: unknown }) =>
    typeof input === 'number' ? `is out of bounds, expected ${wanted}` : wrong(input, wanted)
  return z.int({ error }).min(least, { error }).max(most, { error })
}

/** Milliseconds; `undefined` for what isn't a duration. */
export function parseDuration(text: string): number | undefined {
  const match = durationPattern.exec(text)
  if (match === null) return undefined
  return match[1] === undefined ? 0 : Number(match[1]) * milliseconds[match[2] as keyof typeof milliseconds]
}

/** A YAML scalar: `0` arrives as a number. */
function durationLike(pattern: string, wanted: string, parse: (text: string) => number | undefined) {
  const written = z.union([z.string().meta({ pattern }), z.literal(0)], { error: ({ input }) => wrong(input, wanted) })
  return written.transform((value, context) => {
    const parsed = parse(String(value))
    if (parsed !== undefined) return parsed
    context.addIssue({ code: 'custom', message: wrong(value, wanted) })
    return z.NEVER
  })
}

const jsonDuration = '(0|[0-9]{1,9}(ms|s|m|h|d))'

/** In seconds. */
export const seconds = durationLike(`^${jsonDuration}$`, durationWanted, (text) => {
  const parsed = parseDuration(text)
  return parsed === undefined ? undefined : parsed / 1000
})

/** In seconds; `forever` is `Infinity`. */
export const lifetime = durationLike(`^(${jsonDuration}|forever)$`, lifetimeWanted, (text) => {
  const parsed = text === 'forever' ? Number.POSITIVE_INFINITY : parseDuration(text)
  return parsed === undefined ? undefined : parsed / 1000
})

/** In seconds, more than none; `forever` is `Infinity`. */
export const idleTime = durationLike(
  `^(0*[1-9][0-9]{0,8}(ms|s|m|h|d)|forever)$`,
  'a duration such as 12h or 90d, or forever',
  (text) => {
    const parsed = text === 'forever' ? Number.POSITIVE_INFINITY : parseDuration(text)
    return parsed === undefined || parsed === 0 ? undefined : parsed / 1000
  },
)

/** In milliseconds, for a timer; `least` is what it may not go below. */
export function timer(least: 0 | 1) {
  const bounds = least === 0 ? 'at most 24h' : 'from 1ms to 24h'
  return durationLike(`^${jsonDuration}$`, `${durationWanted}, ${bounds}`, (text) => {
    const parsed = parseDuration(text)
    return parsed === undefined || parsed < least || parsed > longestTimer ? undefined : parsed
  })
}

/** Bytes, from `256MiB` and the like; `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const match = sizePattern.exec(text)
  return match === null ? undefined : Number(match[1]) * bytes[match[2] as keyof typeof bytes]
}

/** Below it a cap would keep nothing worth the name. */
const leastSize = bytes.MiB

/** Bytes; `undefined` for what isn't a size, or less than 1MiB. */
export function parseLargeSize(text: string): number | undefined {
  const size = parseSize(text)
  return size !== undefined && size >= leastSize ? size : undefined
}

/** In bytes; `unlimited` is `Infinity`. */
export const sizeCap = parsed('a size of at least 1MiB, such as 20GiB, or unlimited', (text) =>
  text === 'unlimited' ? Number.POSITIVE_INFINITY : parseLargeSize(text),
)
