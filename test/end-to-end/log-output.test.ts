import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { get } from '../support/http.js'
import { startOrigin } from '../support/origin.js'
import { freePort } from '../support/redis.js'
import { configuration, noise, temporaryDirectory, until } from '../support/stage.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** A server whose logs, all of them, go to `stdout`. */
async function loggingTo(stdout: number | 'pipe'): Promise<{ url: string; server: ChildProcess }> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  origin.put('/a', noise(1000))
  const home = await temporaryDirectory()
  const port = String(await freePort())
  await writeFile(join(home, 'repositories.yaml'), configuration(origin))
  const env = {
    PATH: process.env.PATH ?? '',
    LARDER_HOST: '127.0.0.1',
    LARDER_PORT: port,
    LARDER_DATA: join(home, 'data'),
    LARDER_CONFIG: join(home, 'repositories.yaml'),
    LARDER_ACCESS_LOG: 'stdout',
    LARDER_LOG_LEVEL: 'debug',
  }
  const server = spawn(process.execPath, [main], { env, stdio: ['ignore', stdout, 'ignore'] })
  const exited = once(server, 'exit')
  onTestFinished(async () => {
    server.kill('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  const isUp = () =>
    get(`${url}/healthz`).then(
      () => true,
      () => false,
    )
  await expect.poll(isUp, { timeout: 15_000 }).toBe(true)
  return { url, server }
}

/** Enough requests that their lines fill every buffer on the way: each has a long path. */
async function busy(url: string): Promise<number[]> {
  const path = `/repository/raw/${'x'.repeat(4000)}`
  const ask = async () => {
    const statuses: number[] = []
    for (let i = 0; i < 100; i += 1) statuses.push((await get(url + path)).status)
    return statuses
  }
  return [...new Set((await Promise.all(Array.from({ length: 8 }, ask))).flat())]
}

const ends = async (server: ChildProcess) => {
  const exited = once(server, 'exit')
  server.kill('SIGTERM')
  return (await exited)[0]
}

it('O3: a full disk behind standard output costs lines, never requests', async () => {
  const { url, server } = await loggingTo(openSync('/dev/full', 'w'))
  expect(await busy(url)).toEqual([404])
  expect(await ends(server)).toBe(0)
})

it('O3: nor does a reader that left', async () => {
  const { url, server } = await loggingTo('pipe')
  server.stdout?.destroy()
  expect(await busy(url)).toEqual([404])
  expect(await ends(server)).toBe(0)
})

it('O3: nor does one that stalls', async () => {
  const { url, server } = await loggingTo('pipe')
  server.stdout?.pause()
  expect(await busy(url)).toEqual([404])
  expect(await ends(server)).toBe(0)
})

it('O3: the last lines of an orderly end are not lost', async () => {
  const { server } = await loggingTo('pipe')
  let text = ''
  server.stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  expect(await ends(server)).toBe(0)
  await until(() => text.includes('"msg":"stopped"'), 'the last line came')
})
