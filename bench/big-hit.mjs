import { startClient } from './support/client.mjs'
import { GIB, MIB, warm, withServerCpu } from './support/stage.mjs'

const CONNECTIONS = 4

/** @type {import('./support/figures.mjs').Bench} */
export const bigHit = {
  name: 'big-hit',
  about: `200 MiB from the cache, ${CONNECTIONS} connections`,
  figures: {
    rate: { label: 'throughput', unit: 'MiB/s', goal: { of: 'ratio', atLeast: 0.4 } },
    cpu: { label: 'server CPU by GiB', unit: 's', digits: 3 },
    client: { label: "client's share of a core", unit: '1', digits: 2 },
  },
  async run(stage) {
    const artifact = stage.writeFile('big.bin', 200 * MIB)
    const origin = await stage.startOrigin()
    const sides = await stage.startSides(origin.url)
    for (const side of sides) await warm(side, artifact)
    const client = startClient()
    const before = origin.requests()
    await stage.alternate(sides, async (side) => {
      const plan = { url: side.url(artifact.path), connections: CONNECTIONS, seconds: stage.seconds }
      const { bytes, bytesPerSecond, cpuShare, serverCpu } = await withServerCpu(side, () => client.drain(plan))
      stage.record(side.name, { rate: bytesPerSecond / MIB, cpu: serverCpu / (bytes / GIB), client: cpuShare })
    })
    if (origin.requests() > before) throw new Error('some hits went to the origin')
  },
}
