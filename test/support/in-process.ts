import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished, vi } from 'vitest'
import { startLarder } from '../../src/compose.js'
import { readEnvironment } from '../../src/config/environment.js'
import { createLog } from '../../src/log.js'
import { type Exchange, get, open, type Received, type RequestOptions } from './http.js'
import type { LogLine } from './larder.js'
import { type Settings, until } from './stage.js'

/** The whole server as `compose` wires it, in this process, with one repository `raw` in front of a remote. */
export interface InProcess {
  readonly url: string
  /** Where TLS is spoken; empty where it is not. */
  readonly secureUrl: string
  /** LARDER_DATA */
  readonly data: string
  /** Lines of the log so far (not of the access log). */
  readonly logs: readonly LogLine[]
  /** The URL of a path of the repository `raw`. */
  at(path: string): string
  /** One request for a path of `raw`, to its end. */
  get(path: string, headers?: Readonly<Record<string, string>>, options?: RequestOptions): Promise<Received>
  head(path: string, headers?: Readonly<Record<string, string>>): Promise<Received>
  /** As `get`; resolves at the head. */
  open(path: string, headers?: Readonly<Record<string, string>>, options?: RequestOptions): Promise<Exchange>
  /** Resolves when no fill is under way: clients have their last byte before it is published (C7). */
  settled(): Promise<void>
  /** `get`, then `settled`. */
  warm(path: string, headers?: Readonly<Record<string, string>>): Promise<Received>
  /** The value of a metric's only sample with these labels; 0 where there is none. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  /** The access log, once it has at least so many lines. */
  accessLog(lines: number): Promise<LogLine[]>
  /** Other settings for `raw`, loaded at once. */
  reconfigure(remote: string | undefined, settings?: Settings, others?: Others): Promise<void>
  stop(): Promise<void>
}

/** No second tries unless a test asks for them. */
const atOnce = { retry: { attempts: 1, budget: '5s', resumes: 2 } }

/** `others`: what else stands at the top of the configuration, further repositories among it. */
const configuration = (remote: string | undefined, settings: Settings, others: Others) => {
  const raw = { ...(remote !== undefined && { remote, ...atOnce }), ...settings }
  return JSON.stringify({ ...others, repositories: { raw, ...others.repositories } })
}

interface Others extends Settings {
  readonly repositories?: Settings
}

/** For as long as the test runs. */
export async function inFront(
  remote: string | undefined,
  settings: Settings = {},
  env: Readonly<Record<string, string>> = {},
  others: Others = {},
): Promise<InProcess> {
  const home = await mkdtemp(join(tmpdir(), 'larder-in-process-'))
  const files = { config: join(home, 'repositories.yaml'), access: join(home, 'access.log'), data: join(home, 'data') }
  await writeFile(files.config, configuration(remote, settings, others))
  const environment = {
    LARDER_HOST: '127.0.0.1',
    LARDER_PORT: '0',
    LARDER_DATA: files.data,
    LARDER_CONFIG: files.config,
    LARDER_ACCESS_LOG: files.access,
    LARDER_SHUTDOWN_GRACE: '1s',
    ...env,
  }
  const logs: LogLine[] = []
  const log = createLog('info', { write: (line) => void logs.push(JSON.parse(line) as LogLine) })
  const larder = await startLarder(readEnvironment(environment), environment, '0.0.0-test', log)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= larder.stop()
    return stopped
  }
  onTestFinished(async () => {
    await stop()
    await rm(home, { recursive: true, force: true })
  })
  const [url = '', secureUrl = ''] = larder.urls
  return {
    ...client(url),
    secureUrl,
    data: files.data,
    logs,
    stop,
    accessLog: (lines) => accessLog(files.access, lines),
    async reconfigure(remote, settings = {}, others = {}) {
      await writeFile(files.config, configuration(remote, settings, others))
      await larder.reload()
    },
  }
}

function client(url: string): Omit<InProcess, 'secureUrl' | 'data' | 'logs' | 'stop' | 'accessLog' | 'reconfigure'> {
  const at = (path: string) => `${url}/repository/raw${path}`
  const scrape = async () => (await get(`${url}/metrics`)).body.toString()
  const metric = async (name: string, labels = {}) => sample(await scrape(), name, labels)
  const settled = () => until(async () => (await metric('larder_fills_in_flight')) === 0, 'no fill is under way')
  return {
    url,
    at,
    get: (path, headers = {}, options = {}) => get(at(path), { headers, ...options }),
    head: (path, headers = {}) => get(at(path), { headers, method: 'HEAD' }),
    open: (path, headers = {}, options = {}) => open(at(path), { headers, ...options }),
    settled,
    metric,
    async warm(path, headers = {}) {
      const received = await get(at(path), { headers })
      await settled()
      return received
    },
  }
}

function sample(exposition: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const fits = (line: string) =>
    (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && wanted.every((pair) => line.includes(pair))
  const lines = exposition.split('\n').filter(fits)
  if (lines.length > 1) throw new Error(`several samples of ${name}: ${lines.join(' ')}`)
  return Number(lines[0]?.slice(lines[0].lastIndexOf(' ') + 1) ?? 0)
}

async function accessLog(file: string, lines: number): Promise<LogLine[]> {
  let text = ''
  await until(async () => {
    text = await readFile(file, 'utf8').catch(() => '')
    return text.split('\n').length > lines
  }, `the access log has ${lines} lines`)
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
}

/** The same, with nothing behind it: `raw` is a hosted repository. */
export const hosting = (
  settings: Settings = {},
  env: Readonly<Record<string, string>> = {},
  others: Others = {},
): Promise<InProcess> => inFront(undefined, { type: 'hosted', ...settings }, env, others)

/** Time stands still (`Date`, and the clock of what is remembered for a while only) but for what a test lets pass. */
export function stopClock(): { pass(seconds: number): Promise<void> } {
  vi.useFakeTimers({ toFake: ['Date'] })
  const monotonic = performance.now.bind(performance)
  let passed = 0
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed)
  onTestFinished(() => {
    vi.useRealTimers()
    spy.mockRestore()
  })
  return {
    async pass(seconds) {
      passed += seconds * 1000
      vi.setSystemTime(Date.now() + seconds * 1000)
      // What is remembered for a while looks at the clock once a millisecond.
      await sleep(5)
    },
  }
}

/** Sends bytes as they are; what comes until the connection ends, and whether that was by an error. */
export function raw(url: string, request: string): Promise<{ readonly text: string; readonly broken: boolean }> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let text = ''
    let broken = false
    const socket = connect(Number(port), hostname, () => socket.write(request, 'latin1'))
    socket.setEncoding('latin1')
    socket.on('data', (data) => {
      text += data
    })
    socket.on('error', () => {
      broken = true
    })
    socket.on('close', () => resolve({ text, broken }))
  })
}
