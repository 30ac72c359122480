import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GATEWAY_PROGRAMS, startGateway } from './support/gateway.mjs'
import { startHaproxy } from './support/haproxy.mjs'
import { busyCores, cpuSeconds } from './support/processes.mjs'
import { startRedis } from './support/redis.mjs'
import { KIB, warm } from './support/stage.mjs'
import { freePort } from './support/tools.mjs'
import { wrk } from './support/wrk.mjs'

const CONNECTIONS = 64

/** @type {import('./support/figures.mjs').Bench} */
export const replicas = {
  name: 'replicas',
  about: `2 KiB from the cache of two replicas behind HAProxy, and of one behind the same, ${CONNECTIONS} connections`,
  sides: ['two', 'one'],
  needs: [...GATEWAY_PROGRAMS, 'haproxy', 'redis-server'],
  figures: {
    rate: { label: 'requests', unit: '1/s' },
    p50: { label: 'latency, p50', unit: 'ms', digits: 2 },
    p99: { label: 'latency, p99', unit: 'ms', digits: 2 },
    cpu: { label: "replicas' CPU by request", unit: 'us', digits: 1 },
    front: { label: "front's CPU by request", unit: 'us', digits: 1 },
    busy: { label: 'cores busy, of the whole machine', unit: '1', digits: 2 },
  },
  async run(stage) {
    // The front is the same, and so would the servers be: there is nothing to compare.
    if (stage.calibrate) return
    const artifact = stage.writeFile('small.bin', 2 * KIB)
    const origin = await stage.startOrigin()
    const shared = {
      ...(await startGateway(stage.directory)),
      REDIS_URL: await startRedis(stage.directory),
      LARDER_PEER_SECRET_FILE: join(stage.directory, 'peers'),
    }
    writeFileSync(shared.LARDER_PEER_SECRET_FILE, 'a-secret-of-the-bench\n')

    /** @param {string} name */
    const startReplica = async (name) => {
      const place = join(stage.directory, name)
      mkdirSync(place)
      const port = await freePort()
      const own = { LARDER_PEER_PORT: `${port}`, LARDER_PEER_URL: `http://127.0.0.1:${port}` }
      return stage.startLarder(origin.url, { place, name, env: { ...shared, ...own } })
    }

    const both = [await startReplica('replica-a'), await startReplica('replica-b')]
    for (const replica of both) await warm(replica, artifact)
    const [a = '', b = ''] = both.map(({ base }) => new URL(base).host)
    const front = await startHaproxy({ directory: stage.directory, backends: [[a, b], [a]] })
    const pids = both.flatMap((replica) => replica.pids)
    const sides = ['two', 'one'].map((name, i) => ({ name, url: `${front.urls[i]}/repository/files${artifact.path}` }))

    /**
     * @param {string} url
     * @param {number} seconds
     */
    const load = async (url, seconds) => {
      const before = { cpu: cpuSeconds(pids), front: cpuSeconds(front.pids) }
      const [sent, busy] = await Promise.all([
        wrk({ binary: stage.tools.wrk, url, connections: CONNECTIONS, seconds }),
        busyCores(seconds * 1000),
      ])
      const by = (/** @type {number} */ seconds) => (seconds / sent.requests) * 1e6
      const cpu = { cpu: by(cpuSeconds(pids) - before.cpu), front: by(cpuSeconds(front.pids) - before.front) }
      return { rate: sent.perSecond, p50: sent.p50Ms, p99: sent.p99Ms, ...cpu, busy }
    }

    for (const { url } of sides) await load(url, 2)
    const before = origin.requests()
    await stage.alternate(sides, async ({ name, url }) => stage.record(name, await load(url, stage.seconds)))
    if (origin.requests() > before) throw new Error('some hits went to the origin')
  },
}
