import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { connectKeyvSharedCache } from '../../../src/storage/keyv/keyv-shared-cache.js'
import { sharedBodyLimit } from '../../../src/storage/shared-cache.js'
import { type RedisServer, startRedis } from '../../support/redis.js'
import { missing, title } from '../../support/servers.js'
import { type ArtifactStage, bytesOf, publish, setArtifactStage } from '../artifact-stage.js'
import { expectBytes, noise, settled } from '../fixtures.js'
import { deadline, hang, placeOf, quiet } from './connected.js'

/** Longer than a copy in memory is trusted (D1). */
const trusted = 2001

describe.skipIf(missing('redis-server').length > 0)(title('D1: replicas on one Redis', 'redis-server'), () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis.dispose())

  beforeEach(() => redis.flush())

  /** A store with data of its own, connected. */
  const setReplica = async (): Promise<ArtifactStage> => {
    const shared = connectKeyvSharedCache({ redis: placeOf(redis.url), deadline, log: quiet })
    expect(await settled(() => shared.healthy, Boolean)).toBe(true)
    return setArtifactStage({ shared })
  }

  const later = () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + trusted })
    onTestFinished(() => void vi.useRealTimers())
  }

  const learned = (store: ArtifactStage['store'], key: string) => settled(async () => store.lookup(key), Boolean)

  it.each([100, 20_000, sharedBodyLimit])('what one stores of %i bytes the other has', async (size) => {
    const [one, two] = [await setReplica(), await setReplica()]
    const bytes = noise(size)
    await publish(one.store, 'raw/a', bytes)
    expectBytes(await bytesOf(two.store, await learned(two.store, 'raw/a')), bytes)
    expect(await two.records.get('raw/a')).toEqual(await one.records.get('raw/a'))
  })

  it('a body too large to share is not learned', async () => {
    const [one, two] = [await setReplica(), await setReplica()]
    await publish(one.store, 'raw/large', noise(sharedBodyLimit + 1))
    await publish(one.store, 'raw/small', noise(1))
    await learned(two.store, 'raw/small')
    expect(await two.store.lookup('raw/large')).toBeUndefined()
  })

  it('the later of two that filled at the same time is in both', async () => {
    const [one, two] = [await setReplica(), await setReplica()]
    const [first, last] = [noise(20_000), noise(20_001)]
    await publish(one.store, 'raw/a', first)
    later()
    await publish(two.store, 'raw/a', last)
    // The older may reach Redis last; who has the newer shares it again when he is asked.
    const asked = async ({ store }: ArtifactStage) => {
      vi.setSystemTime(Date.now() + trusted)
      return bytesOf(store, await store.lookup('raw/a'))
    }
    const both = async () => [await asked(two), await asked(one)] as const
    const [ofTwo, ofOne] = await settled(both, (bodies) => bodies.every((body) => body?.length === last.length))
    expectBytes(ofTwo, last)
    expectBytes(ofOne, last)
  })

  it.each([
    ['killed', () => redis.stop(), () => redis.start()],
    ['stopped', () => redis.pause(), () => redis.resume()],
    ['flushed', () => redis.flush(), () => {}],
  ])('Redis %s costs about its deadline, loses nothing, and is used again after', async (_, strike, mend) => {
    const [one, two] = [await setReplica(), await setReplica()]
    const stored = Array.from({ length: 8 }, () => noise(20_000))
    for (const [i, bytes] of stored.entries()) await publish(one.store, `raw/${i}`, bytes)
    // Once: a second start would lose sight of the server that the first one brought back.
    let mending: Promise<void> | undefined
    const mendOnce = () => {
      mending ??= Promise.resolve(mend())
      return mending
    }
    await strike()
    onTestFinished(mendOnce)
    later()
    const start = performance.now()
    for (const [i, bytes] of stored.entries()) {
      expectBytes(await bytesOf(one.store, await one.store.lookup(`raw/${i}`)), bytes)
    }
    const fresh = noise(30_000)
    expect(await publish(one.store, 'raw/fresh', fresh)).toBe(true)
    expectBytes(await bytesOf(one.store, await one.store.lookup('raw/fresh')), fresh)
    // Three calls find out that nothing answers; the rest is the disk's.
    expect(performance.now() - start).toBeLessThan(hang)
    await mendOnce()
    const again = noise(20_000)
    const told = await settled(
      async () => {
        await publish(one.store, 'raw/again', again)
        vi.setSystemTime(Date.now() + trusted)
        return two.store.lookup('raw/again')
      },
      (found) => found !== undefined,
    )
    expectBytes(await bytesOf(two.store, told), again)
  })
})
