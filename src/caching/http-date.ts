const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const month = months.join('|')
const shortDay = 'Mon|Tue|Wed|Thu|Fri|Sat|Sun'
const longDay = 'Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday'
const time = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'

/** The three forms of RFC 9110 §5.6.7; they are case-sensitive. */
const forms = [
  new RegExp(`^(?:${shortDay}), (?<day>\\d\\d) (?<month>${month}) (?<year>\\d{4}) ${time} GMT$`),
  new RegExp(`^(?:${longDay}), (?<day>\\d\\d)-(?<month>${month})-(?<year>\\d\\d) ${time} GMT$`),
  new RegExp(`^(?:${shortDay}) (?<month>${month}) (?<day>\\d\\d| \\d) ${time} (?<year>\\d{4})$`),
]

/** Two-digit years from 71 on were last century, unless the caller knows better. */
const assumedNow = Date.UTC(2020, 0, 1)

/**
 * An HTTP-date in ms since the epoch; `undefined` for anything else, however much it looks like a date.
 * `now` (ms) decides the century of a two-digit year.
 */
export function parseHttpDate(value: string, now: number = assumedNow): number | undefined {
  for (const form of forms) {
    const parts = form.exec(value)?.groups
    if (parts) return toTime(parts, now)
  }
  return undefined
}

function toTime(parts: Record<string, string>, now: number): number | undefined {
  const day = Number(parts.day)
  const monthIndex = months.indexOf(parts.month as string)
  const hour = Number(parts.hour)
  const minute = Number(parts.minute)
  const second = Number(parts.second)
  const year = parts.year?.length === 2 ? century(Number(parts.year), now) : Number(parts.year)
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, monthIndex, day)
  if (midnight.getUTCDate() !== day || midnight.getUTCMonth() !== monthIndex) return undefined
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
}

/** More than 50 years ahead means the most recent past year with the same digits. */
function century(digits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + digits
  return year > thisYear + 50 ? year - 100 : year
}
