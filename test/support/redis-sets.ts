import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, type RedisServer, startRedis } from './redis.js'

/** Real servers that are one Redis together. */
interface Servers {
  /** The hosts, as they stand in a URL. */
  readonly hosts: string
  /** Those that hold keys, masters first as it was at the start. */
  readonly nodes: readonly RedisServer[]
  /** Forgets all keys. */
  flush(): Promise<void>
}

export interface RedisSet extends Servers {
  dispose(): Promise<void>
}

export interface SentinelSet extends Servers {
  readonly sentinel: RedisServer
  /** The node that the Sentinel names. */
  master(): Promise<RedisServer>
}

export const masterName = 'larder-master'

type Start = typeof startRedis

/** A master and a replica under one Sentinel that makes up its mind fast. */
export const startSentinelSet = () => whole(sentinelSet)

/** Three masters, and a replica of the first. */
export const startCluster = () => whole(cluster)

async function sentinelSet(start: Start): Promise<SentinelSet> {
  const quick = async () => ['--repl-diskless-sync-delay', '0']
  const first = await start(quick)
  const second = await start(quick)
  await second.command(`REPLICAOF 127.0.0.1 ${first.port}`)
  await second.until('INFO replication', /master_link_status:up/)
  const sentinel = await start(async (home) => {
    const file = join(home, 'sentinel.conf')
    const watched = [
      `sentinel monitor ${masterName} 127.0.0.1 ${first.port} 1`,
      `sentinel down-after-milliseconds ${masterName} 400`,
      `sentinel failover-timeout ${masterName} 2000`,
    ]
    await writeFile(file, `${watched.join('\n')}\n`)
    return [file, '--sentinel']
  })
  // It would look at the others every 10 s only, and leave a master that hands over alone for 8 s.
  await sentinel.command('SENTINEL DEBUG INFO-PERIOD 200 PUBLISH-PERIOD 200')
  await sentinel.until(`SENTINEL REPLICAS ${masterName}`, new RegExp(`\\b${second.port}\\b`))
  const nodes = [first, second]
  return {
    // The first is none: it must not matter.
    hosts: `127.0.0.1:${await freePort()},127.0.0.1:${sentinel.port}`,
    sentinel,
    async master() {
      const answer = await sentinel.answer(`SENTINEL GET-MASTER-ADDR-BY-NAME ${masterName}`)
      const node = nodes.find(({ port }) => answer.includes(`\r\n${port}\r\n`))
      if (!node) throw new Error(`no master in ${answer}`)
      return node
    },
    ...setOf(nodes),
  }
}

async function cluster(start: Start): Promise<Servers> {
  const slots = ['0 5461', '5462 10922', '10923 16383']
  const buses = await Promise.all(Array.from({ length: 4 }, freePort))
  const nodes = await Promise.all(
    buses.map((bus) =>
      start(async () => [
        ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', '1000'],
        ...['--cluster-port', `${bus}`, '--repl-diskless-sync-delay', '0'],
      ]),
    ),
  )
  const [first, , , replica] = nodes as [RedisServer, RedisServer, RedisServer, RedisServer]
  for (const [i, node] of nodes.entries()) {
    await node.command(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
    if (slots[i] !== undefined) await node.command(`CLUSTER ADDSLOTSRANGE ${slots[i]}`)
    if (i > 0) await node.command(`CLUSTER MEET 127.0.0.1 ${first.port} ${buses[0]}`)
  }
  for (const node of nodes) await node.until('CLUSTER INFO', /cluster_state:ok.*cluster_known_nodes:4/s)
  const id = (await first.answer('CLUSTER MYID')).split('\r\n')[1] ?? ''
  await replica.until(`CLUSTER REPLICATE ${id}`, /^\+OK/)
  await replica.until('INFO replication', /master_link_status:up/)
  for (const node of nodes) await node.until('CLUSTER NODES', /slave/)
  return { hosts: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','), ...setOf(nodes) }
}

/** Stops all that was started, at the end or when some of it fails to start. */
async function whole<S extends Servers>(make: (start: Start) => Promise<S>) {
  const started: Promise<RedisServer>[] = []
  const dispose = async () => {
    for (const result of await Promise.allSettled(started)) {
      if (result.status === 'fulfilled') await result.value.dispose()
    }
  }
  try {
    const start: Start = (settings) => {
      const server = startRedis(settings)
      started.push(server)
      return server
    }
    return { ...(await make(start)), dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

function setOf(nodes: readonly RedisServer[]) {
  return {
    nodes,
    async flush() {
      for (const node of nodes) await node.flush()
    },
  }
}

/** The user that docs/operations.md has, with this password, on each of the servers. */
export async function addUser(servers: readonly RedisServer[], password: string): Promise<void> {
  const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [, rules] = /^ACL SETUSER larder on >PASSWORD (.*)$/m.exec(page) ?? []
  for (const server of servers) {
    const answer = await server.command(`ACL SETUSER larder on >${password} ${rules}`)
    if (answer !== '+OK') throw new Error(answer)
  }
}
