import { setTimeout as sleep } from 'node:timers/promises'

/**
 * @typedef {{ second: number, heap: number, resident: number }} Sample bytes; the heap after a collection
 * @typedef {{ first: number, last: number, isFlat: boolean }} Trend
 */

const MIB = 1024 * 1024
const SAMPLES = 30

/**
 * @param {import('./server.mjs').Server} server
 * @param {number} seconds the length of the whole
 * @param {() => boolean} goesOn
 * @returns {Promise<Sample[]>}
 */
export async function sampleMemory(server, seconds, goesOn) {
  /** @type {Sample[]} */
  const samples = []
  const began = performance.now()
  while (goesOn()) {
    await sleep((seconds / SAMPLES) * 1000)
    const heap = await server.heap()
    samples.push({ second: Math.round((performance.now() - began) / 1000), heap, resident: server.resident() })
  }
  return samples
}

/**
 * The last third against the first. Generous: a leak of a kilobyte a request is a hundred times that in minutes.
 *
 * @param {readonly number[]} values
 * @returns {Trend}
 */
export function trend(values) {
  const third = Math.max(1, Math.floor(values.length / 3))
  const first = median(values.slice(0, third))
  const last = median(values.slice(-third))
  return { first, last, isFlat: last <= first * 1.3 + 48 * MIB }
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/**
 * @param {readonly Sample[]} samples
 */
export function curve(samples) {
  const most = Math.max(1, ...samples.map(({ resident }) => resident))
  const lines = samples.map(({ second, heap, resident }) => {
    const bar = '#'.repeat(Math.round((resident / most) * 40))
    return `  ${String(second).padStart(5)} s  heap ${mib(heap)}  resident ${mib(resident)}  ${bar}`
  })
  return lines.join('\n')
}

/** @param {number} bytes */
export const mib = (bytes) => `${(bytes / MIB).toFixed(0).padStart(4)} MiB`
