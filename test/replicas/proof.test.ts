import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { administer } from '../support/admin.js'
import { type FlappingOrigin, startFlappingOrigin } from '../support/flapping-origin.js'
import { get } from '../support/http.js'
import type { LarderProcess } from '../support/larder.js'
import { missing, title } from '../support/servers.js'
import { settled, until } from '../support/stage.js'
import { artifactsOf, catalogue, renewed, seed } from './catalogue.js'
import { type Cluster, clusterPrograms, openCluster } from './cluster-stage.js'
import { client, clients, fetchAll, type Tally, tally } from './storm.js'

const replicaCount = 3

/** As patient as it takes: half of the remote's answers fail. */
const settings = {
  retry: { attempts: 20, budget: '60s', resumes: 20 },
  timeout: { connect: '5s', headers: '10s', stall: '5s' },
}

const baseOf = (url: string): string => `${url}/repository/raw`

describe.skipIf(missing(...clusterPrograms).length > 0)(
  title('three replicas behind a load balancer', ...clusterPrograms),
  () => {
    const files = catalogue()
    let origin: FlappingOrigin
    let cluster: Cluster
    beforeAll(async () => {
      origin = await startFlappingOrigin(files, seed)
      cluster = await openCluster({ count: replicaCount, remote: origin.url, settings })
    }, 300_000)
    afterAll(async () => {
      await cluster?.dispose()
      origin?.stop()
    }, 60_000)

    /** A fill goes on when its clients have what they want from elsewhere. */
    const allSettled = async () => {
      for (const larder of cluster.replicas) await vi.waitFor(() => settled({ larder }), { timeout: 60_000 })
    }

    /** Bodies the remote delivered from their beginning on, by artifact. */
    const fetches = () => [...files.keys()].map((path) => origin.delivered.get(path)?.whole ?? 0)

    /** Kills the replica that holds most fills, and starts it again; returns what had been fetched by then. */
    const killHolder = async (): Promise<number> => {
      let holders: LarderProcess[] = []
      await until(async () => {
        holders = await cluster.holders()
        return holders.length > 0
      }, 'fills are under way')
      const held = (larder: LarderProcess) => holders.filter((holder) => holder === larder).length
      const [victim] = cluster.replicas.toSorted((a, b) => held(b) - held(a))
      if (!victim) throw new Error('no replica')
      await victim.kill()
      const fetched = sum(fetches())
      await victim.start()
      return fetched
    }

    /** Returns how many leases are lost. */
    const restartRedis = async (): Promise<number> => {
      await until(async () => (await cluster.holders()).length > 0, 'fills are under way')
      const { length } = await cluster.holders()
      await cluster.redis.stop()
      await cluster.redis.start()
      return length
    }

    const counted = async (sample: string) =>
      sum(await Promise.all(cluster.replicas.map((each) => metric(each, sample))))

    it('C6, U3: 300 clients get every byte right while a replica is killed and Redis restarts', async () => {
      const count = tally()
      const got = async (some: number) => {
        while (count.right < some && count.wrong.length + count.unserved.length === 0) await sleep(10)
      }
      const troubles = async () => {
        await got(100)
        const fetched = await killHolder()
        await got(900)
        return { fetched, leases: await restartRedis() }
      }
      const artifacts = artifactsOf(files)
      const everybody = Array.from({ length: clients }, (_, number) =>
        client(number, baseOf(cluster.balancer.url), artifacts, count),
      )
      const [lost] = await Promise.all([troubles(), ...everybody])
      await allSettled()
      process.stdout.write(`${summary(count, fetches(), origin)}\n`)

      expect([count.wrong, count.unserved]).toEqual([[], []])
      // Within its life a process fetches a key once at most, whatever the others do: what it has stored it serves.
      expect(Math.max(...fetches())).toBeLessThanOrEqual(replicaCount + 1)
      // One for each key that has a lease. More only where a lease was lost with Redis, where somebody could not follow who has
      // it and went alone, which he counts, and what was fetched before the kill: counters went with their process.
      const alone = await counted('larder_peer_fills_total{result="alone"}')
      const over = await counted('larder_peer_fills_total{result="over"}')
      expect(sum(fetches())).toBeLessThanOrEqual(files.size + lost.leases + alone + over + lost.fetched)
    }, 240_000)

    it.each([
      ['a path', { path: 'small/1.tgz' }, (path: string) => path === '/small/1.tgz'],
      ['a prefix', { prefix: 'middling/' }, (path: string) => path.startsWith('/middling/')],
    ])(
      'K5: a purge of %s through one replica is seen by all others at once',
      async (_, designation, means) => {
        const [first, ...others] = cluster.replicas
        if (!first) throw new Error('no replica')
        const meant = [...files].filter(([path]) => means(path))
        const warmed = await Promise.all(
          cluster.replicas.map(({ url }) => fetchAll(baseOf(url), artifactsOf(new Map(meant)))),
        )
        expect(sum(warmed.map(({ right }) => right))).toBe(meant.length * replicaCount)
        await allSettled()
        for (const [path, file] of meant) files.set(path, renewed(file))
        await administer(first, 'POST', '/purge', { repository: 'raw', ...designation })
        const purged = Date.now()
        const lastOld = await Promise.all(
          others.flatMap(({ url }) => meant.map(([path, { body }]) => lastAnsweredBy(baseOf(url) + path, body))),
        )
        const delays = lastOld.map((sent) => Math.max(0, sent - purged))
        expect(Math.max(...delays)).toBeLessThan(1_000)
        for (const { url } of cluster.replicas) {
          const { right, wrong } = await fetchAll(baseOf(url), artifactsOf(files))
          expect([right, wrong]).toEqual([files.size, []])
        }
      },
      120_000,
    )

    it('K3, D1: with the remote dead, and Redis too, each has all of it, and so has one that is new', async () => {
      await fetchAll(baseOf(cluster.balancer.url), artifactsOf(files))
      await allSettled()
      origin.stop()
      const all = { right: files.size, failed: 0, wrong: [], unserved: [] }
      const serves = async ({ url }: LarderProcess) =>
        expect(await fetchAll(baseOf(url), artifactsOf(files))).toMatchObject(all)
      for (const replica of cluster.replicas) await serves(replica)
      await cluster.redis.stop()
      for (const replica of cluster.replicas) await serves(replica)
      await serves(await cluster.join())
    }, 120_000)
  },
)

/** When the last request (ms since the epoch) was sent that these bytes answered; 0 for none. Ends with the first other answer. */
async function lastAnsweredBy(url: string, body: Buffer): Promise<number> {
  for (let last = 0; ; ) {
    const sent = Date.now()
    const answer = await get(url)
    if (answer.status === 200 && !answer.body.equals(body)) return last
    if (answer.status === 200) last = sent
  }
}

async function metric({ url }: LarderProcess, sample: string): Promise<number> {
  const lines = (await get(`${url}/metrics`)).body.toString().split('\n')
  return Number(lines.find((line) => line.startsWith(`${sample} `))?.slice(sample.length) ?? 0)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

function summary({ requests, failed, wrong }: Tally, fetches: readonly number[], origin: FlappingOrigin): string {
  const sorted = fetches.toSorted((a, b) => a - b)
  const spread = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].join('/')
  const resumes = sum([...origin.delivered.values()].map(({ rest }) => rest))
  return (
    `replicas: ${fetches.length} artifacts, ${clients} clients, ${requests} requests (${failed} tried again), ` +
    `remote GETs per artifact ${spread} min/median/max (without those that failed or were reset), ${sum(fetches)} in all, ` +
    `${resumes} resumes, ${sum([...origin.requests.values()])} requests to the remote, wrong bodies ${wrong.length}`
  )
}
