import { mkdirSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bigHit } from './big-hit.mjs'
import { coldBig } from './cold-big.mjs'
import { coldSmall } from './cold-small.mjs'
import { herd } from './herd.mjs'
import { replicas } from './replicas.mjs'
import { s3Hit } from './s3-hit.mjs'
import { slowReaders } from './slow-readers.mjs'
import { smallHit } from './small-hit.mjs'
import { start } from './start.mjs'
import { topFunctions } from './support/cpu-profile.mjs'
import { collect, larderAndNginx } from './support/figures.mjs'
import { buildLarder } from './support/larder.mjs'
import { busyCores, removeDirectory, stopAll, temporaryDirectory } from './support/processes.mjs'
import { createStage, GIB } from './support/stage.mjs'
import { table } from './support/table.mjs'
import { find, findTools } from './support/tools.mjs'

const BENCHES = [smallHit, bigHit, coldBig, herd, coldSmall, slowReaders, start, s3Hit, replicas]
const BENCH_LIMIT_MS = 10 * 60_000
const QUIET_SAMPLE_MS = 500
const PROFILES = join(import.meta.dirname, 'results', 'profiles')

const USAGE = `Larder and nginx proxy_cache side by side; see bench/README.md.

  npm run bench [-- [options] [names...]]

names: ${BENCHES.map(({ name }) => name).join(', ')} (default: all)
  --rounds N     rounds of each side, 5 unless given
  --seconds N    length of one measurement of a rate, 3 unless given
  --json         the results as JSON on standard output
  --profile      write Larder's CPU profiles to bench/results/profiles and name the functions that take the time
  --calibrate    put a second nginx in Larder's place: how far from 1.00 the ratios are is this machine's noise
`

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      calibrate: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name))
  if (unknown.length > 0) throw new Error(`no such bench: ${unknown.join(', ')}\n\n${USAGE}`)
  return {
    ...values,
    rounds: count('rounds', values.rounds),
    seconds: count('seconds', values.seconds),
    benches: BENCHES.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function count(name, value) {
  if (!/^[1-9]\d{0,2}$/.test(value)) throw new Error(`--${name} takes a number from 1 to 999, not ${value}`)
  return Number(value)
}

/**
 * @param {import('./support/figures.mjs').Bench} bench
 * @param {{ tools: { nginx: string, wrk: string }, rounds: number, seconds: number, calibrate: boolean, profile: boolean }} settings
 * @returns {Promise<import('./support/table.mjs').Result>}
 */
async function runBench(bench, { profile, ...settings }) {
  const { name, about } = bench
  const sides = bench.sides ?? larderAndNginx
  const missing = bench.needs?.filter((program) => find(program) === undefined) ?? []
  const leftOut = missing.length > 0 ? `not found: ${missing.join(', ')}` : undefined
  if (leftOut !== undefined) return { name, about, sides, busyBefore: 0, figures: [], leftOut }
  process.stderr.write(`${name} ...\n`)
  const collected = collect(bench.figures, sides)
  const busyBefore = await busyCores(QUIET_SAMPLE_MS)
  const directory = temporaryDirectory()
  const profiles = profile ? join(PROFILES, name) : undefined
  if (profiles !== undefined) {
    rmSync(profiles, { recursive: true, force: true })
    mkdirSync(profiles, { recursive: true })
  }
  try {
    await within(BENCH_LIMIT_MS, bench.run(createStage({ ...settings, directory, profiles, record: collected.record })))
    return { name, about, sides: headed(sides, settings.calibrate), busyBefore, figures: collected.figures() }
  } catch (error) {
    return {
      name,
      about,
      sides,
      busyBefore,
      figures: [],
      fault: error instanceof Error ? error.message : String(error),
    }
  } finally {
    await stopAll()
    removeDirectory(directory)
    if (profiles !== undefined) process.stderr.write(`${profiles}, time of their own:\n${topFunctions(profiles)}\n`)
  }
}

/**
 * @param {import('./support/figures.mjs').Sides} sides
 * @param {boolean} calibrate
 * @returns {import('./support/figures.mjs').Sides}
 */
function headed(sides, calibrate) {
  return calibrate ? ['nginx again', sides[1]] : sides
}

/**
 * @param {number} ms
 * @param {Promise<void>} work
 */
async function within(ms, work) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ms / 60_000} minutes`)), ms)
  })
  await Promise.race([work, limit]).finally(() => clearTimeout(timer))
}

async function main() {
  const { benches, json, help, ...settings } = options()
  if (help) {
    process.stdout.write(USAGE)
    return
  }
  const tools = findTools()
  if (!settings.calibrate) buildLarder()
  const results = []
  for (const bench of benches) results.push(await runBench(bench, { ...settings, tools }))
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    memoryGiB: totalmem() / GIB,
  }
  const { rounds, seconds, calibrate } = settings
  process.stdout.write(
    json
      ? `${JSON.stringify({ date: new Date().toISOString(), machine, rounds, seconds, calibrate, results }, null, 2)}\n`
      : `${table(results)}\n`,
  )
  if (results.some(({ fault }) => fault !== undefined)) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
