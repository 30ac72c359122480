import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { get } from '../support/http.js'
import { freePort } from '../support/redis.js'
import { temporaryDirectory } from '../support/stage.js'
import { inCheckout, textOf } from './files.js'

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** The instructions of each stage, lines that are continued put together. */
const stages: readonly (readonly Instruction[])[] = textOf('deploy/Dockerfile')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1) }))
  .reduce<Instruction[][]>((all, instruction) => {
    if (instruction.name === 'FROM' || all.length === 0) all.push([])
    all.at(-1)?.push(instruction)
    return all
  }, [])

const [, build = [], image = []] = stages

const only = (name: string): string => image.find((instruction) => instruction.name === name)?.rest ?? ''

/** What of the checkout the build gets to see. */
const context = textOf('deploy/Dockerfile.dockerignore')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1))

/** Runs the build stage, its own commands, in an empty directory. */
async function runBuildStage(): Promise<string> {
  const directory = await temporaryDirectory()
  for (const { name, rest } of build) {
    if (name === 'COPY') {
      const words = rest.split(' ')
      const to = words.pop() ?? ''
      for (const from of words) {
        await cp(inCheckout(from), join(directory, to.endsWith('/') ? join(to, basename(from)) : to), {
          recursive: true,
        })
      }
    }
    if (name === 'RUN') await promisify(execFile)('sh', ['-c', rest], { cwd: directory, timeout: 240_000 })
  }
  return directory
}

describe('the image', () => {
  it('takes no more of the checkout than it is let see, and needs all of that', () => {
    const copied = [...build, ...image]
      .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1))
    expect(copied.sort()).toEqual([...context].sort())
  })

  it('runs as nobody in particular', () => {
    expect(only('USER')).toBe('1000:1000')
  })

  it('is built by its commands in an empty directory: a server that answers its health check', async () => {
    const built = await runBuildStage()
    const app = await temporaryDirectory()
    const parts = image
      .filter(({ rest }) => rest.startsWith('--from=build'))
      .map(({ rest }) => rest.split(' ')[1] ?? '')
    expect(parts).toHaveLength(3)
    for (const part of parts) await cp(join(built, basename(part)), join(app, basename(part)), { recursive: true })
    const home = await temporaryDirectory()
    await mkdir(join(home, 'data'))
    const port = await freePort()
    const env = {
      PATH: process.env.PATH ?? '',
      LARDER_HOST: '127.0.0.1',
      LARDER_PORT: `${port}`,
      LARDER_DATA: join(home, 'data'),
      LARDER_CONFIG: inCheckout('repositories.yaml'),
    }
    // Run as the entry point is, by itself: that wants a first line and a mode.
    const server = spawn(join(app, 'dist/main.js'), JSON.parse(only('CMD')), { cwd: home, env, stdio: 'ignore' })
    const gone = once(server, 'exit')
    onTestFinished(async () => {
      server.kill('SIGKILL')
      await gone
    })
    const url = `http://127.0.0.1:${port}/healthz`
    await vi.waitFor(async () => expect((await get(url)).status).toBe(200), { timeout: 60_000 })
    const [program = '', ...args] = JSON.parse(only('HEALTHCHECK').replace(/^.*?CMD /, '')) as string[]
    await promisify(execFile)(program, args, { env })
    const other = { ...env, LARDER_PORT: `${await freePort()}` }
    await expect(promisify(execFile)(program, args, { env: other })).rejects.toMatchObject({ code: 1 })
    server.kill('SIGTERM')
    expect(await gone).toEqual([0, null])
  }, 300_000)
})
