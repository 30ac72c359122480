import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as under } from 'node:path'
import { expect, vi } from 'vitest'
import { get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { radosgwPrograms } from '../support/radosgw.js'
import { freePort, type RedisServer, startRedis } from '../support/redis.js'
import { openGateway } from '../support/s3-gateway.js'
import type { Settings } from '../support/stage.js'
import { type Balancer, startBalancer } from './balancer.js'

/** Replicas as processes of their own on one Redis and one bucket, behind a load balancer. */
export interface Cluster {
  readonly balancer: Balancer
  readonly redis: RedisServer
  readonly replicas: readonly LarderProcess[]
  /** Those who have a fill under way, once for each. */
  holders(): Promise<LarderProcess[]>
  /** One more on an empty directory, which the balancer does not know. */
  join(): Promise<LarderProcess>
  dispose(): Promise<void>
}

export interface ClusterOptions {
  readonly count: number
  /** What the repository `raw` is in front of. */
  readonly remote: string
  readonly settings: Settings
}

export const clusterPrograms = [...radosgwPrograms, 'redis-server', 'haproxy'] as const

/** Ask `missing(...clusterPrograms)` before. Takes half a minute. */
export async function openCluster({ count, remote, settings }: ClusterOptions): Promise<Cluster> {
  const opened: (() => Promise<unknown>)[] = []
  const dispose = async () => {
    for (const close of opened.splice(0).reverse()) await close()
  }
  const opening = async (): Promise<Cluster> => {
    const gateway = await openGateway()
    opened.push(gateway.dispose)
    const redis = await startRedis()
    opened.push(() => redis.dispose())
    const home = await mkdtemp(under(tmpdir(), 'larder-cluster-'))
    opened.push(() => rm(home, { recursive: true, force: true }))
    const secret = under(home, 'secret')
    await writeFile(secret, randomBytes(32).toString('hex'))

    const known = new Map<string, LarderProcess>()
    const join = async (): Promise<LarderProcess> => {
      const [port, peerPort] = [`${await freePort()}`, `${await freePort()}`]
      const peerUrl = `http://127.0.0.1:${peerPort}`
      const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env
      const larder = await startLarder({
        config: JSON.stringify({ repositories: { raw: { remote, ...settings } } }),
        env: {
          ...{ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
          ...{ LARDER_S3_BUCKET: gateway.bucket, LARDER_S3_ENDPOINT: gateway.url },
          // A busy machine is no fault that is meant here.
          ...{ REDIS_URL: redis.url, LARDER_REDIS_DEADLINE: '1s' },
          ...{ LARDER_PORT: port, LARDER_PEER_PORT: peerPort },
          ...{ LARDER_PEER_URL: peerUrl, LARDER_PEER_SECRET_FILE: secret },
        },
      })
      opened.push(() => larder.dispose())
      known.set(peerUrl, larder)
      return larder
    }

    const replicas: LarderProcess[] = []
    for (let i = 0; i < count; i += 1) replicas.push(await join())
    for (const replica of replicas) await well(replica)
    const balancer = await startBalancer(replicas.map(({ url }) => url))
    opened.push(balancer.dispose)
    const holders = async () => (await leaseholders(redis)).flatMap((url) => known.get(url) ?? [])
    return { balancer, redis, replicas, holders, join, dispose }
  }
  return opening().catch(async (error) => {
    await dispose()
    throw error
  })
}

/** The URLs that the leases in Redis name. */
async function leaseholders(redis: RedisServer): Promise<string[]> {
  const keys = (await redis.answer('KEYS larder:v1:lease:fill:*')).match(/larder:v1:lease:fill:\w+/g) ?? []
  if (keys.length === 0) return []
  const values = await redis.answer(`MGET ${keys.join(' ')}`)
  return [...values.matchAll(/"url":"([^"]+)"/g)].map(([, url]) => url as string)
}

/** Waits until a replica reaches what it shares; after a call that took too long it leaves Redis alone for a while. */
const well = ({ url }: LarderProcess): Promise<unknown> =>
  vi.waitFor(
    async () => expect(JSON.parse((await get(`${url}/readyz`)).body.toString())).toMatchObject({ status: 'ok' }),
    {
      timeout: 60_000,
    },
  )
