import { startClient } from './support/client.mjs'
import { startPacedOrigin } from './support/paced-origin.mjs'
import { MIB, sha256, withServerCpu } from './support/stage.mjs'

const CLIENTS = 32
const SIZE = 64 * MIB
const RATE = 32 * MIB
const IDEAL_MS = (SIZE / RATE) * 1000

/** @type {import('./support/figures.mjs').Bench} */
export const herd = {
  name: 'herd',
  about: `${CLIENTS} clients at once, one cold 64 MiB object, an origin of 32 MiB/s (ideal: ${IDEAL_MS / 1000} s)`,
  figures: {
    gets: { label: 'GETs at the origin', unit: '1', goal: { of: 'larder', atMost: 1 } },
    last: { label: 'last client done by the ideal', unit: '1', digits: 3, goal: { of: 'larder', atMost: 1.05 } },
    firstByte: { label: 'worst first byte', unit: 'ms', digits: 1, goal: { of: 'larder', atMost: 50 } },
    joiner: { label: 'first byte of who joins half-way', unit: 'ms', digits: 1, goal: { of: 'larder', atMost: 20 } },
    cpu: { label: 'server CPU', unit: 's', digits: 2 },
    client: { label: "client's share of a core", unit: '1', digits: 2 },
  },
  async run(stage) {
    const origin = await startPacedOrigin({ size: SIZE, bytesPerSecond: RATE })
    const sides = await stage.startSides(origin.url)
    const client = startClient()
    await stage.alternate(sides, async (side, round) => {
      const before = origin.requests()
      const plan = { url: side.url(`/herd-${round}.bin`), clients: CLIENTS, joinAfterMs: IDEAL_MS / 2 }
      const { transfers, joiner, cpuShare, serverCpu } = await withServerCpu(side, () => client.herd(plan))
      if ([...transfers, joiner].some(({ bytes }) => bytes !== SIZE)) throw new Error('a body of another length')
      stage.record(side.name, {
        gets: origin.requests() - before,
        last: Math.max(...transfers.map(({ totalMs }) => totalMs)) / IDEAL_MS,
        firstByte: Math.max(...transfers.map(({ firstByteMs }) => firstByteMs)),
        joiner: joiner.firstByteMs,
        cpu: serverCpu,
        client: cpuShare,
      })
    })
    await compareBytes(sides.map((side) => side.url('/herd-0.bin')))
  },
}

/**
 * Both caches hold the same object now; they must hold the same bytes.
 *
 * @param {readonly string[]} urls
 */
async function compareBytes(urls) {
  const digests = await Promise.all(
    urls.map(async (url) => sha256(new Uint8Array(await (await fetch(url)).arrayBuffer()))),
  )
  if (new Set(digests).size !== 1) throw new Error('the caches hold different bytes')
}
