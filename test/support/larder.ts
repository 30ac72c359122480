import { type ChildProcess, spawn } from 'node:child_process'
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const patience = 15_000

export type LogLine = Readonly<Record<string, unknown>>

export interface LarderOptions {
  /** repositories.yaml (JSON is YAML). */
  readonly config: string
  readonly env?: Readonly<Record<string, string>>
  /** A directory to go on with; default: a fresh one. */
  readonly data?: string
  /** Whom it runs as (user and group id), where that is another than who tests. */
  readonly user?: number | undefined
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The built server as a real process on a directory of its own. */
export class LarderProcess {
  readonly logs: LogLine[] = []
  readonly configFile: string
  readonly accessLogFile: string
  #child: ChildProcess | undefined
  #exit: Promise<Exit> | undefined
  #listeners = new Set<(line: LogLine | undefined) => void>()
  #errors = ''

  constructor(
    private readonly home: string,
    readonly data: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly user?: number,
  ) {
    this.configFile = join(home, 'repositories.yaml')
    this.accessLogFile = join(home, 'access.log')
  }

  get url(): string {
    return this.#listening('http:')
  }

  get httpsUrl(): string {
    return this.#listening('https:')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** What it wrote to stderr. */
  get errors(): string {
    return this.#errors
  }

  /** Starts and waits until every listener is there; throws with the output where the process ends instead. */
  async start(): Promise<void> {
    const from = this.logs.length
    this.spawn()
    const schemes = this.env.LARDER_TLS_CERT ? ['http:', 'https:'] : ['http:']
    for (const scheme of schemes) await this.log((line) => isListening(line, scheme), from)
  }

  spawn(): void {
    const env = {
      PATH: process.env.PATH ?? '',
      LARDER_HOST: '127.0.0.1',
      LARDER_PORT: '0',
      LARDER_DATA: this.data,
      LARDER_CONFIG: this.configFile,
      LARDER_ACCESS_LOG: this.accessLogFile,
      ...(this.env.LARDER_TLS_CERT ? { LARDER_TLS_PORT: '0' } : {}),
      ...this.env,
    }
    const child = spawn(process.execPath, [main], {
      ...{ cwd: this.home, env, stdio: ['ignore', 'pipe', 'pipe'] },
      ...(this.user !== undefined && { uid: this.user, gid: this.user }),
    })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    const lines = createInterface(child.stdout)
    lines.on('line', (text) => this.#hear(parsed(text)))
    this.#exit = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve({ code, signal })
        for (const listener of this.#listeners) listener(undefined)
      })
    })
  }

  /** The first log line, from the `from`th on, that fits; throws where the process ends or none comes in time. */
  log(fits: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    const seen = this.logs.slice(from).find(fits)
    if (seen) return Promise.resolve(seen)
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#listeners.delete(listener)
        clearTimeout(timer)
      }
      const giveUp = (why: string) => {
        done()
        reject(new Error(`${why}\n${JSON.stringify(this.logs.slice(from))}\n${this.#errors}`))
      }
      const listener = (line: LogLine | undefined) => {
        if (!line) return giveUp('the server ended')
        if (!fits(line)) return
        done()
        resolve(line)
      }
      const timer = setTimeout(() => giveUp('no such log line came'), patience)
      this.#listeners.add(listener)
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Resolves when the process is gone. */
  async exited(): Promise<Exit> {
    if (!this.#exit) throw new Error('never started')
    return this.#exit
  }

  /** SIGTERM; one that does not end within `patience` is killed, and so told apart by its exit. */
  async stop(): Promise<Exit> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), patience)
    const exit = await this.exited()
    clearTimeout(timer)
    return exit
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited()
  }

  /** Ends (kindly) and starts again on the same data. */
  async restart(): Promise<Exit> {
    const exit = await this.stop()
    await this.start()
    return exit
  }

  writeConfig(config: string): Promise<void> {
    return writeFile(this.configFile, config)
  }

  /** The lines of the access log so far. */
  async accessLog(): Promise<LogLine[]> {
    const text = await readFile(this.accessLogFile, 'utf8')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(parsed)
  }

  /** Ends the process, if it still runs, and removes what it wrote. */
  async dispose(): Promise<void> {
    if (this.#child) await this.kill()
    await rm(this.home, { recursive: true, force: true })
  }

  #hear(line: LogLine): void {
    this.logs.push(line)
    for (const listener of this.#listeners) listener(line)
  }

  #listening(scheme: string): string {
    const line = this.logs.findLast((line) => isListening(line, scheme))
    if (!line) throw new Error(`no ${scheme} listener`)
    return String(line.url)
  }
}

const isListening = (line: LogLine, scheme: string): boolean =>
  line.msg === 'listening' && String(line.url).startsWith(scheme)

/** A line that is no JSON object shows as such, so that tests on the log's form see it. */
function parsed(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return { unparsed: text }
  }
}

/** Lays out a directory and a process on it, without starting it. */
export async function prepareLarder(options: LarderOptions): Promise<LarderProcess> {
  const home = await mkdtemp(join(tmpdir(), 'larder-test-'))
  if (options.user !== undefined) await chown(home, options.user, options.user)
  const larder = new LarderProcess(home, options.data ?? join(home, 'data'), options.env ?? {}, options.user)
  await larder.writeConfig(options.config)
  return larder
}

export async function startLarder(options: LarderOptions): Promise<LarderProcess> {
  const larder = await prepareLarder(options)
  try {
    await larder.start()
  } catch (error) {
    await larder.dispose()
    throw error
  }
  return larder
}
