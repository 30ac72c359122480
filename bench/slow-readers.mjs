import { setTimeout as sleep } from 'node:timers/promises'
import { startClient } from './support/client.mjs'
import { residentBytes } from './support/processes.mjs'
import { KIB, MIB, warm } from './support/stage.mjs'
import { wrk } from './support/wrk.mjs'

const READERS = 64
const READERS_RATE = 64 * KIB
const SMALL_CONNECTIONS = 8
const SETTLE_SECONDS = 1
const SAMPLE_MS = 50

/** @type {import('./support/figures.mjs').Bench} */
export const slowReaders = {
  name: 'slow-readers',
  about: `${READERS} clients read a warm 64 MiB object at 64 KiB/s each; small hits beside them (${SMALL_CONNECTIONS} connections)`,
  figures: {
    growth: { label: 'growth of resident memory', unit: 'MiB', digits: 1, goal: { of: 'larder', atMost: 64 } },
    resident: { label: 'resident memory before', unit: 'MiB', digits: 1 },
    p99: { label: 'small hit, p99', unit: 'ms', digits: 2, goal: { of: 'larder', atMost: 10 } },
    quiet: { label: 'small hit, p99 without the readers', unit: 'ms', digits: 2 },
    pace: { label: 'read by reader', unit: 'KiB/s', digits: 1 },
  },
  async run(stage) {
    const big = stage.writeFile('slow.bin', 64 * MIB)
    const small = stage.writeFile('small.bin', 2 * KIB)
    const origin = await stage.startOrigin()
    const client = startClient()
    for (let round = 0; round < stage.rounds; round++) {
      // Memory once taken is rarely given back: every round has servers of its own.
      const sides = await stage.startSides(origin.url)
      for (const side of stage.inTurn(sides, round)) {
        for (const artifact of [big, small]) await warm(side, artifact)
        stage.record(side.name, await beside(stage, side, client, big.path))
      }
      await Promise.all(sides.map((side) => side.stop()))
    }
  },
}

/**
 * @param {import('./support/stage.mjs').Stage} stage
 * @param {import('./support/nginx.mjs').Server} side
 * @param {ReturnType<typeof startClient>} client
 * @param {string} path
 */
async function beside({ tools, seconds }, side, client, path) {
  const smallHits = () =>
    wrk({ binary: tools.wrk, url: side.url('/small.bin'), connections: SMALL_CONNECTIONS, seconds })
  // The small hits alone make the heap grow: they come first, so that the readers are not charged for that.
  const quiet = await smallHits()
  const memory = watchMemory(side.pids)
  const [{ bytesPerSecond }, busy] = await Promise.all([
    client.crawl({
      url: side.url(path),
      readers: READERS,
      bytesPerSecond: READERS_RATE,
      seconds: seconds + 2 * SETTLE_SECONDS,
    }),
    sleep(SETTLE_SECONDS * 1000).then(smallHits),
  ])
  const { before, most } = memory.stop()
  return {
    growth: (most - before) / MIB,
    resident: before / MIB,
    p99: busy.p99Ms,
    quiet: quiet.p99Ms,
    pace: bytesPerSecond / READERS / KIB,
  }
}

/** @param {readonly number[]} pids */
function watchMemory(pids) {
  const before = residentBytes(pids)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(pids))
  }, SAMPLE_MS)
  return {
    stop() {
      clearInterval(timer)
      return { before, most }
    },
  }
}
