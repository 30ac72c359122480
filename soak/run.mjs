import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildLarder } from '../bench/support/larder.mjs'
import { start, stopAll, temporaryDirectory } from '../bench/support/processes.mjs'
import { freePort } from '../bench/support/tools.mjs'
import { catalogue } from './support/catalogue.mjs'
import { client, tally } from './support/clients.mjs'
import { sampleMemory } from './support/memory.mjs'
import { redisServer } from './support/redis.mjs'
import { criteria, report, sum } from './support/report.mjs'
import { startServer } from './support/server.mjs'
import { operate, troubleRedis } from './support/troubles.mjs'

const USAGE = `Larder for minutes on end between bad clients and a bad remote; see soak/README.md.

  npm run soak [-- [options]]

  --minutes N    5 unless given
  --clients N    at a time, 200 unless given
  --no-redis     without Redis, where there is none
`
const ARTIFACTS = 400
const MAX_SIZE = '32MiB'
const SETTLE_MS = 60_000
const NUDGES = 5
const WARM_UP_MS = 3_000

/** @typedef {import('./support/server.mjs').Server} Server */

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      clients: { type: 'string', default: '200' },
      'no-redis': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [minutes, clients] = [Number(values.minutes), Number(values.clients)]
  if (!(minutes > 0) || !Number.isInteger(clients) || clients < 1) throw new Error(USAGE)
  return { minutes, clients, hasRedis: !values['no-redis'], help: values.help }
}

async function startOrigin() {
  const child = start(process.execPath, [join(import.meta.dirname, 'origin-process.mjs'), String(ARTIFACTS)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  if (!child.process.stdout) throw new Error('the origin needs its output piped')
  for await (const line of createInterface({ input: child.process.stdout })) {
    return { port: Number(line), heal: () => void child.process.send('heal') }
  }
  throw new Error('the origin does not start')
}

/**
 * @param {ReturnType<typeof options>} options
 * @returns {Promise<import('./support/report.mjs').Findings>}
 */
async function soak({ minutes, clients, hasRedis }) {
  const directory = temporaryDirectory()
  const origin = await startOrigin()
  const redis = hasRedis ? redisServer(directory, await freePort()) : undefined
  await redis?.start()
  const server = await startServer({ directory, originPort: origin.port, redisUrl: redis?.url, maxSize: MAX_SIZE })
  const artifacts = catalogue(ARTIFACTS)
  const base = `${server.url}/repository/soak`
  const [count, calm] = [tally(), tally()]

  await warmUp(server, base, artifacts)
  const before = server.descriptors()
  const until = Date.now() + minutes * 60_000
  const goesOn = () => Date.now() < until
  const [samples, refused] = await Promise.all([
    sampleMemory(server, minutes * 60, goesOn),
    operate(server, goesOn),
    redis && troubleRedis(redis, goesOn),
    ...Array.from({ length: clients }, () => client(base, artifacts, count, goesOn)),
  ])

  origin.heal()
  const isSettled = await settled(server, base, artifacts, before)
  const metrics = await server.metrics()
  const after = server.descriptors()
  const staged = readdirSync(join(server.data, 'staging')).length
  await Promise.all(artifacts.map((artifact) => once(base, artifact, calm)))
  const exitCode = await server.stop()
  const faults = [server.unforeseen(), server.errors()].filter((fault) => fault !== '')
  const title = `${clients} clients, ${minutes} min${hasRedis ? '' : ', without Redis'}`
  return { title, count, calm, samples, before, after, staged, isSettled, metrics, refused, faults, exitCode }
}

/**
 * @param {string} base
 * @param {import('./support/catalogue.mjs').Artifact} artifact
 * @param {import('./support/clients.mjs').Tally} count
 */
async function once(base, artifact, count) {
  let goesOn = true
  await client(base, [artifact], count, () => {
    const first = goesOn
    goesOn = false
    return first
  })
}

/**
 * Everything has been used once, so that what is opened for good is open: workers, watches, connections to Redis.
 *
 * @param {Server} server
 * @param {string} base
 * @param {readonly import('./support/catalogue.mjs').Artifact[]} artifacts
 */
async function warmUp(server, base, artifacts) {
  for (const artifact of artifacts.slice(0, 40)) await once(base, artifact, tally())
  await server.administer('POST', '/purge', { repository: 'soak', prefix: 'none/' })
  await server.administer('POST', '/tasks', { kind: 'verify' })
  server.reload()
  await sleep(WARM_UP_MS)
}

/**
 * Waits until the remote is trusted again, no fill is under way and what was opened is closed; false if that takes too long.
 *
 * @param {Server} server
 * @param {string} base
 * @param {readonly import('./support/catalogue.mjs').Artifact[]} artifacts
 * @param {import('./support/server.mjs').Descriptors} before
 */
async function settled(server, base, artifacts, before) {
  const deadline = Date.now() + SETTLE_MS
  for (let n = 0; Date.now() < deadline; n += 1) {
    // A breaker closes when someone asks; then nobody does, so that the connections kept for the next request close.
    if (n < NUDGES)
      await Promise.all(artifacts.slice(n * 20, n * 20 + 20).map((artifact) => once(base, artifact, tally())))
    await sleep(1_000)
    const { blobs, staging, sockets } = server.descriptors()
    const metrics = await server.metrics()
    const isQuiet = sum(metrics, 'larder_fills_in_flight') === 0 && sum(metrics, 'larder_breaker_state') === 0
    if (isQuiet && n >= NUDGES && blobs <= before.blobs && staging <= before.staging && sockets <= before.sockets)
      return true
  }
  return sum(await server.metrics(), 'larder_fills_in_flight') === 0
}

const given = options()
if (given.help) console.log(USAGE)
else {
  buildLarder()
  try {
    const findings = await soak(given)
    const table = criteria(findings)
    console.log(report(findings, table))
    if (!table.every(({ holds }) => holds)) process.exitCode = 1
  } finally {
    await stopAll()
  }
}
