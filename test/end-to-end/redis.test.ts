import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { get, open } from '../support/http.js'
import { startLarder } from '../support/larder.js'
import { type RedisServer, someRedis, startRedis } from '../support/redis.js'
import { missing, title } from '../support/servers.js'
import { configuration, noise, type Stage, setStage, settled, until } from '../support/stage.js'

const paths = ['/small.bin', '/middle.bin', '/big.bin'] as const
/** Milliseconds that an answer takes which waits for Redis, and no other, however busy the machine. */
const hang = 5_000
const sizes = { '/small.bin': 1000, '/middle.bin': 200_000, '/big.bin': 3_000_000 }

describe.skipIf(missing('redis-server').length > 0)(title('D1: Redis goes', 'redis-server'), () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.dispose())
  beforeEach(async () => {
    redis.resume()
    await redis.stop()
    await redis.start()
  })

  const stageWith = async () => {
    const stage = await setStage({}, { REDIS_URL: redis.url })
    const bodies = new Map(paths.map((path) => [path, stage.origin.put(path, noise(sizes[path]))]))
    return { stage, bodies }
  }

  /** Every artifact is answered whole; how long the slowest took (ms). */
  const askAll = async ({ url }: Stage, bodies: ReadonlyMap<string, Buffer>): Promise<number> => {
    let slowest = 0
    for (const [path, body] of bodies) {
      const begun = performance.now()
      const answer = await get(url(path))
      slowest = Math.max(slowest, performance.now() - begun)
      expect([path, answer.status, answer.body.equals(body)]).toEqual([path, 200, true])
    }
    return slowest
  }

  const troubles: [name: string, happen: () => unknown][] = [
    ['killed', () => redis.stop()],
    ['stopped by SIGSTOP', () => redis.pause()],
    ['flushed', () => redis.flush()],
    ['killed and started again, empty', () => redis.stop().then(() => redis.start())],
  ]

  it.each(troubles)('warm, then %s: every artifact still comes, without the remote', async (_, happen) => {
    const { stage, bodies } = await stageWith()
    await askAll(stage, bodies)
    await settled(stage)
    await until(async () => (await redis.size()) > 0, 'something is shared')
    await happen()
    await stage.origin.stop()
    for (let round = 0; round < 3; round += 1) expect(await askAll(stage, bodies)).toBeLessThan(hang)
    expect(stage.origin.requests).toHaveLength(paths.length)
  })

  it.each(troubles)('%s while a fill is under way: it ends well, and so do new ones', async (_, happen) => {
    const { stage, bodies } = await stageWith()
    const gate = stage.origin.hold('/big.bin', 1_000_000)
    const client = await open(stage.url('/big.bin'))
    await gate.reached
    await happen()
    gate.letGo()
    expect((await client.finished).body.equals(bodies.get('/big.bin') ?? Buffer.alloc(0))).toBe(true)
    expect(await askAll(stage, bodies)).toBeLessThan(hang)
    expect(await askAll(stage, bodies)).toBeLessThan(hang)
    expect(stage.origin.requests).toHaveLength(paths.length)
  })

  it.each([
    ['killed', () => redis.stop()],
    ['stopped by SIGSTOP', () => redis.pause()],
  ])('%s before a restart: the server starts, is ready, and has everything', async (_, happen) => {
    const { stage, bodies } = await stageWith()
    await askAll(stage, bodies)
    await settled(stage)
    await happen()
    await stage.origin.stop()
    await stage.larder.restart()
    expect((await get(`${stage.larder.url}/readyz`)).status).toBe(200)
    expect(await askAll(stage, bodies)).toBeLessThan(hang)
    expect(stage.origin.requests).toHaveLength(paths.length)
  })

  it('O1: is told by /readyz, which stays 200, until it is back', async () => {
    const { stage, bodies } = await stageWith()
    const readiness = async () => {
      const { status, body } = await get(`${stage.larder.url}/readyz`)
      return `${status} ${(JSON.parse(body.toString()) as { status: string }).status}`
    }
    await askAll(stage, bodies)
    await until(async () => (await readiness()) === '200 ok', 'it is connected')
    await redis.stop()
    await askAll(stage, bodies)
    await until(async () => (await readiness()) === '200 degraded', 'it is degraded')
    await redis.start()
    await until(async () => (await readiness()) === '200 ok', 'it is well again')
  })
})

const absent = process.env.LARDER_TEST_REDIS_URL === undefined && missing('redis-server').length > 0
describe.skipIf(absent)(title('D1: two servers share a Redis', 'redis-server'), () => {
  it.each([
    ['inline', 1000],
    ['of 200 kB', 200_000],
    ['of exactly 256 KiB', 256 * 1024],
  ])('the second serves a body %s that the first got, without asking the remote', async (_, size) => {
    const redis = await someRedis()
    onTestFinished(() => redis.dispose())
    const first = await setStage({}, { REDIS_URL: redis.url })
    const path = `/shared-${process.pid}-${size}.bin`
    const body = first.origin.put(path, noise(size))
    await get(first.url(path))
    const config = configuration(first.origin)
    const second = await startLarder({ config, env: { REDIS_URL: redis.url } })
    onTestFinished(() => second.dispose())
    await first.origin.stop()
    const from = `${second.url}/repository/raw${path}`
    await until(async () => (await get(from)).status === 200, 'the second has it')
    const answer = await get(from)
    expect([answer.status, answer.body.equals(body), first.origin.requests.length]).toEqual([200, true, 1])
    expect(answer.header('etag')).toBe((await get(first.url(path))).header('etag'))
  })

  it('a bigger body each gets for itself', async () => {
    const redis = await someRedis()
    onTestFinished(() => redis.dispose())
    const { origin, url } = await setStage({}, { REDIS_URL: redis.url })
    const body = origin.put('/big.bin', noise(256 * 1024 + 1))
    await get(url('/big.bin'))
    const second = await startLarder({ config: configuration(origin), env: { REDIS_URL: redis.url } })
    onTestFinished(() => second.dispose())
    expect((await get(`${second.url}/repository/raw/big.bin`)).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(2)
  })
})
