import type { RedisPlace } from '../redis-place.js'
import { clusterAt } from './cluster.js'
import { commandsOver } from './commands.js'
import { type Access, connectTo, end, type RedisClient, watch } from './connection.js'
import type { ChannelLink, CommandLink, Link, Open } from './link.js'
import { connectToMaster } from './sentinel.js'

export interface Links {
  readonly openCommands: Open<CommandLink>
  readonly openChannel: Open<ChannelLink>
}

/** How a Redis is connected to, whatever it consists of. */
export function linksTo(place: RedisPlace, ca: readonly string[] | undefined): Links {
  const access: Access = { tls: place.tls, login: place.login, ca }
  if (place.kind === 'cluster') {
    const cluster = clusterAt(place.nodes, access)
    return { openCommands: cluster.open, openChannel: channelOver(() => cluster.connectToAny()) }
  }
  const connect =
    place.kind === 'sentinel'
      ? () => connectToMaster(place, access)
      : async () => (await connectTo(place.node, access, place)).client
  return {
    async openCommands(lost) {
      const client = await connect()
      return Object.assign(linkOver(client, lost), {
        commands: commandsOver(client),
        publish: client.publish.bind(client),
      })
    },
    openChannel: channelOver(connect),
  }
}

const channelOver =
  (connect: () => Promise<RedisClient>): Open<ChannelLink> =>
  async (lost) => {
    const client = await connect()
    return Object.assign(linkOver(client, lost), { subscribe: client.subscribe.bind(client) })
  }

function linkOver(client: RedisClient, lost: (error: unknown) => void): Link {
  client.on('error', (error) => client.isOpen || lost(error))
  const unwatch = watch(() => [client], lost)
  return {
    get isUsable() {
      return client.isReady
    },
    get isWhole() {
      return client.isReady
    },
    end() {
      unwatch()
      end(client)
    },
  }
}
