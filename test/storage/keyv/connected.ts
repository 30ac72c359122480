import { pino } from 'pino'
import { expect, onTestFinished } from 'vitest'
import { parseRedisUrl } from '../../../src/config/redis-url.js'
import { connectKeyvSharedCache } from '../../../src/storage/keyv/keyv-shared-cache.js'
import type { RedisPlace } from '../../../src/storage/redis-place.js'
import type { SharedCache, ToldEvent } from '../../../src/storage/shared-cache.js'
import type { SharedCacheDriver } from '../../contract/shared-cache.js'
import type { RedisServer } from '../../support/redis.js'
import type { RedisSet } from '../../support/redis-sets.js'
import { settled } from '../fixtures.js'

export const deadline = 100

/** Milliseconds that a call which ends by its deadline never takes, however busy the machine, and one that waits for Redis does. */
export const hang = deadline * 15

export const quiet = pino({ level: 'silent' })

export function placeOf(url: string): RedisPlace {
  const place = parseRedisUrl(url)
  if (!place) throw new Error(`no URL of a Redis: ${url}`)
  return place
}

export interface Connected {
  readonly cache: SharedCache
  /** What it logs, as JSON. */
  readonly lines: string[]
}

export interface ConnectOptions {
  readonly wait?: number
  readonly ca?: string
}

/** A cache that keeps what it logs, closed after the test. */
export function connect(url: string, { wait = deadline, ca }: ConnectOptions = {}): Connected {
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(line) })
  const cache = connectKeyvSharedCache({ redis: placeOf(url), deadline: wait, log, ca: ca === undefined ? ca : [ca] })
  onTestFinished(() => cache.close())
  return { cache, lines }
}

/** What was told to an operator. */
export const told = (lines: readonly string[]): readonly string[] =>
  lines
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .flatMap(({ level, msg }) => (level > 20 ? [msg] : []))

export const ready = (cache: SharedCache) => settled(() => cache.healthy, Boolean)

export async function connected(url: string, options?: ConnectOptions): Promise<Connected> {
  const made = connect(url, options)
  expect(await ready(made.cache)).toBe(true)
  return made
}

/** A cache that can't connect, with what it logs of that. */
export async function refused(url: string, options?: ConnectOptions): Promise<Connected> {
  const made = connect(url, options)
  expect(
    await settled(
      () => told(made.lines),
      ({ length }) => length > 0,
    ),
  ).toEqual(['redis does not answer; going on without it'])
  expect(made.cache.healthy).toBe(false)
  expect(await made.cache.noted('fact')).toBeUndefined()
  return made
}

/** All it hears from now on, once it hears. */
export async function hearing(cache: SharedCache): Promise<ToldEvent[]> {
  const events: ToldEvent[] = []
  cache.onTold((event) => void events.push(event))
  expect(
    await settled(
      () => events,
      ({ length }) => length > 0,
    ),
  ).toEqual([{ kind: 'gap' }])
  return events
}

export async function timed<T>(work: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const start = performance.now()
  const answer = await work()
  return { answer, ms: performance.now() - start }
}

/** The contract's view of a running Redis that `larder` uses, and nobody else of that name. */
export async function driverOn(url: string, set: Pick<RedisSet, 'flush' | 'nodes'>): Promise<SharedCacheDriver> {
  await set.flush()
  return {
    async connect() {
      const cache = connectKeyvSharedCache({ redis: placeOf(url), deadline: 1000, log: quiet })
      await ready(cache)
      return cache
    },
    flush: () => set.flush(),
    leftovers: async () => (await Promise.all(set.nodes.map(connectionsTo))).flat(),
    dispose: async () => {},
  }
}

async function connectionsTo(server: RedisServer): Promise<string[]> {
  const clients = await server.answer('CLIENT LIST')
  return clients.split('\n').filter((line) => line.includes(' user=larder '))
}
