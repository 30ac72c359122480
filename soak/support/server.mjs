import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { start } from '../../bench/support/processes.mjs'

/**
 * @typedef {object} Server the server under test, as a process
 * @property {string} url
 * @property {string} data
 * @property {() => string} errors what it wrote to stderr
 * @property {() => string} unforeseen the first line of its log that tells of a fault in itself; empty if there is none
 * @property {() => Promise<number>} heap bytes after a collection
 * @property {() => number} resident bytes of memory of its own (no files)
 * @property {() => Descriptors} descriptors
 * @property {() => Promise<string>} metrics
 * @property {(method: string, path: string, body: object) => Promise<number>} administer the status
 * @property {() => void} reload writes its configuration anew and sends SIGHUP
 * @property {() => Promise<number | null>} stop its exit code
 *
 * @typedef {{ sockets: number, blobs: number, staging: number, others: number, names: string[] }} Descriptors `names`: of all
 */

const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'main.js')
const PROBE = join(import.meta.dirname, 'memory-probe.mjs')
const START_MS = 60_000

/** @param {number} port of the remote */
const configuration = (port) =>
  JSON.stringify({
    repositories: {
      soak: {
        remote: `http://127.0.0.1:${port}`,
        timeout: { connect: '2s', headers: '3s', stall: '2s' },
        retry: { attempts: 6, budget: '8s', resumes: 12 },
        breaker: { failures: 8, openFor: '500ms', maxOpenFor: '2s' },
        freshness: [
          { match: 'mutable/**', maxAge: '2s' },
          { match: '**', maxAge: 'forever' },
        ],
      },
    },
  })

/**
 * @param {{ directory: string, originPort: number, redisUrl: string | undefined, maxSize: string }} options
 * @returns {Promise<Server>}
 */
export async function startServer({ directory, originPort, redisUrl, maxSize }) {
  const config = join(directory, 'repositories.yaml')
  const data = join(directory, 'data')
  writeFileSync(config, configuration(originPort))
  const child = start(process.execPath, ['--expose-gc', '--import', PROBE, MAIN], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env.PATH,
      LARDER_HOST: '127.0.0.1',
      LARDER_PORT: '0',
      LARDER_DATA: data,
      LARDER_CONFIG: config,
      LARDER_ACCESS_LOG: 'off',
      LARDER_MEMORY: '16MiB',
      LARDER_MAX_SIZE: maxSize,
      LARDER_CLIENT_TIMEOUT: '20s',
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    },
  })
  let errors = ''
  child.process.stderr?.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  let unforeseen = ''
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server does not start\n${errors}`)), START_MS)
    void child.exited.then(() => reject(new Error(`the server ended\n${errors}`)))
    if (!child.process.stdout) throw new Error('the server needs its output piped')
    createInterface({ input: child.process.stdout }).on('line', (line) => {
      const entry = JSON.parse(line)
      if (entry.code === 'INTERNAL' || entry.level >= 60) unforeseen ||= line
      if (entry.msg !== 'listening') return
      clearTimeout(timer)
      resolve(entry.url)
    })
  })
  const token = readFileSync(join(data, 'admin-token'), 'utf8').trim().split(' ').at(-1)
  return {
    url,
    data,
    errors: () => errors,
    unforeseen: () => unforeseen,
    heap: () =>
      new Promise((resolve) => {
        child.process.once('message', (answer) => resolve(/** @type {{ heap: number }} */ (answer).heap))
        child.process.send('collect')
      }),
    resident: () => ownMemory(child.pid),
    descriptors: () => descriptors(child.pid, data),
    metrics: async () => (await call(`${url}/metrics`)).text,
    async administer(method, path, body) {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      return (await call(`${url}/api/v1${path}`, { method, headers }, JSON.stringify(body))).status
    },
    reload() {
      writeFileSync(config, configuration(originPort))
      child.process.kill('SIGHUP')
    },
    async stop() {
      await child.stop()
      return child.exited
    },
  }
}

/**
 * On a connection of its own, so that none stays open.
 *
 * @param {string} url
 * @param {import('node:http').RequestOptions} [options]
 * @param {string} [body]
 * @returns {Promise<{ status: number, text: string }>}
 */
function call(url, options = {}, body) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** @param {number} pid */
function ownMemory(pid) {
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}

/**
 * @param {number} pid
 * @param {string} data
 * @returns {Descriptors}
 */
function descriptors(pid, data) {
  const connections = connectionsOf(pid)
  /** @type {Descriptors} */
  const count = { sockets: 0, blobs: 0, staging: 0, others: 0, names: [] }
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = linkOf(`/proc/${pid}/fd/${fd}`)
    if (target === undefined) continue
    const kind = kindOf(target, data)
    count[kind] += 1
    count.names.push(kind === 'sockets' ? `${connections.get(target) ?? 'a local socket'}` : target)
  }
  return count
}

/**
 * @param {string} target
 * @param {string} data
 */
function kindOf(target, data) {
  if (target.startsWith('socket:')) return 'sockets'
  if (target.startsWith(join(data, 'blobs'))) return 'blobs'
  return target.startsWith(join(data, 'staging')) ? 'staging' : 'others'
}

/**
 * The TCP connections of the machine, by what /proc calls their descriptors: ports and state as the kernel has them.
 *
 * @param {number} pid
 * @returns {Map<string, string>}
 */
function connectionsOf(pid) {
  const port = (/** @type {string | undefined} */ address) => Number.parseInt(address?.split(':')[1] ?? '', 16)
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'latin1').split('\n').slice(1)
  return new Map(
    lines.map((line) => {
      const fields = line.trim().split(/ +/)
      return [`socket:[${fields[9]}]`, `tcp ${port(fields[1])} to ${port(fields[2])}, state ${fields[3]}`]
    }),
  )
}

/** @param {string} link it may be gone by now */
function linkOf(link) {
  try {
    return readlinkSync(link)
  } catch {
    return undefined
  }
}
