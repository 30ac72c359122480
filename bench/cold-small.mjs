import { KIB, withServerCpu } from './support/stage.mjs'
import { wrk } from './support/wrk.mjs'

const MANY = 16

/** @type {import('./support/figures.mjs').Bench} */
export const coldSmall = {
  name: 'cold-small',
  about: '2 KiB, each request for a key of its own that is not yet in the cache',
  figures: {
    latency: { label: 'one connection, by request', unit: 'ms', digits: 3 },
    overhead: { label: "... less the origin's own time", unit: 'ms', digits: 3 },
    rate: { label: `${MANY} connections, requests`, unit: '1/s' },
    p99: { label: `${MANY} connections, latency, p99`, unit: 'ms', digits: 2 },
    cpu: { label: `${MANY} connections, server CPU by request`, unit: 'us', digits: 0 },
  },
  async run(stage) {
    stage.writeFile('small.bin', 2 * KIB)
    const origin = await stage.startOrigin()
    const sides = await stage.startSides(origin.url)
    for (const side of sides) await miss(stage, origin, side.url('/any/'), MANY, `warm-${side.name}-`)
    await stage.alternate(sides, async (side, round) => {
      const prefix = `${side.name}-${round}`
      const alone = await miss(stage, origin, `${origin.url}/any/`, 1, `${prefix}-alone-`)
      const one = await miss(stage, origin, side.url('/any/'), 1, `${prefix}-one-`)
      const many = await withServerCpu(side, () => miss(stage, origin, side.url('/any/'), MANY, `${prefix}-many-`))
      stage.record(side.name, {
        latency: one.meanMs,
        overhead: one.meanMs - alone.meanMs,
        rate: many.perSecond,
        p99: many.p99Ms,
        cpu: (many.serverCpu / many.requests) * 1e6,
      })
    })
  },
}

/**
 * @param {import('./support/stage.mjs').Stage} stage
 * @param {import('./support/nginx.mjs').Origin} origin
 * @param {string} url
 * @param {number} connections
 * @param {string} prefix
 */
async function miss({ tools, seconds }, origin, url, connections, prefix) {
  const before = origin.requests()
  const load = await wrk({ binary: tools.wrk, url, connections, seconds, prefix })
  if (origin.requests() - before < load.requests) throw new Error(`${url}${prefix}*: not every request was a miss`)
  return load
}
