import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { find } from './servers.js'

/** A real redis-server of our own, without persistence; `settings` go before its own. */
export class RedisServer {
  #child: ChildProcess | undefined

  constructor(
    private readonly program: string,
    private readonly home: string,
    readonly port: number,
    private readonly settings: readonly string[] = [],
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts, or starts again on the same port, empty; resolves when it answers. */
  async start(): Promise<void> {
    const args = [
      ...this.settings,
      '--port',
      `${this.port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.home,
    ]
    const child = spawn(this.program, args, { stdio: 'ignore' })
    this.#child = child
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
      const answer = await this.command('PING').catch(() => undefined)
      if (answer === '+PONG') return
      await sleep(25)
    }
    throw new Error('redis-server does not answer')
  }

  /** SIGKILL: connections are refused from now on. */
  async stop(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** SIGSTOP: it takes connections and commands, and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async flush(): Promise<void> {
    await this.command('FLUSHALL')
  }

  /** The number of keys. */
  async size(): Promise<number> {
    return Number((await this.command('DBSIZE')).slice(1))
  }

  async dispose(): Promise<void> {
    await this.stop()
    await rm(this.home, { recursive: true, force: true })
  }

  /** The first line of the answer to a command whose arguments need no quotes. */
  async command(line: string): Promise<string> {
    return (await this.answer(line)).split('\r\n')[0] ?? ''
  }

  /** The whole answer, as it came. */
  async answer(line: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1').setTimeout(2000, () => socket.destroy(new Error(`silent: ${line}`)))
    try {
      // The answer to a second command shows where that to the first ends.
      socket.write(`${line}\r\nPING\r\n`)
      let text = ''
      for await (const chunk of socket) {
        text += chunk
        if (text.endsWith('+PONG\r\n')) break
      }
      return text
    } finally {
      socket.destroy()
    }
  }

  /** Waits until the answer to a command says so. */
  async until(line: string, wanted: RegExp): Promise<string> {
    for (let attempt = 0; attempt < 400; attempt += 1) {
      const answer = await this.answer(line).catch(() => '')
      if (wanted.test(answer)) return answer
      await sleep(25)
    }
    throw new Error(`${line}: no answer like ${wanted}`)
  }
}

/** Starts a server on a free port. Ask `missing('redis-server')` before. */
export async function startRedis(settings?: (home: string) => Promise<readonly string[]>): Promise<RedisServer> {
  const program = find('redis-server')
  if (!program) throw new Error('redis-server is missing')
  const home = await mkdtemp(join(tmpdir(), 'larder-redis-'))
  const server = new RedisServer(program, home, await freePort(), await settings?.(home))
  try {
    await server.start()
  } catch (error) {
    await server.dispose()
    throw error
  }
  return server
}

/** A server at hand for suites that only use one: that of `LARDER_TEST_REDIS_URL`, else one of our own. */
export async function someRedis(): Promise<{ readonly url: string; dispose(): Promise<void> }> {
  const url = process.env.LARDER_TEST_REDIS_URL
  return url === undefined ? startRedis() : { url, dispose: async () => {} }
}

/** One that is free now, outside the range that is given to clients, who would take it before it is listened on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 6000)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
