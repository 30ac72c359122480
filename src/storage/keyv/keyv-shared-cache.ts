import { storageKey } from '../../caching/cache-key.js'
import type { Digest, StoredRecord } from '../../caching/record.js'
import { decodeRecord, encodeRecord } from '../../caching/record-encoding.js'
import type { Logger } from '../../log.js'
import type { RedisPlace } from '../redis-place.js'
import type { Lease, SharedCache } from '../shared-cache.js'
import { createAsk } from './ask.js'
import { createChannel } from './channel.js'
import type { RedisCommands } from './commands.js'
import { keep } from './keep.js'
import type { CommandLink } from './link.js'
import { linksTo } from './links.js'

/*
 * larder:v1:record:<storage key>   {"value":"<the encoded record, base64>","expires":<ms>}   through keyv
 * larder:v1:body:<digest>          the bytes
 * larder:v1:lease:<name>           its holder
 * larder:v1:note:<key>             the text
 * larder:v1:told                   a channel: "<a replica's UUID, new at each start> <message>"
 * All keys expire by themselves: what is asked for is shared again. Each call is for one key, so that in a cluster none
 * needs to be in the slot of another.
 */
const recordKey = (key: string) => `larder:v1:record:${storageKey(key)}`
const bodyKey = (digest: Digest) => `larder:v1:body:${digest}`
const leaseKey = (name: string) => `larder:v1:lease:${name}`
const noteKey = (key: string) => `larder:v1:note:${key}`

/** Each in one step: between a look and a change the lease might pass on to another. */
const leaseScript = `local holder = redis.call('get', KEYS[1]) or ARGV[1]
if holder == ARGV[1] then redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return holder`
const yieldScript = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('unlink', KEYS[1]) end`

const timeToLive = 24 * 3600 * 1000

/** Writes under way; beyond, sharing is skipped: it only saves work. */
const maxPendingWrites = 64

export interface KeyvSharedCacheOptions {
  readonly redis: RedisPlace
  /** PEM certificates to trust in place of Node's own. */
  readonly ca?: readonly string[] | undefined
  /** Milliseconds a call may cost (D1). */
  readonly deadline: number
  readonly log: Logger
}

/** Connects behind: until Redis answers, and whenever it doesn't, every call is an absence. */
export function connectKeyvSharedCache({ redis, ca, deadline, log }: KeyvSharedCacheOptions): SharedCache {
  let closed = false
  let reachable = true
  let pendingWrites = 0

  const told = (now: boolean, error?: unknown) => {
    if (now === reachable || closed) return
    reachable = now
    if (now) log.info('redis answers again')
    else log.warn({ err: error }, 'redis does not answer; going on without it')
  }

  let connected = false
  const { openCommands, openChannel } = linksTo(redis, ca)
  const kept = keep<CommandLink>({
    open: openCommands,
    onUp() {
      connected = true
      told(true)
    },
    onDown(error) {
      connected = false
      told(false, error)
    },
  })
  const askInTime = createAsk({
    deadline,
    onSilent: () => told(false, new Error(`redis missed its deadline of ${deadline} ms`)),
    // What is left of a cluster may answer while a node of it is lost.
    onHeard: () => connected && told(true),
    log,
  })

  const askLink = async <T>(command: (link: CommandLink) => Promise<T>): Promise<T | undefined> => {
    const link = kept.current
    return closed || !link?.isUsable ? undefined : askInTime(() => command(link))
  }
  const ask = <T>(command: (redis: RedisCommands) => Promise<T>) => askLink(({ commands }) => command(commands))

  const write = async (command: (redis: RedisCommands) => Promise<unknown>) => {
    if (pendingWrites >= maxPendingWrites) return
    pendingWrites += 1
    await ask(command)
    pendingWrites -= 1
  }

  const channel = createChannel({
    open: openChannel,
    publish: async (name, message) => void (await askLink((link) => link.publish(name, message))),
    log,
  })

  return {
    async record(key) {
      const text = await ask(({ records }) => records.get(recordKey(key)))
      const record = typeof text === 'string' ? decodeRecord(Buffer.from(text, 'base64')) : undefined
      return record?.key === key ? record : undefined
    },

    body: async (digest) => (await ask(({ get }) => get(bodyKey(digest)))) ?? undefined,

    async share(record, bodies) {
      const shareBodies = [...bodies].map(([digest, bytes]) =>
        write(({ set }) => set(bodyKey(digest), Buffer.from(bytes), timeToLive)),
      )
      // A record counts only with its body at hand, so bodies go first.
      await Promise.all(shareBodies)
      await write(({ records }) => records.set(recordKey(record.key), encode(record), timeToLive))
    },

    forget(key) {
      void write(({ records }) => records.delete(recordKey(key)))
    },

    async lease(name, holder, milliseconds): Promise<Lease | undefined> {
      const holds = await ask((commands) => commands.eval(leaseScript, leaseKey(name), [holder, String(milliseconds)]))
      if (typeof holds !== 'string') return undefined
      return holds === holder ? { mine: true } : { mine: false, holder: holds }
    },

    async yield(name, holder) {
      await ask((commands) => commands.eval(yieldScript, leaseKey(name), [holder]))
    },

    note: (key, text, milliseconds) => write(({ set }) => set(noteKey(key), text, milliseconds)),

    noted: async (key) => (await ask(({ get }) => get(noteKey(key))))?.toString(),

    tell: channel.tell,
    onTold: channel.onTold,

    get healthy() {
      return !closed && kept.current?.isUsable === true && reachable
    },

    async close() {
      if (closed) return
      closed = true
      channel.close()
      kept.close()
    },
  }
}

const encode = (record: StoredRecord) => Buffer.from(encodeRecord(record)).toString('base64')
