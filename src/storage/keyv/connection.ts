import { createClient } from '@keyv/redis'
import { within } from '../../deadline.js'
import type { RedisLogin, RedisNode } from '../redis-place.js'

export type RedisClient = ReturnType<typeof createClient>

/** How a server is entered. */
export interface Access {
  readonly tls: boolean
  /** PEM certificates to trust in place of Node's own. */
  readonly ca: readonly string[] | undefined
  readonly login: RedisLogin | undefined
}

/** Milliseconds from one look at a connection to the next. */
const beat = 1000

/** Beats without an answer, beyond the first: one may be missed by a process that was busy itself. */
const mostMissed = 1

/** Milliseconds. */
const handshakeLimit = 3000

/**
 * A client never connects again by itself. The library would try the same address for ever, though after a failover
 * another server is the one to ask, and would send late what nobody waits for any more.
 */
export function clientOptions({ tls, ca, login }: Access) {
  const socket = { connectTimeout: 2000, socketTimeout: handshakeLimit, reconnectStrategy: false as const }
  return {
    ...login,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandsQueueMaxLength: 1000,
    socket: tls ? { ...socket, tls: true as const, ...(ca && { ca: [...ca] }) } : socket,
  }
}

/** A connection to a server that has answered `question`, or a fault; it takes seconds at most. */
export async function connectTo(
  { host, port }: RedisNode,
  access: Access,
  { database = 0, question = ['PING'] }: { database?: number; question?: readonly string[] } = {},
): Promise<{ client: RedisClient; answer: unknown }> {
  const { socket, ...options } = clientOptions(access)
  const client: RedisClient = createClient({ ...options, database, socket: { ...socket, host, port } })
  // Whoever connects, asks or watches hears of it by that.
  client.on('error', () => {})
  await client.connect()
  return { client, answer: await answerOf(client, question) }
}

/** What a client that is connected is answered; one that isn't is ended. */
export async function answerOf(client: RedisClient, question: readonly string[]): Promise<unknown> {
  try {
    return await within(handshakeLimit, client.sendCommand([...question]))
  } catch (error) {
    end(client)
    throw error
  }
}

/** Ends a connection that stands; one that is lost already is none. */
export function end(client: RedisClient): void {
  if (client.isOpen) client.destroy()
}

/**
 * Ends each connection whose server falls silent, and reports it, as well as those lost otherwise. Returns what stops it.
 * A write to a hung server counts as activity of the socket, so that its own timeout would never see it.
 */
export function watch(clients: () => readonly RedisClient[], lost: (error: Error) => void): () => void {
  const missed = new Map<RedisClient, number>()
  const look = (client: RedisClient) => {
    const beats = missed.get(client)
    if (!client.isReady) lost(new Error('redis is not connected'))
    else if (beats === undefined) {
      missed.set(client, 0)
      const heard = () => void missed.delete(client)
      client.ping().then(heard, heard)
    } else if (beats < mostMissed) missed.set(client, beats + 1)
    else {
      end(client)
      lost(new Error('redis has fallen silent'))
    }
  }
  const timer = setInterval(() => clients().forEach(look), beat).unref()
  return () => clearInterval(timer)
}
