import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Everything a bench starts or writes is registered here, so that nothing outlives the run: each child leads a process
 * group of its own (nginx's workers, the wrk behind a shell), and the group goes with it.
 *
 * @typedef {object} Child
 * @property {number} pid also the id of its process group
 * @property {import('node:child_process').ChildProcess} process
 * @property {Promise<number | null>} exited its exit code, `null` after a signal
 * @property {() => Promise<void>} stop asks with SIGTERM, insists after a while
 */

const PATIENCE_MS = 15_000

/** @type {Set<Child>} */
const running = new Set()
/** @type {Set<string>} */
const directories = new Set()
/** @type {Set<() => void>} */
const daemons = new Set()

process.once('exit', () => {
  for (const child of running) signalGroup(child.pid, 'SIGKILL')
  stopDaemons()
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => process.exit(130))
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Child}
 */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, detached: true })
  // A start that fails shows in the missing id, a failed signal or message in `exited`.
  child.on('error', () => undefined)
  if (child.pid === undefined) throw new Error(`${command} can't be started`)
  /** @type {Child} */
  const entry = {
    pid: child.pid,
    process: child,
    exited: new Promise((resolve) => {
      child.once('close', (code) => {
        running.delete(entry)
        resolve(code)
      })
    }),
    async stop() {
      if (!running.has(entry)) return
      child.kill('SIGTERM')
      const patience = new AbortController()
      const insist = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(
        () => signalGroup(entry.pid, 'SIGKILL'),
        () => undefined,
      )
      await entry.exited
      patience.abort()
      await insist
    },
  }
  running.add(entry)
  return entry
}

/**
 * @param {number} group
 * @param {NodeJS.Signals} signal
 */
function signalGroup(group, signal) {
  try {
    process.kill(-group, signal)
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

/** Stops whatever still runs, each by its id. */
export async function stopAll() {
  await Promise.all([...running].map((child) => child.stop()))
  stopDaemons()
}

/**
 * For what left the process group it was started in.
 *
 * @param {() => void} stop returns when it is gone: where the run is cut short, nothing else can be waited for
 */
export function stopLater(stop) {
  daemons.add(stop)
}

function stopDaemons() {
  for (const stop of daemons) stop()
  daemons.clear()
}

/** A directory that is removed when the run ends, however it ends. */
export function temporaryDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'larder-bench-'))
  directories.add(directory)
  return directory
}

/** @param {string} directory */
export function removeDirectory(directory) {
  rmSync(directory, { recursive: true, force: true })
  directories.delete(directory)
}

/**
 * The processes of a group, as ids: a server and the workers it has started so far.
 *
 * @param {number} group
 */
export function members(group) {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => statFields(pid)?.[2] === String(group))
}

/**
 * CPU seconds (user and system, all threads) the processes have used so far.
 *
 * @param {readonly number[]} pids
 */
export function cpuSeconds(pids) {
  // utime and stime are fields 14 and 15 of proc(5)'s stat; Linux reports them in hundredths of a second (USER_HZ).
  return pids.reduce((sum, pid) => {
    const fields = statFields(pid)
    return fields === undefined ? sum : sum + (Number(fields[11]) + Number(fields[12])) / 100
  }, 0)
}

/**
 * Resident memory of the processes in bytes.
 *
 * @param {readonly number[]} pids
 */
export function residentBytes(pids) {
  return pids.reduce((sum, pid) => {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1]
    return sum + Number(kibibytes ?? 0) * 1024
  }, 0)
}

/**
 * How many cores the whole machine keeps busy, over `ms`.
 *
 * @param {number} ms
 */
export async function busyCores(ms) {
  const before = machineBusySeconds()
  const began = performance.now()
  await sleep(ms)
  return ((machineBusySeconds() - before) * 1000) / (performance.now() - began)
}

function machineBusySeconds() {
  const total = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]?.split(/ +/).slice(1, 9).map(Number) ?? []
  // user nice system idle iowait irq softirq steal, in hundredths of a second.
  return total.reduce((sum, ticks, i) => (i === 3 || i === 4 ? sum : sum + ticks), 0) / 100
}

/**
 * The fields of /proc/<pid>/stat after the command's name, which may itself hold spaces and parentheses.
 *
 * @param {number} pid
 */
function statFields(pid) {
  const stat = readProc(pid, 'stat')
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/**
 * @param {number} pid
 * @param {string} file
 */
function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}
