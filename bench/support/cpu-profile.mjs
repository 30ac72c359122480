import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/**
 * @typedef {{ functionName: string, url: string, lineNumber: number }} Frame
 * @typedef {{ nodes: { id: number, callFrame: Frame }[], samples: number[], timeDeltas: number[] }} Profile
 */

const NOT_BUSY = new Set(['(idle)', '(root)'])

/**
 * The functions with the most time of their own, over all profiles in a directory. "(program)" is time outside
 * JavaScript (system calls, the event loop); idle time doesn't count.
 *
 * @param {string} directory
 * @param {number} [count]
 */
export function topFunctions(directory, count = 20) {
  /** @type {Map<string, number>} */
  const times = new Map()
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'))) {
    add(times, JSON.parse(readFileSync(join(directory, file), 'utf8')))
  }
  const busy = [...times].filter(([name]) => !NOT_BUSY.has(name))
  const whole = busy.reduce((sum, [, time]) => sum + time, 0)
  return busy
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, time]) => `  ${((100 * time) / whole).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n')
}

/**
 * @param {Map<string, number>} times microseconds by function
 * @param {Profile} profile
 */
function add(times, { nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  for (const [i, node] of samples.entries()) {
    const name = names.get(node) ?? '(unknown)'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
  }
}

/** @param {Frame} frame */
function nameOf({ functionName, url, lineNumber }) {
  if (url === '') return functionName
  return `${functionName || '(anonymous)'} ${url.startsWith('node:') ? url : basename(url)}:${lineNumber + 1}`
}
