import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { messageLimit, type SharedCache, sharedBodyLimit, type ToldEvent } from '../../src/storage/shared-cache.js'
import {
  blobBody,
  digestOf,
  expectBytes,
  inlineBody,
  isEmpty,
  noise,
  record,
  response,
  settled,
} from '../storage/fixtures.js'

/** What several replicas share, empty, for one test. */
export interface SharedCacheDriver {
  /** A replica's view of it, ready for use. */
  connect(): Promise<SharedCache>
  /** Forgets everything behind the replicas' backs. */
  flush(): Promise<void>
  /** What is still open after every replica closed its view, in words. */
  leftovers(): Promise<readonly string[]>
  dispose(): Promise<void>
}

const nothing = new Map<never, never>()
const gap: ToldEvent = { kind: 'gap' }
const message = (text: string): ToldEvent => ({ kind: 'message', text })

/** The contract of the port; a test after which a connection stays open fails. */
export function sharedCacheContract(create: () => Promise<SharedCacheDriver>): void {
  let driver: SharedCacheDriver
  let caches: SharedCache[]

  beforeEach(async () => {
    driver = await create()
    caches = []
  })

  afterEach(async () => {
    try {
      await Promise.all(caches.map((cache) => cache.close()))
      expect(await settled(() => driver.leftovers(), isEmpty)).toEqual([])
    } finally {
      await driver.dispose()
    }
  })

  const connect = async (): Promise<SharedCache> => {
    const cache = await driver.connect()
    caches.push(cache)
    return cache
  }

  /** A replica that listens, with all it heard: a gap first. */
  const hearing = async (cache?: SharedCache) => {
    const replica = cache ?? (await connect())
    const events: ToldEvent[] = []
    replica.onTold((event) => void events.push(event))
    expect(await heardBy(events, 1)).toEqual([gap])
    return { cache: replica, events }
  }

  const heardBy = (events: readonly ToldEvent[], count: number) =>
    settled(
      () => events,
      ({ length }) => length >= count,
    )

  const learned = <T>(ask: () => Promise<T | undefined>) => settled(ask, (answer) => answer !== undefined)

  describe('replicas', () => {
    it('an unknown record or body is undefined', async () => {
      const cache = await connect()
      expect(await cache.record('raw/absent')).toBeUndefined()
      expect(await cache.body(digestOf(noise(3)))).toBeUndefined()
    })

    it('D1: share records with their inline bodies', async () => {
      const [one, two] = [await connect(), await connect()]
      const known = record('raw/a?x=%2B', [response(inlineBody(noise(16 * 1024))), response(inlineBody(noise(0)))])
      one.share(known, nothing)
      expect(await learned(() => two.record(known.key))).toEqual(known)
    })

    it.each([0, 1, 20_000, sharedBodyLimit])(
      'D1: share a body of %i bytes, at hand when its record is',
      async (size) => {
        const [one, two] = [await connect(), await connect()]
        const bytes = noise(size)
        one.share(record('raw/a', [response(blobBody(bytes))]), new Map([[digestOf(bytes), bytes]]))
        expect(await learned(() => two.record('raw/a'))).toBeDefined()
        expectBytes(await two.body(digestOf(bytes)), bytes)
      },
    )

    it('a later record replaces the one before, tombstones too', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))], { version: 4 }), nothing)
      await learned(() => two.record('raw/a'))
      two.share(record('raw/a', [], { version: 5, epoch: 5 }), nothing)
      const last = await settled(
        () => one.record('raw/a'),
        (found) => found?.version === 5,
      )
      expect(last).toEqual(record('raw/a', [], { version: 5, epoch: 5 }))
    })

    it('keys are told apart', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      await learned(() => two.record('raw/a'))
      for (const key of ['raw/a?', 'raw/A', 'raw/a/', 'raw2/a']) expect(await two.record(key)).toBeUndefined()
    })

    it('what was shared may be reused by its owner at once', async () => {
      const [one, two] = [await connect(), await connect()]
      const bytes = noise(20_000)
      const sent = Buffer.from(bytes)
      one.share(record('raw/a', [response(blobBody(bytes))]), new Map([[digestOf(bytes), sent]]))
      sent.fill(0)
      await learned(() => two.record('raw/a'))
      expectBytes(await two.body(digestOf(bytes)), bytes)
    })
  })

  describe('leases', () => {
    const other = (holder: string) => ({ mine: false, holder })
    const mine = { mine: true }

    it('what one holds, every other learns the holder of, until it is yielded', async () => {
      const [one, two] = [await connect(), await connect()]
      expect(await learned(() => one.lease('work', 'one http://10.0.0.1:8080/{x}', 60_000))).toEqual(mine)
      expect(await learned(() => two.lease('work', 'two', 60_000))).toEqual(other('one http://10.0.0.1:8080/{x}'))
      expect(await one.lease('work', 'one http://10.0.0.1:8080/{x}', 60_000)).toEqual(mine)
      expect(await two.lease('other work', 'two', 60_000)).toEqual(mine)
      await two.yield('work', 'two')
      expect(await two.lease('work', 'two', 60_000)).toEqual(other('one http://10.0.0.1:8080/{x}'))
      await one.yield('work', 'one http://10.0.0.1:8080/{x}')
      expect(await two.lease('work', 'two', 60_000)).toEqual(mine)
    })

    it('one of many that ask at the same time has it, and all others are told who', async () => {
      const replicas = await Promise.all(Array.from({ length: 4 }, connect))
      const answers = await Promise.all(replicas.map((cache, i) => cache.lease('work', `replica ${i}`, 60_000)))
      const holder = answers.findIndex((answer) => answer?.mine)
      expect(answers).toEqual(answers.map((_, i) => (i === holder ? mine : other(`replica ${holder}`))))
    })

    it('a lease ends by itself', async () => {
      const [one, two] = [await connect(), await connect()]
      expect(await learned(() => one.lease('work', 'one', 50))).toEqual(mine)
      const taken = await settled(
        () => two.lease('work', 'two', 60_000),
        (lease) => lease?.mine === true,
      )
      expect(taken).toEqual(mine)
      expect(await one.lease('work', 'one', 50)).toEqual(other('two'))
    })

    it('who renews it keeps it, for as long as the last call says', async () => {
      const [one, two] = [await connect(), await connect()]
      await one.lease('work', 'one', 50)
      expect(await one.lease('work', 'one', 60_000)).toEqual(mine)
      await sleep(100)
      expect(await two.lease('work', 'two', 60_000)).toEqual(other('one'))
    })
  })

  describe('notes', () => {
    it('are there for all, the last one counts, and keys are told apart', async () => {
      const [one, two] = [await connect(), await connect()]
      expect(await one.noted('fact')).toBeUndefined()
      await one.note('fact', 'first', 60_000)
      await one.note('fact?', 'of another', 60_000)
      await one.note('fact', 'zweite: ä, 語', 60_000)
      expect(await two.noted('fact')).toBe('zweite: ä, 語')
      expect(await two.noted('fact?')).toBe('of another')
      expect(await two.noted('Fact')).toBeUndefined()
    })

    it('an empty text is one', async () => {
      const cache = await connect()
      await cache.note('fact', '', 60_000)
      expect(await cache.noted('fact')).toBe('')
    })

    it('end by themselves', async () => {
      const cache = await connect()
      await cache.note('fact', 'short', 50)
      const ended = await settled(
        () => cache.noted('fact'),
        (text) => text === undefined,
      )
      expect(ended).toBeUndefined()
    })
  })

  describe('the channel', () => {
    it('brings what one tells to all others, in its order, and not to itself', async () => {
      const [one, two, three] = [await hearing(), await hearing(), await hearing()]
      const told = Array.from({ length: 50 }, (_, i) => `message ${i}`)
      for (const text of told) await one.cache.tell(text)
      await three.cache.tell('the last')
      const all = [gap, ...told.map(message)]
      expect(await heardBy(two.events, 52)).toEqual([...all, message('the last')])
      expect(await heardBy(three.events, 51)).toEqual(all)
      expect(await heardBy(one.events, 2)).toEqual([gap, message('the last')])
    })

    it('brings messages up to the limit in bytes, whatever they hold, and none beyond', async () => {
      const [one, two] = [await connect(), await hearing()]
      const largest = 'ä'.repeat(messageLimit / 2)
      await one.tell('')
      await one.tell(`${largest}a`)
      await one.tell(largest)
      await one.tell('two words\r\n\0')
      const all = [gap, message(''), message(largest), message('two words\r\n\0')]
      expect(await heardBy(two.events, 4)).toEqual(all)
    })

    it('who listens later hears of a gap first, and hears what comes then', async () => {
      const [one, two] = [await connect(), await hearing()]
      await one.tell('early')
      await heardBy(two.events, 2)
      const late = await hearing(two.cache)
      await one.tell('late')
      expect(await heardBy(late.events, 2)).toEqual([gap, message('late')])
      expect(two.events).toEqual([gap, message('early'), message('late')])
    })

    it('a listener that throws keeps nothing from the others', async () => {
      const [one, two] = [await connect(), await connect()]
      two.onTold(() => {
        throw new Error('of the listener')
      })
      const { events } = await hearing(two)
      await one.tell('first')
      await one.tell('second')
      expect(await heardBy(events, 3)).toEqual([gap, message('first'), message('second')])
    })

    it('who has closed hears nothing more', async () => {
      const [one, two, witness] = [await connect(), await hearing(), await hearing()]
      await two.cache.close()
      await one.tell('late')
      await heardBy(witness.events, 2)
      expect(two.events).toEqual([gap])
    })
  })

  describe('absence', () => {
    it('what is forgotten is gone for all', async () => {
      const [one, two] = [await connect(), await connect()]
      one.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      await learned(() => two.record('raw/a'))
      two.forget('raw/a')
      const gone = await settled(
        () => one.record('raw/a'),
        (found) => found === undefined,
      )
      expect(gone).toBeUndefined()
    })

    it('D1: a flush leaves absences, and a cache in working order', async () => {
      const [one, two] = [await connect(), await connect()]
      const known = record('raw/a', [response(inlineBody(noise(3)))])
      one.share(known, nothing)
      await learned(() => two.record('raw/a'))
      await driver.flush()
      expect(await two.record('raw/a')).toBeUndefined()
      expect(two.healthy).toBe(true)
      one.share(known, nothing)
      expect(await learned(() => two.record('raw/a'))).toEqual(known)
    })

    it('a closed cache knows nothing, takes nothing, throws nothing', async () => {
      const cache = await driver.connect()
      const other = await hearing()
      await cache.close()
      await cache.close()
      cache.onTold(() => expect.unreachable())
      await cache.tell('too late')
      await cache.note('fact', 'text', 60_000)
      expect(await cache.noted('fact')).toBeUndefined()
      expect(await cache.lease('work', 'one', 60_000)).toBeUndefined()
      await cache.yield('work', 'one')
      expect(await other.cache.lease('work', 'other', 60_000)).toEqual({ mine: true })
      expect(await other.cache.noted('fact')).toBeUndefined()
      expect(other.events).toEqual([gap])
      cache.share(record('raw/a', [response(inlineBody(noise(3)))]), nothing)
      cache.forget('raw/a')
      expect(await cache.record('raw/a')).toBeUndefined()
      expect(await cache.body(digestOf(noise(3)))).toBeUndefined()
      expect(cache.healthy).toBe(false)
    })
  })
}
