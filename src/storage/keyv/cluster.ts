import { createCluster } from '@keyv/redis'
import type { RedisNode } from '../redis-place.js'
import { commandsOver } from './commands.js'
import { type Access, answerOf, clientOptions, connectTo, end, type RedisClient, watch } from './connection.js'
import type { CommandLink, Open } from './link.js'

/** A cluster, and a node of it, has the same commands as a server; only their types are not the same. */
const plain = (client: unknown) => client as RedisClient

export interface Cluster {
  readonly open: Open<CommandLink>
  /** A connection to any of its nodes: what is published at one is heard at all. */
  connectToAny(): Promise<RedisClient>
}

/**
 * The library follows slots that move (MOVED, ASK), but asks a node that is gone for ever: who takes its place is found
 * out by opening the cluster anew.
 */
export function clusterAt(seeds: readonly RedisNode[], access: Access): Cluster {
  /** Those of the configuration may all have been replaced since. */
  let known = seeds
  return {
    async open(lost) {
      const cluster = unconnected(known, access)
      // What it throws says no more than that no node is of use.
      let fault: unknown
      cluster.on('node-error', lost).on('error', (error) => {
        fault = error
      })
      await cluster.connect().catch((error) => Promise.reject(fault ?? error))
      const { masters } = cluster
      await Promise.allSettled(masters.map(async (node) => answerOf(plain(await cluster.nodeClient(node)), ['PING'])))
      known = [...seeds, ...masters.map(({ host, port }) => ({ host, port }))]
      return linkOver(cluster, lost)
    },

    async connectToAny() {
      let fault: unknown
      const start = Math.floor(Math.random() * known.length)
      for (const node of [...known.slice(start), ...known.slice(0, start)]) {
        try {
          return (await connectTo(node, access)).client
        } catch (error) {
          fault = error
        }
      }
      throw fault
    },
  }
}

const unconnected = (nodes: readonly RedisNode[], access: Access) =>
  createCluster({
    rootNodes: nodes.map(({ host, port }) => ({ socket: { host, port } })),
    defaults: clientOptions(access),
    // Else a node that is gone would fail, or hold up, the whole.
    minimizeConnections: true,
  })

function linkOver(cluster: ReturnType<typeof unconnected>, lost: (error: unknown) => void): CommandLink {
  const clients = () => cluster.masters.flatMap(({ client }) => (client ? [plain(client)] : []))
  const unwatch = watch(clients, lost)
  return {
    commands: commandsOver(plain(cluster)),
    async publish(channel, message) {
      await clients()
        .find(({ isReady }) => isReady)
        ?.publish(channel, message)
    },
    get isUsable() {
      return clients().some(({ isReady }) => isReady)
    },
    get isWhole() {
      return cluster.masters.every(({ client }) => client?.isReady)
    },
    end() {
      unwatch()
      // Its own end would stop at the first node that is lost already.
      for (const { client, connectPromise } of cluster.nodeByAddress.values()) {
        Promise.resolve(connectPromise ?? client).then(
          (node) => node && end(plain(node)),
          () => {},
        )
      }
    },
  }
}
