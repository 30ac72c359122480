import { KIB, warm, withServerCpu } from './support/stage.mjs'
import { wrk } from './support/wrk.mjs'

const CONNECTIONS = 64

/** @type {import('./support/figures.mjs').Bench} */
export const smallHit = {
  name: 'small-hit',
  about: `2 KiB from the cache, ${CONNECTIONS} connections`,
  figures: {
    rate: { label: 'requests', unit: '1/s', goal: { of: 'ratio', atLeast: 0.45 } },
    p50: { label: 'latency, p50', unit: 'ms', digits: 2 },
    p99: { label: 'latency, p99', unit: 'ms', digits: 2 },
    cpu: { label: 'server CPU by request', unit: 'us', digits: 1 },
    client: { label: "client's share of a core", unit: '1', digits: 2 },
  },
  async run(stage) {
    const artifact = stage.writeFile('small.bin', 2 * KIB)
    const origin = await stage.startOrigin()
    const sides = await stage.startSides(origin.url)
    for (const side of sides) {
      await warm(side, artifact)
      await load(stage, side, 2)
    }
    const before = origin.requests()
    await stage.alternate(sides, async (side) => {
      const { requests, perSecond, p50Ms, p99Ms, cpuShare, serverCpu } = await load(stage, side, stage.seconds)
      stage.record(side.name, {
        rate: perSecond,
        p50: p50Ms,
        p99: p99Ms,
        cpu: (serverCpu / requests) * 1e6,
        client: cpuShare,
      })
    })
    if (origin.requests() > before) throw new Error('some hits went to the origin')
  },
}

/**
 * @param {import('./support/stage.mjs').Stage} stage
 * @param {import('./support/nginx.mjs').Server} side
 * @param {number} seconds
 */
function load(stage, side, seconds) {
  const url = side.url('/small.bin')
  return withServerCpu(side, () => wrk({ binary: stage.tools.wrk, url, connections: CONNECTIONS, seconds }))
}
