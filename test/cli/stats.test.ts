import { expect, it } from 'vitest'
import type { ApiClient } from '../../src/cli/api-client.js'
import { stats } from '../../src/cli/repositories.js'
import type { Terminal } from '../../src/cli/terminal.js'

it.each([
  ['one', 1, /since 2026-11-27 10:00 UTC\n$/],
  ['several', 3, /since 2026-11-27 10:00 UTC, by 3 replicas\n$/],
])('larder stats of %s', async (_, replicas, last) => {
  const api = {
    get: async () => ({ replicas, since: '2026-11-27T10:00:00.000Z', repositories: [] }),
  } as unknown as ApiClient
  let out = ''
  const terminal = {
    out: (text: string) => {
      out += text
    },
  } as Terminal
  await stats(api, terminal, false)
  expect(out).toMatch(last)
})
