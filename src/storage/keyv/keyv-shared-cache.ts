import KeyvRedis, { createClient } from '@keyv/redis'
import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel'
import { Keyv } from 'keyv'
import { storageKey } from '../../caching/cache-key.js'
import type { Digest, StoredRecord } from '../../caching/record.js'
import { decodeRecord, encodeRecord } from '../../caching/record-encoding.js'
import type { Logger } from '../../log.js'
import type { SharedCache } from '../shared-cache.js'

/*
 * larder:v1:record:<storage key>   {"value":"<the encoded record, base64>","expires":<ms>}   through keyv
 * larder:v1:body:<digest>          the bytes                                                 through the raw client
 * larder:v1:lease:<name>           its owner                                                 through the raw client
 * All expire by themselves: what is asked for is shared again.
 */
const recordKey = (key: string) => `larder:v1:record:${storageKey(key)}`
const bodyKey = (digest: Digest) => `larder:v1:body:${digest}`
const leaseKey = (name: string) => `larder:v1:lease:${name}`

/** Each in one step: between a look and a change the lease might pass on to another. */
const claimScript = `if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('pexpire', KEYS[1], ARGV[2])`
const yieldScript = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end`

const timeToLive = 24 * 3600 * 1000

/** Writes under way; beyond, sharing is skipped: it only saves work. */
const maxPendingWrites = 64

/** node-redis' number for "bulk string"; asks for Buffers instead of text. */
const BULK_STRING = 36

export interface KeyvSharedCacheOptions {
  readonly url: string
  /** Milliseconds a call may cost (D1). */
  readonly deadline: number
  readonly log: Logger
}

/** Connects behind: until Redis answers, and whenever it doesn't, every call is an absence. */
export function connectKeyvSharedCache({ url, deadline, log }: KeyvSharedCacheOptions): SharedCache {
  let closed = false
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 1000,
    pingInterval: 1000,
    socket: {
      connectTimeout: 2000,
      socketTimeout: 3000,
      reconnectStrategy: (attempts) => !closed && Math.min(100 * 2 ** attempts, 2000) * (0.75 + Math.random() / 2),
    },
  })
  const records = new Keyv<string>({
    store: new KeyvRedis(client, { throwOnErrors: true, throwOnConnectError: false }),
    // The adapter would put the default one before each key.
    namespace: '',
    throwOnErrors: true,
    emitErrors: false,
  })
  const binary = client.withTypeMapping({ [BULK_STRING]: Buffer })
  let reachable = true
  let pendingWrites = 0

  const told = (now: boolean, error?: unknown) => {
    if (now === reachable || closed) return
    reachable = now
    if (now) log.info('redis answers again')
    else log.warn({ err: error }, 'redis does not answer; going on without it')
  }
  client.on('ready', () => told(true))
  client.on('error', (error) => told(false, error))
  client.connect().catch((error) => told(false, error))

  // A lost connection is seen at once, and an error reply or garbage costs nothing: only silence is worth not asking.
  const breaker = circuitBreaker(handleType(DeadlineMissed), {
    halfOpenAfter: 1000,
    breaker: new ConsecutiveBreaker(3),
  })
  breaker.onBreak(() => told(false, new Error(`redis missed its deadline of ${deadline} ms`)))
  breaker.onReset(() => told(true))

  /** Redis's answer within the deadline, or `undefined`. */
  const ask = async <T>(command: () => Promise<T>): Promise<T | undefined> => {
    if (closed || !client.isReady) return undefined
    try {
      return await breaker.execute(() => within(deadline, command()))
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) log.debug({ err: error }, 'redis call failed')
      return undefined
    }
  }

  const write = async (command: () => Promise<unknown>) => {
    if (pendingWrites >= maxPendingWrites) return
    pendingWrites += 1
    await ask(command)
    pendingWrites -= 1
  }

  return {
    async record(key) {
      const text = await ask(() => records.get(recordKey(key)))
      const record = typeof text === 'string' ? decodeRecord(Buffer.from(text, 'base64')) : undefined
      return record?.key === key ? record : undefined
    },

    async body(digest) {
      return ((await ask(() => binary.get(bodyKey(digest)))) as Buffer | null | undefined) ?? undefined
    },

    async share(record, bodies) {
      const shareBodies = [...bodies].map(([digest, bytes]) =>
        write(() => client.set(bodyKey(digest), Buffer.from(bytes), { PX: timeToLive })),
      )
      // A record counts only with its body at hand, so bodies go first.
      await Promise.all(shareBodies)
      await write(() => records.set(recordKey(record.key), encode(record), timeToLive))
    },

    forget(key) {
      void write(() => records.delete(recordKey(key)))
    },

    async claim(name, owner, milliseconds) {
      const lease = { keys: [leaseKey(name)], arguments: [owner, String(milliseconds)] }
      const answer = await ask(() => client.eval(claimScript, lease))
      return answer === undefined ? undefined : answer === 1
    },

    async yield(name, owner) {
      await ask(() => client.eval(yieldScript, { keys: [leaseKey(name)], arguments: [owner] }))
    },

    get healthy() {
      return !closed && client.isReady && reachable
    },

    async close() {
      if (closed) return
      closed = true
      // A client destroyed while it connects would connect all the same, and never end.
      if (client.isReady) client.destroy()
      else client.once('ready', () => client.destroy())
    },
  }
}

const encode = (record: StoredRecord) => Buffer.from(encodeRecord(record)).toString('base64')

class DeadlineMissed extends Error {
  override readonly name = 'DeadlineMissed'
}

function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineMissed(`no answer within ${milliseconds} ms`)), milliseconds)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
