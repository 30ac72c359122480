import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHttpDate } from '../../src/caching/http-date.js'

const example = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('parseHttpDate (RFC 9110 §5.6.7)', () => {
  it.each([
    ['IMF-fixdate', 'Sun, 06 Nov 1994 08:49:37 GMT', example],
    ['RFC 850', 'Sunday, 06-Nov-94 08:49:37 GMT', example],
    ['asctime', 'Sun Nov  6 08:49:37 1994', example],
    ['asctime, two-digit day', 'Wed Nov 16 08:49:37 1994', Date.UTC(1994, 10, 16, 8, 49, 37)],
    ['a leap day', 'Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
    ['a leap second', 'Sat, 31 Dec 2016 23:59:60 GMT', Date.UTC(2017, 0, 1)],
    ['the year 50', 'Sat, 01 Jan 0050 00:00:00 GMT', new Date('0050-01-01T00:00:00Z').getTime()],
  ])('takes %s', (_, value, ms) => {
    expect(parseHttpDate(value)).toBe(ms)
  })

  it.each([
    ['nothing', ''],
    ['zero', '0'],
    ['a negative number', '-1'],
    ['another zone', 'Sun, 06 Nov 1994 08:49:37 UTC'],
    ['a zone in the wrong case', 'Sun, 06 Nov 1994 08:49:37 gmt'],
    ['an offset', 'Sun, 06 Nov 1994 08:49:37 +0000'],
    ['no zone', 'Sun, 06 Nov 1994 08:49:37'],
    ['a month in the wrong case', 'Sun, 06 NOV 1994 08:49:37 GMT'],
    ['a two-digit year in IMF-fixdate', 'Sun, 06 Nov 94 08:49:37 GMT'],
    ['no comma', 'Sun 06 Nov 1994 08:49:37 GMT'],
    ['two spaces', 'Sun, 06  Nov 1994 08:49:37 GMT'],
    ['dashes in IMF-fixdate', 'Sun, 06-Nov-1994 08:49:37 GMT'],
    ['periods in the time', 'Sun, 06 Nov 1994 08.49.37 GMT'],
    ['a one-digit hour', 'Sun, 06 Nov 1994 8:49:37 GMT'],
    ['hour 24', 'Sun, 06 Nov 1994 24:00:00 GMT'],
    ['minute 60', 'Sun, 06 Nov 1994 08:60:00 GMT'],
    ['second 61', 'Sun, 06 Nov 1994 08:49:61 GMT'],
    ['day 0', 'Sun, 00 Nov 1994 08:49:37 GMT'],
    ['31 November', 'Sun, 31 Nov 1994 08:49:37 GMT'],
    ['29 February of a common year', 'Wed, 29 Feb 2023 00:00:00 GMT'],
    ['ISO 8601', '1994-11-06T08:49:37Z'],
    ['two dates', 'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT'],
    ['space around', ' Sun, 06 Nov 1994 08:49:37 GMT '],
  ])('refuses %s', (_, value) => {
    expect(parseHttpDate(value)).toBeUndefined()
  })

  it.each([
    ['50 years ahead', '76', 2076],
    ['more than 50 years ahead', '77', 1977],
    ['this year', '26', 2026],
  ])('a two-digit year %s', (_, digits, year) => {
    const value = `Sunday, 06-Nov-${digits} 08:49:37 GMT`
    expect(parseHttpDate(value, Date.UTC(2026, 6, 1))).toBe(Date.UTC(year, 10, 6, 8, 49, 37))
  })

  it('reads back every date it could be given', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString())).toBe(seconds * 1000)
      }),
    )
  })
})
