import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { members, start } from './processes.mjs'
import { untilAnswering } from './tools.mjs'

const ROOT = join(import.meta.dirname, '..', '..')
const MAIN = join(ROOT, 'dist', 'main.js')
const START_MS = 30_000

/** Builds Larder unless what is built is newer than every source. */
export function buildLarder() {
  if (existsSync(MAIN) && statSync(MAIN).mtimeMs >= newestSource()) return
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0 || !existsSync(MAIN)) throw new Error('Larder does not build: npm run build')
}

function newestSource() {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  return Math.max(...sources.map((file) => statSync(join(ROOT, 'src', file)).mtimeMs))
}

/**
 * @typedef {object} LarderOptions
 * @property {string} directory keeps the data between starts
 * @property {string} origin
 * @property {string} [name]
 * @property {Readonly<Record<string, string>>} [env] further settings
 * @property {string | undefined} [profiles] a CPU profile is written there when the server stops
 */

/**
 * The built server as a process of its own, with metrics and the access log (to a file) on, as shipped.
 *
 * @param {LarderOptions} options
 * @returns {Promise<import('./nginx.mjs').Server & { readyMs: number, base: string }>}
 */
export async function startLarder({ directory, origin, profiles, name = 'larder', env = {} }) {
  const data = join(directory, 'larder-data')
  const config = join(directory, 'repositories.yaml')
  mkdirSync(data, { recursive: true })
  writeFileSync(
    config,
    `repositories:
  files:
    remote: ${origin}
    freshness:
      - { match: '**', maxAge: forever }
`,
  )
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  const spawned = performance.now()
  const child = start(process.execPath, [...profiling, MAIN], {
    cwd: directory,
    env: {
      ...inherited(),
      LARDER_HOST: '127.0.0.1',
      LARDER_PORT: '0',
      LARDER_DATA: data,
      LARDER_CONFIG: config,
      LARDER_ACCESS_LOG: join(directory, 'larder-access.log'),
      LARDER_SHUTDOWN_GRACE: '5s',
      ...env,
    },
  })
  const url = await listening(child)
  await untilAnswering(`${url}/readyz`, child, START_MS)
  return {
    name,
    base: url,
    url: (path) => `${url}/repository/files${path}`,
    pids: members(child.pid),
    isHit: (headers) => /^larder; hit/.test(headers.get('cache-status') ?? ''),
    readyMs: performance.now() - spawned,
    stop: child.stop,
  }
}

/**
 * Waits until nothing is being stored any more: clients have their last byte before that.
 *
 * @param {{ base: string }} larder
 */
export async function settled({ base }) {
  for (;;) {
    const metrics = await (await fetch(`${base}/metrics`)).text()
    if (/^larder_fills_in_flight 0$/m.test(metrics)) return
    await sleep(20)
  }
}

/** The environment without what would configure the server behind the bench's back. */
function inherited() {
  const entries = Object.entries(process.env)
  return Object.fromEntries(entries.filter(([name]) => !/^(LARDER_.*|REDIS_URL|(https?|no)_proxy)$/i.test(name)))
}

/**
 * @param {import('./processes.mjs').Child} child
 * @returns {Promise<string>} the URL of its log line `listening`
 */
function listening(child) {
  const { stdout, stderr } = child.process
  if (stdout === null || stderr === null) throw new Error('the server needs its output piped')
  /** @type {string[]} */
  const lines = []
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`Larder doesn't start:\n${lines.join('\n')}`))
    const timer = setTimeout(fail, START_MS)
    child.exited.then(fail, reject)
    /** @param {string} line */
    const keep = (line) => {
      if (lines.length < 100) lines.push(line)
    }
    createInterface({ input: stderr }).on('line', keep)
    createInterface({ input: stdout }).on('line', (line) => {
      keep(line)
      const entry = parsed(line)
      if (entry?.msg !== 'listening') return
      clearTimeout(timer)
      resolve(entry.url)
    })
  })
}

/**
 * @param {string} line
 * @returns {{ msg?: string, url: string } | undefined}
 */
function parsed(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
