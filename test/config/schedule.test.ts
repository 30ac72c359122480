import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.js'
import { faultsOf } from './faults.js'

const config = (schedule: string) => `repositories: { a: { remote: https://a.test } }\nschedule:\n  - ${schedule}\n`

describe('schedule', () => {
  it('is none unless told', () => {
    expect(parseConfig('repositories: { a: { remote: https://a.test } }', 'r.yaml', {}).schedule).toEqual([])
  })

  it('is a warm-up and when', () => {
    const text = config(
      '{ cron: "0 4 * * 1-5", timezone: Europe/Berlin, items: [a/x], from: [{ s3: a/y, version: 21 }], rate: 20MiB }'.replace(
        'version: 21',
        'version: "21"',
      ),
    )
    expect(parseConfig(text, 'r.yaml', {}).schedule).toEqual([
      {
        ...{ cron: '0 4 * * 1-5', timezone: 'Europe/Berlin' },
        order: { items: ['a/x'], from: [{ s3: 'a/y', version: ['21'] }], concurrency: 4, rate: 20 * 1024 * 1024 },
      },
    ])
  })

  it.each([
    [
      'no time',
      '{ items: [a/x] }',
      ['3:5: schedule[0].cron: is missing, expected a cron expression such as 0 4 * * *'],
    ],
    [
      'a time that is none',
      '{ cron: "61 4 * * *", items: [a/x] }',
      ['3:13: schedule[0].cron: is not accepted, expected a cron expression such as 0 4 * * *'],
    ],
    [
      'a time that never comes',
      '{ cron: "0 0 31 2 *", items: [a/x] }',
      ['3:13: schedule[0].cron: is not accepted, expected a cron expression such as 0 4 * * *'],
    ],
    [
      'a zone that is none',
      '{ cron: "@daily", timezone: Mars/North, items: [a/x] }',
      ['3:33: schedule[0].timezone: is not accepted, expected a time zone such as Europe/Berlin'],
    ],
    ['nothing to do', '{ cron: "@daily" }', ['3:5: schedule[0]: names no artifacts, expected items or from']],
    [
      'a list, which only the command reads',
      '{ cron: "@daily", from: [{ list: x }] }',
      [
        '3:30: schedule[0].from[0]: names no source or several, expected one of inventory, shasums, maven, buildpack, s3',
        '3:32: schedule[0].from[0].list: is not a setting of this version',
      ],
    ],
  ])('%s', (_, schedule, faults) => {
    expect(faultsOf(config(schedule))).toEqual(faults)
  })
})
