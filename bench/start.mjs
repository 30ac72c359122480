import { startClient } from './support/client.mjs'
import { residentBytes } from './support/processes.mjs'
import { MIB } from './support/stage.mjs'

const TINY = 95_000
const BLOBS = 5_000
const CONNECTIONS = 32
const PROBES = 20

/** @type {import('./support/figures.mjs').Bench} */
export const start = {
  name: 'start',
  about: `a start with ${TINY + BLOBS} stored artifacts (${TINY} inside their records, ${BLOBS} blobs of 20 KiB)`,
  figures: {
    ready: { label: 'from spawn to /readyz 200', unit: 'ms', goal: { of: 'larder', atMost: 1000 } },
    empty: { label: '... with an empty store', unit: 'ms' },
    resident: { label: 'resident memory when ready', unit: 'MiB', digits: 1 },
    stored: { label: 'artifacts stored before, by second', unit: '1/s' },
  },
  async run(stage) {
    // nginx reads its cache behind, after it is ready: there is nothing to compare.
    if (stage.calibrate) return
    const origin = await stage.startOrigin()
    const first = await stage.startLarder(origin.url)
    stage.record('larder', { empty: first.readyMs, stored: await fill(first) })
    if (origin.requests() !== TINY + BLOBS) throw new Error('not every artifact came from the origin once')
    await first.stop()
    await origin.stop()
    for (let round = 0; round < stage.rounds; round++) {
      const larder = await stage.startLarder(origin.url)
      stage.record('larder', { ready: larder.readyMs, resident: residentBytes(larder.pids) / MIB })
      await probe(larder)
      await larder.stop()
    }
  },
}

/**
 * @param {import('./support/nginx.mjs').Server} larder
 * @returns {Promise<number>} artifacts by second
 */
async function fill(larder) {
  const client = startClient()
  const began = performance.now()
  await client.sow({ url: larder.url('/tiny/'), keys: TINY, connections: CONNECTIONS })
  await client.sow({ url: larder.url('/blob/'), keys: BLOBS, connections: CONNECTIONS })
  await client.stop()
  return (TINY + BLOBS) / ((performance.now() - began) / 1000)
}

/**
 * The origin is gone by now: what answers was stored.
 *
 * @param {import('./support/nginx.mjs').Server} larder
 */
async function probe(larder) {
  for (let i = 0; i < PROBES; i++) {
    const keys = [`/tiny/${Math.floor((i * TINY) / PROBES)}`, `/blob/${Math.floor((i * BLOBS) / PROBES)}`]
    for (const key of keys) {
      const response = await fetch(larder.url(key))
      if (response.status !== 200 || !(await response.text()).startsWith(`${key}\n`)) throw new Error(`${key} is lost`)
    }
  }
}
