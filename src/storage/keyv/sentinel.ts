import type { RedisNode, RedisPlace } from '../redis-place.js'
import { type Access, connectTo, end, type RedisClient } from './connection.js'

type SentinelPlace = Extract<RedisPlace, { kind: 'sentinel' }>

/*
 * Done here with the library's plain client: its own client for Sentinels writes its faults to the standard output,
 * repeats a call for as long as nobody answers, and can't be ended while it looks for a master.
 */

/** A connection to the master that the Sentinels name. */
export async function connectToMaster(place: SentinelPlace, access: Access): Promise<RedisClient> {
  const asked = place.sentinels.map((sentinel) => masterAt(sentinel, place, access))
  // A Sentinel that is gone must not hold up the others. What one outdated by a partition names is refused below.
  const node = await Promise.any(asked).catch(({ errors }: AggregateError) => Promise.reject(errors[0]))
  const { client, answer } = await connectTo(node, access, { database: place.database, question: ['ROLE'] })
  if (Array.isArray(answer) && answer[0] === 'master') return client
  end(client)
  throw new Error(`${node.host}:${node.port} is not the master any more`)
}

async function masterAt(sentinel: RedisNode, { master, sentinelLogin }: SentinelPlace, access: Access) {
  const { client, answer } = await connectTo(
    sentinel,
    { ...access, login: sentinelLogin },
    { question: ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master] },
  )
  end(client)
  const [host, port] = Array.isArray(answer) ? answer : []
  if (typeof host !== 'string' || Number.isNaN(Number(port))) {
    throw new Error(`the Sentinel at ${sentinel.host}:${sentinel.port} knows no master of that name`)
  }
  return { host, port: Number(port) }
}
