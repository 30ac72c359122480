import { createHash, randomFillSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLarder } from './larder.mjs'
import { startNginx, startOrigin } from './nginx.mjs'
import { cpuSeconds } from './processes.mjs'

/**
 * @typedef {import('./nginx.mjs').Server} Server
 * @typedef {ReturnType<typeof createStage>} Stage what a bench has to work with
 *
 * @typedef {object} Options
 * @property {{ nginx: string, wrk: string }} tools
 * @property {string} directory
 * @property {number} rounds
 * @property {number} seconds how long one measurement of a rate lasts
 * @property {boolean} calibrate put a second nginx in Larder's place
 * @property {string | undefined} profiles where Larder's CPU profiles go, if wanted
 * @property {(side: string, values: Record<string, number>) => void} record
 */

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB

const PUBLISHED_MS = 10_000

/** @param {Options} options */
export function createStage({ tools, directory, rounds, seconds, calibrate, profiles, record }) {
  const files = join(directory, 'files')
  mkdirSync(files)

  /** @param {string} origin */
  async function startSides(origin) {
    const place = mkdtempSync(join(directory, 'sides-'))
    const nginx = await startNginx({ binary: tools.nginx, directory: place, origin })
    const larder = calibrate
      ? await startNginx({ binary: tools.nginx, directory: place, origin, name: 'larder' })
      : await startLarder({ directory: place, origin, profiles })
    return [nginx, larder]
  }

  /**
   * Each round in the other order, so that drift of the machine hits both sides.
   *
   * @template Side
   * @param {readonly Side[]} sides
   * @param {number} round
   */
  function inTurn(sides, round) {
    return round % 2 === 0 ? sides : sides.toReversed()
  }

  return {
    tools,
    files,
    directory,
    rounds,
    seconds,
    calibrate,
    record,
    startSides,
    inTurn,
    startOrigin: () => startOrigin({ binary: tools.nginx, directory, files }),
    /**
     * @param {string} origin
     * @param {{ place?: string, name?: string, env?: Readonly<Record<string, string>> }} [options] `place`: a directory of its own
     */
    startLarder: (origin, { place = directory, ...options } = {}) =>
      startLarder({ directory: place, origin, profiles, ...options }),

    /**
     * Random bytes, so that no layer can compress them.
     *
     * @param {string} name
     * @param {number} size
     */
    writeFile(name, size) {
      const bytes = randomFillSync(Buffer.alloc(size))
      writeFileSync(join(files, name), bytes)
      return { path: `/${name}`, sha256: sha256(bytes) }
    },

    /**
     * Runs `measure` for every round and side.
     *
     * @template Side
     * @param {readonly Side[]} sides
     * @param {(side: Side, round: number) => Promise<void>} measure
     * @param {number} [count] of rounds
     */
    async alternate(sides, measure, count = rounds) {
      for (let round = 0; round < count; round++) {
        for (const side of inTurn(sides, round)) await measure(side, round)
      }
    },
  }
}

/**
 * @template T
 * @param {Server} side
 * @param {() => Promise<T>} work
 * @returns {Promise<T & { serverCpu: number }>} with the CPU seconds the server's processes took meanwhile
 */
export async function withServerCpu(side, work) {
  const before = cpuSeconds(side.pids)
  const result = await work()
  return { ...result, serverCpu: cpuSeconds(side.pids) - before }
}

/**
 * Fills the cache with an artifact, and makes sure that it then is a hit with the right bytes.
 *
 * @param {Server} side
 * @param {{ path: string, sha256: string }} artifact
 */
export async function warm(side, { path, sha256: expected }) {
  const url = side.url(path)
  const deadline = performance.now() + PUBLISHED_MS
  // Publishing may come after the last byte.
  while (performance.now() < deadline) {
    const response = await fetch(url)
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (response.status !== 200 || sha256(bytes) !== expected)
      throw new Error(`${url}: ${response.status}, other bytes`)
    if (side.isHit(response.headers)) return
    await sleep(20)
  }
  throw new Error(`${url} never becomes a hit`)
}

/** @param {Uint8Array} bytes */
export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}
