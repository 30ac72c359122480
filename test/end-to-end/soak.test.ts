import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { missing, title } from '../support/servers.js'

const soak = fileURLToPath(new URL('../../soak/run.mjs', import.meta.url))

describe('C6, C7, D1, K6: a minute of bad clients, a bad remote, and a bad day for Redis', () => {
  const withoutRedis = missing('redis-server').length > 0 ? ['--no-redis'] : []

  it(title('no wrong body, nothing leaked, memory flat', 'redis-server'), async () => {
    const { code, said } = await run(['--minutes', '1', '--clients', '150', ...withoutRedis])
    process.stdout.write(said)
    expect([code, said]).toEqual([0, expect.stringContaining('wrong bodies')])
  }, 400_000)
})

function run(args: readonly string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [soak, ...args], { timeout: 360_000 }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, said: stdout + stderr })
    })
  })
}
