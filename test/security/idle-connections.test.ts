import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import { setStage, settled } from '../support/stage.js'
import { type Connection, openConnection } from './connection.js'

const wanted = 10_000
/** Each side has one descriptor a connection, and some of its own. */
const descriptors = wanted + 500
const allowed = Number(
  execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim().replace('unlimited', 'Infinity'),
)
const suite = 'O1: ten thousand idle connections'
const name = allowed >= descriptors ? suite : `${suite} (left out: ulimit -n is ${allowed}, not ${descriptors})`

/** Ports of one address are fewer than that on some machines. */
const addresses = ['127.0.0.1', '127.0.0.2']

/** Kilobytes the process holds. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
}

describe.skipIf(allowed < descriptors || process.platform !== 'linux')(name, () => {
  it('are held, cost little each, and keep nobody from being served', async () => {
    const { origin, larder, url } = await setStage({}, { LARDER_MAX_CONNECTIONS: `${wanted + 100}` })
    origin.put('/a', 'body')
    await get(url('/a'))
    await settled({ larder })
    const ask = 'GET /repository/raw/a HTTP/1.1\r\nHost: larder\r\n\r\n'
    const before = await memoryOf(larder.pid)
    const idle: Connection[] = []
    // Some at a time: the listener's queue has an end.
    while (idle.length < wanted) {
      const from = (_: unknown, i: number) => openConnection(larder.url, addresses[i % addresses.length])
      const some = await Promise.all(Array.from({ length: 250 }, from))
      await Promise.all(some.map((connection) => connection.ask(ask, /body$/)))
      idle.push(...some)
    }
    const each = (await memoryOf(larder.pid)) - before
    for (let i = 0; i < 20; i += 1) expect((await get(url('/a'))).header('cache-status')).toMatch(/^larder; hit/)
    expect((await get(`${larder.url}/readyz`)).status).toBe(200)
    const open = /^larder_connections (\d+)$/m.exec((await get(`${larder.url}/metrics`)).body.toString())?.[1]
    expect(Number(open)).toBeGreaterThanOrEqual(wanted)
    expect(idle.filter(({ socket }) => socket.destroyed)).toHaveLength(0)
    expect(each / wanted, 'kilobytes each').toBeLessThan(64)
    expect(origin.count('/a')).toBe(1)
  }, 240_000)
})
