import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './http.js'
import { freePort } from './redis.js'
import { find } from './servers.js'
import { until } from './stage.js'

export interface Login {
  readonly user: string
  readonly password: string
}

export interface ForwardProxy {
  /** Host and port. */
  readonly host: string
  /** What it was asked so far and what came of it, such as `GET http://h/a 200`; a tunnel shows when it is over. */
  requests(): Promise<string[]>
  dispose(): Promise<void>
}

/** A real squid that caches nothing, loopback only; with a login it wants that. Ask `missing('squid', 'openssl')` before. */
export async function startForwardProxy(login?: Login): Promise<ForwardProxy> {
  const program = find('squid')
  if (!program) throw new Error('squid is missing')
  const home = await mkdtemp(join(tmpdir(), 'larder-squid-'))
  // Started by root it gives that up, and writes its logs afterwards.
  await chmod(home, 0o777)
  const port = await freePort()
  const file = join(home, 'squid.conf')
  await writeFile(file, configuration(home, port, login))
  if (login) await writeFile(join(home, 'passwords'), `${login.user}:${await hashed(login.password)}\n`)
  const child = spawn(program, ['-N', '-f', file], { cwd: home, stdio: 'ignore' })
  const dispose = async () => {
    await end(child)
    await rm(home, { recursive: true, force: true })
  }
  await until(() => takesConnections(port), 'squid takes connections').catch(async (error) => {
    await dispose()
    throw error
  })
  return {
    host: `127.0.0.1:${port}`,
    dispose,
    async requests() {
      const text = await readFile(join(home, 'access.log'), 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
  }
}

function configuration(home: string, port: number, login: Login | undefined): string {
  const settings = [
    `http_port 127.0.0.1:${port}`,
    'logformat short %rm %ru %>Hs',
    `access_log stdio:${home}/access.log short`,
    `cache_log ${home}/cache.log`,
    'pid_filename none',
    'pinger_enable off',
    'cache deny all',
    'forwarded_for delete',
  ]
  const ask = [
    `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${home}/passwords`,
    'acl known proxy_auth REQUIRED',
  ]
  const rule = login ? [...ask, 'http_access allow known', 'http_access deny all'] : ['http_access allow all']
  return `${[...settings, ...rule].join('\n')}\n`
}

async function hashed(password: string): Promise<string> {
  const made = await run('openssl', ['passwd', '-apr1', password])
  return made.stdout.toString().trim()
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
