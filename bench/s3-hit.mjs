import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { startClient } from './support/client.mjs'
import { GATEWAY_PROGRAMS, startGateway } from './support/gateway.mjs'
import { settled } from './support/larder.mjs'
import { KIB, MIB, warm } from './support/stage.mjs'
import { wrk } from './support/wrk.mjs'

const SMALL = 300
const BIG = 4
const BIG_MIB = 32
const SMALL_CONNECTIONS = 64
const BIG_CONNECTIONS = 4

/** @type {import('./support/figures.mjs').Bench} */
export const s3Hit = {
  name: 's3-hit',
  about:
    'hits of a store in a bucket, and of one on the disk; cold: each once, after a start (the former with no copies)',
  sides: ['bucket', 'disk'],
  needs: GATEWAY_PROGRAMS,
  figures: {
    warmSmall: { label: '2 KiB, warm', unit: '1/s', goal: { of: 'ratio', atLeast: 0.8 } },
    warmBig: { label: `${BIG_MIB} MiB, warm`, unit: 'MiB/s', goal: { of: 'ratio', atLeast: 0.8 } },
    coldSmall: { label: '2 KiB, cold', unit: '1/s' },
    coldBig: { label: `${BIG_MIB} MiB, cold`, unit: 'MiB/s' },
  },
  async run(stage) {
    // No nginx stores in a bucket: there is nothing to compare.
    if (stage.calibrate) return
    const small = { ...stage.writeFile('small.bin', 2 * KIB), path: '/any/0' }
    const bigs = Array.from({ length: BIG }, (_, i) => stage.writeFile(`big-${i}`, BIG_MIB * MIB))
    const bucket = await startGateway(stage.directory)
    const origin = await stage.startOrigin()
    const client = startClient()

    /** @param {import('./support/nginx.mjs').Server} larder */
    const readEach = async (larder) => {
      const began = performance.now()
      await client.sow({ url: larder.url('/any/'), keys: SMALL, connections: SMALL_CONNECTIONS })
      const between = performance.now()
      await client.sow({ url: larder.url('/big-'), keys: BIG, connections: BIG_CONNECTIONS })
      return {
        coldSmall: SMALL / ((between - began) / 1000),
        coldBig: (BIG * BIG_MIB) / ((performance.now() - between) / 1000),
      }
    }

    const place = () => mkdtempSync(join(stage.directory, 'store-'))
    const kept = place()
    const sides = [
      { name: 'bucket', start: () => stage.startLarder(origin.url, { place: place(), env: bucket }) },
      { name: 'disk', start: () => stage.startLarder(origin.url, { place: kept }) },
    ]
    for (const side of sides) {
      const larder = await side.start()
      await readEach(larder)
      await settled(larder)
      await larder.stop()
    }
    const before = origin.requests()
    await stage.alternate(sides, async (side) => {
      const larder = await side.start()
      const cold = await readEach(larder)
      await settled(larder)
      for (const artifact of [small, ...bigs]) await warm(larder, artifact)
      const { seconds } = stage
      const load = { binary: stage.tools.wrk, url: larder.url(small.path), connections: SMALL_CONNECTIONS }
      // A process that has just started is still being compiled.
      await wrk({ ...load, seconds: 1 })
      const { perSecond } = await wrk({ ...load, seconds })
      const plan = { url: larder.url('/big-0'), connections: BIG_CONNECTIONS, seconds }
      const { bytesPerSecond } = await client.drain(plan)
      stage.record(side.name, { ...cold, warmSmall: perSecond, warmBig: bytesPerSecond / MIB })
      await larder.stop()
    })
    if (origin.requests() > before) throw new Error('some hits went to the origin')
  },
}
