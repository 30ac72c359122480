import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePort, someRedis } from '../support/redis.js'
import { serve, someOrigin } from '../support/served.js'
import { missing, title } from '../support/servers.js'
import { noise, temporaryDirectory, until } from '../support/stage.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The built command as a process of its own. */
async function command(argv: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [main, ...argv], {
    ...{ cwd: await temporaryDirectory(), env: { PATH: process.env.PATH ?? '', ...env } },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said.err += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { said, ended, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}

const names = Array.from({ length: 180 }, (_, i) => `/f${i + 1}.bin`)
const slowNames = Array.from({ length: 19 }, (_, i) => `/s${i + 1}.bin`)

/** 180 artifacts of one remote, 19 of a slow one, and one that is missing. */
async function stage() {
  const [origin, slow] = [await someOrigin(), await someOrigin()]
  for (const name of names) origin.put(name, noise(20_000))
  for (const name of slowNames) slow.put(name, noise(20_000))
  for (const name of slowNames) slow.plan(name, { delayHeaders: 300 })
  const patient = { remote: slow.url, timeout: { headers: '2m' } }
  const port = await freePort()
  const larder = await serve({ raw: { remote: origin.url }, slow: patient }, { LARDER_PORT: String(port) })
  const env = { LARDER_SERVER: `http://127.0.0.1:${port}`, LARDER_DATA: larder.data }
  const argv = ['prewarm', 'raw/f{1..180}.bin', 'slow/s{1..19}.bin', 'raw/missing.bin']
  return { origin, slow, larder, env, argv }
}

const linesOf = (text: string, how: string) => text.split('\n').filter((line) => line.includes(how)).length

describe('larder prewarm of 200 artifacts, one missing, one remote slow', () => {
  it('D2: the server killed half way and started again: the command goes on, and says so', async () => {
    const { origin, slow, larder, env, argv } = await stage()
    const { said, ended } = await command(argv, env)
    await until(() => linesOf(said.out, 'fetched') >= 60, 'a good part is ready')
    await larder.kill()
    await until(() => said.err.includes('lost the server'), 'the command has noticed')
    await larder.start()
    expect(await ended).toBe(1)
    expect(said.err).toContain('the server was started anew: asking again for all, what is ready is skipped')
    expect(said.err).toContain('1 failed\n  raw/missing.bin: the remote answered 404 (UPSTREAM_ABSENT)')
    expect(said.out).toContain('199 ready, 1 failed')
    expect(linesOf(said.out, ' raw/f') + linesOf(said.out, ' slow/s')).toBe(199)
    // What was stored before the kill was not fetched again: only what was on its way.
    const fetched = origin.requests.length + slow.requests.length
    expect(fetched).toBeGreaterThanOrEqual(200)
    expect(fetched).toBeLessThan(220)
    const again = await command(argv, env)
    expect(await again.ended).toBe(1)
    expect(again.said.out).toContain('199 ready, 1 failed: 0 fetched (0 B), 199 were here')
    expect(origin.requests.length + slow.requests.length).toBeLessThanOrEqual(fetched + 1)
  })

  it('the slow remote does not keep the others waiting', async () => {
    const { slow, env, argv } = await stage()
    slow.heal()
    for (const name of slowNames) slow.hold(name, -1)
    const { said, ended } = await command(argv, env)
    await until(() => linesOf(said.out, ' raw/f') === 180, 'all of the quick one are ready')
    expect(linesOf(said.out, ' slow/s')).toBe(0)
    slow.heal()
    expect(await ended).toBe(1)
    expect(linesOf(said.out, ' slow/s')).toBe(19)
  })

  it('the command killed: the server goes on by itself', async () => {
    const { slow, larder, env, argv } = await stage()
    const { said, kill, ended } = await command(argv, env)
    await until(() => linesOf(said.out, 'fetched') >= 20, 'some are ready')
    kill('SIGKILL')
    await ended
    const done = await larder.log(({ kind, msg }) => kind === 'warm' && msg === 'task ended')
    expect(done).toMatchObject({ state: 'done', items: 200, ready: 199, failed: 1 })
    expect(slow.requests).toHaveLength(19)
  })

  it('Ctrl-C: cancelled on the server, which stays consistent; run again it goes on', async () => {
    const { larder, env, argv } = await stage()
    const { said, kill, ended } = await command(argv, env)
    await until(() => linesOf(said.out, 'fetched') >= 20, 'some are ready')
    kill('SIGINT')
    expect(await ended).toBe(1)
    expect(said.err).toContain('cancelled')
    expect(await larder.log(({ msg }) => msg === 'task ended')).toMatchObject({ state: 'cancelled' })
    const again = await command(argv, env)
    expect(await again.ended).toBe(1)
    expect(again.said.out).toMatch(/199 ready, 1 failed: \d+ fetched .*, \d+ were here/)
  })
})

describe('the schedule', () => {
  it('makes ready what it names, and names what it can not', async () => {
    const origin = await someOrigin()
    origin.put('/a.bin', noise(20_000))
    const larder = await serve({ raw: { remote: origin.url } })
    const schedule = [{ cron: '* * * * * *', items: ['raw/a.bin', 'raw/missing.bin'] }]
    await larder.writeConfig(JSON.stringify({ repositories: { raw: { remote: origin.url } }, schedule }))
    expect(await larder.log(({ item }) => item === 'raw/missing.bin')).toMatchObject({ code: 'UPSTREAM_ABSENT' })
    expect(origin.count('/a.bin')).toBe(1)
  })
})

describe.skipIf(missing('redis-server').length > 0)(title('the schedule of replicas', 'redis-server'), () => {
  it('one warms up after the other', async () => {
    const redis = await someRedis()
    onTestFinished(() => redis.dispose())
    const origin = await someOrigin()
    // Too large to be shared by Redis: each replica fetches it for its own store.
    origin.put('/a.bin', noise(400_000))
    const gate = origin.hold('/a.bin', 100_000)
    const begins = ({ msg }: { readonly msg?: unknown }) => msg === 'a scheduled warm-up begins'
    const replicas = await Promise.all(
      [1, 2].map(() => serve({ raw: { remote: origin.url } }, { REDIS_URL: redis.url })),
    )
    const schedule = [{ cron: '* * * * * *', items: ['raw/a.bin'] }]
    const config = JSON.stringify({ repositories: { raw: { remote: origin.url } }, schedule })
    await Promise.all(replicas.map((replica) => replica.writeConfig(config)))
    await gate.reached
    // Both have been due by then.
    await Promise.race(replicas.map((replica) => replica.log(({ msg }) => String(msg).includes('is left out'))))
    expect(replicas.filter(({ logs }) => logs.some(begins))).toHaveLength(1)
    expect(origin.count('/a.bin')).toBe(1)
    gate.letGo()
    await Promise.all(replicas.map((replica) => replica.log(begins)))
    await until(() => origin.count('/a.bin') === 2, 'the other has asked, too')
  })
})
