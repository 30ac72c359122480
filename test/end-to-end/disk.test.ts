import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get, open } from '../support/http.js'
import { prepareLarder } from '../support/larder.js'
import { noise, openStage, type Stage, setStage, settled, temporaryDirectory, until } from '../support/stage.js'
import { ext4, tmpfs, type Volume, whyNoVolumes } from '../support/volume.js'

const mebibyte = 1024 * 1024

const cannot = await whyNoVolumes()

/** lmdb tells of a failed commit on stderr too. */
const lmdbSays =
  /Write error: .*?size \d+|Error: (?:No space left on device|Read-only file system|Input\/output error).*?\n\}\n/gs

async function stageOn(volume: Volume): Promise<Stage> {
  const stage = await openStage({}, { LARDER_DATA: join(volume.path, 'data') })
  onTestFinished(async () => {
    await stage.larder.dispose()
    await stage.origin.stop()
    expect(stage.larder.errors.replace(lmdbSays, '')).toBe('')
  })
  return stage
}

const ready = async ({ larder }: Stage) => JSON.parse((await get(`${larder.url}/readyz`)).body.toString())
const degraded = (...reasons: string[]) => ({ status: 'degraded', degraded: reasons })
const sound = { status: 'ok', degraded: [] }

/** Storing is tried again after 5 s. */
const stores = (stage: Stage) => expect.poll(() => ready(stage), { timeout: 30_000 }).toEqual(sound)

const told = ({ larder }: Stage) => larder.logs.filter(({ msg }) => String(msg).startsWith('cannot store'))
const staged = (volume: Volume) => readdir(join(volume.path, 'data', 'staging'))

/** Files of all sizes, and clients that ask for them in turn and together; how it ended for each. */
async function builds({ origin, url }: Stage, prefix: string, rounds: number): Promise<Set<string>> {
  const sizes = [500, 16 * 1024, 30_000, 300_000, 3 * mebibyte]
  const paths = sizes.map((size) => [`/${prefix}-${size}`, noise(size)] as const)
  for (const [path, body] of paths) origin.put(path, body)
  const endings = new Set<string>()
  const client = async (number: number) => {
    for (let round = 0; round < rounds; round += 1) {
      const [path, body] = paths[(number + round) % paths.length] ?? ['', Buffer.alloc(0)]
      const { status, ended, body: got } = await get(url(path))
      endings.add(`${status} ${ended} ${got.equals(body)}`)
    }
  }
  await Promise.all(Array.from({ length: 12 }, (_, number) => client(number)))
  return endings
}

const allWell = new Set(['200 end true'])

describe.skipIf(cannot !== undefined)(`K7: a small disk${cannot ? ` (left out: ${cannot})` : ''}`, () => {
  it('fills up while builds go on, is started on again, and stores again once there is room', async () => {
    const volume = await tmpfs('size=12m')
    const stage = await stageOn(volume)
    const { origin, larder, url } = stage
    const kept = origin.put('/kept', noise(100_000))
    await get(url('/kept'))
    await settled(stage)
    expect(await builds(stage, 'before', 5)).toEqual(allWell)
    await volume.fill()
    expect(await builds(stage, 'full', 5)).toEqual(allWell)
    expect(await ready(stage)).toEqual(degraded('disk full'))
    for (const end of [() => larder.stop(), () => larder.kill()]) {
      await end()
      await larder.start()
      expect(await ready(stage)).toEqual(degraded('disk full'))
      const before = origin.count('/kept')
      expect((await get(url('/kept'))).body.equals(kept)).toBe(true)
      expect(origin.count('/kept')).toBe(before)
      expect(await builds(stage, 'restarted', 2)).toEqual(allWell)
    }
    await volume.free()
    await stores(stage)
    origin.put('/new', noise(30_000))
    await get(url('/new'))
    await settled(stage)
    expect((await get(url('/new'))).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('is shared with others: a cap in percent is reached before the disk is full', async () => {
    const volume = await tmpfs('size=64m')
    await writeFile(join(volume.path, 'of-others'), noise(32 * mebibyte))
    const stage = await stageOn(volume)
    const { origin, larder, url } = stage
    for (let i = 0; i < 40; i += 1) {
      origin.put(`/${i}`, noise(mebibyte))
      await get(url(`/${i}`))
      await settled(stage)
      expect((await get(url(`/${i}`))).header('cache-status')).toMatch(/^larder; hit/)
    }
    expect(larder.logs.map(({ msg }) => msg)).toContain('over its cap: evicted what was used least recently')
    expect(await ready(stage)).toEqual(sound)
  })

  it('fills up in the middle of a body: whoever is where goes on to the end', async () => {
    const volume = await tmpfs('size=24m')
    const stage = await stageOn(volume)
    const { origin, url } = stage
    const body = origin.put('/a', noise(16 * mebibyte))
    const gate = origin.hold('/a', 2 * mebibyte, {}, 1)
    const clients = await Promise.all(Array.from({ length: 4 }, () => open(url('/a'))))
    const [fast, slow] = clients
    slow?.pause()
    await until(() => (fast?.received() ?? 0) >= 2 * mebibyte - 1, 'one has what came')
    await volume.fill()
    gate.letGo()
    expect((await fast?.finished)?.body.equals(body)).toBe(true)
    slow?.resume()
    for (const { finished } of clients) {
      const { ended, body: got } = await finished
      expect([ended, got.equals(body)]).toEqual(['end', true])
    }
    await settled(stage)
    await until(async () => (await staged(volume)).length === 0, 'the half body is gone')
    expect(told(stage)).toHaveLength(1)
    await volume.free()
    await stores(stage)
    await get(url('/a'))
    await settled(stage)
    expect((await get(url('/a'))).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('is full when records are to be written: everyone has their bytes, and the process lives', async () => {
    const volume = await tmpfs('size=24m')
    const stage = await stageOn(volume)
    const { origin, larder, url } = stage
    const paths = Array.from({ length: 40 }, (_, i) => `/${i}`)
    const bodies = paths.map((path) => origin.put(path, noise(16 * 1024)))
    const gates = paths.map((path) => origin.hold(path, 1000, {}, 1))
    const clients = await Promise.all(paths.map((path) => open(url(path))))
    await volume.fill()
    for (const gate of gates) gate.letGo()
    const got = await Promise.all(clients.map(({ finished }) => finished))
    expect(got.map(({ ended, body }, i) => [ended, bodies[i]?.equals(body)])).toEqual(
      Array(paths.length).fill(['end', true]),
    )
    await settled(stage)
    expect(told(stage)).toHaveLength(1)
    expect((await get(`${larder.url}/healthz`)).status).toBe(200)
    expect(larder.errors).toContain('No space left on device')
    await volume.free()
    await stores(stage)
    for (const path of paths) await get(url(path))
    await settled(stage)
    await larder.restart()
    await origin.stop()
    for (const [i, path] of paths.entries()) expect((await get(url(path))).body.equals(bodies[i] as Buffer)).toBe(true)
  })

  it('runs out of inodes', async () => {
    const stage = await stageOn(await tmpfs('size=200m,nr_inodes=40'))
    expect(await builds(stage, 'before', 5)).toEqual(allWell)
    for (let i = 0; i < 15; i += 1) await builds(stage, `more-${i}`, 1)
    expect(await ready(stage)).toEqual(degraded('disk full'))
    expect(await builds(stage, 'after', 5)).toEqual(allWell)
  })

  it('turns read-only under load, as a file system does that met a fault', async (context) => {
    const volume = await ext4(64)
    if (!volume) return context.skip('no loop devices here')
    const stage = await stageOn(volume)
    const { origin, larder, url } = stage
    const kept = origin.put('/kept', noise(100_000))
    await get(url('/kept'))
    await settled(stage)
    const [before] = await Promise.all([builds(stage, 'during', 10), volume.remount('abort')])
    expect(before).toEqual(allWell)
    expect(await builds(stage, 'after', 3)).toEqual(allWell)
    expect((await get(url('/kept'))).body.equals(kept)).toBe(true)
    expect(origin.count('/kept')).toBe(1)
    expect(await ready(stage)).toEqual(degraded('disk read-only'))
    const { body } = await get(`${larder.url}/metrics`)
    expect(body.toString()).toContain('larder_degraded_by{reason="disk read-only"} 1')
    expect(told(stage)).toHaveLength(1)
  })

  it.each([
    ['full', (volume: Volume) => volume.fill(), 'ENOSPC: no space left on device'],
    ['read-only', async (volume: Volume) => volume.remount('ro'), 'EROFS: read-only file system'],
  ])('is %s at the first start: said in plain words', async (_, spoil, words) => {
    const volume = await tmpfs('size=2m')
    await spoil(volume)
    const larder = await prepareLarder({ config: configurationOf(), env: { LARDER_DATA: join(volume.path, 'data') } })
    onTestFinished(() => larder.dispose())
    larder.spawn()
    expect((await larder.exited()).code).toBe(1)
    expect(larder.errors).toMatch(/^larder: cannot start\ncannot /)
    expect(larder.errors).toContain(words)
  })

  it('is full but for a little at the first start: refused, where lmdb would end the process', async () => {
    const volume = await tmpfs('size=64k')
    const larder = await prepareLarder({ config: configurationOf(), env: { LARDER_DATA: join(volume.path, 'data') } })
    onTestFinished(() => larder.dispose())
    larder.spawn()
    expect(await larder.exited()).toEqual({ code: 1, signal: null })
    expect(larder.errors).toContain('cannot begin a store')
  })
})

const configurationOf = () => JSON.stringify({ repositories: { raw: { remote: 'http://127.0.0.1:1' } } })

describe('K7: the data directory vanishes', () => {
  it('clients are served, it is said, and after a restart all is well', async () => {
    const data = join(await temporaryDirectory(), 'data')
    const stage = await setStage({}, { LARDER_DATA: data })
    const { origin, larder, url } = stage
    expect(await builds(stage, 'before', 3)).toEqual(allWell)
    const gate = origin.hold('/a', mebibyte, {}, 1)
    const body = origin.put('/a', noise(4 * mebibyte))
    const client = await open(url('/a'))
    await until(() => client.received() >= mebibyte - 1, 'the client has what came')
    await rm(data, { recursive: true })
    gate.letGo()
    expect((await client.finished).body.equals(body)).toBe(true)
    expect(await builds(stage, 'after', 3)).toEqual(allWell)
    expect(await ready(stage)).toEqual(degraded('data directory gone'))
    expect(told(stage)).toHaveLength(1)
    await larder.restart()
    expect(await ready(stage)).toEqual(sound)
    await get(url('/a'))
    await settled(stage)
    expect((await get(url('/a'))).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('only the directory of bodies that come in: it is made anew', async () => {
    const stage = await setStage()
    const { origin, larder, url } = stage
    await rm(join(larder.data, 'staging'), { recursive: true })
    const body = origin.put('/a', noise(mebibyte))
    expect((await get(url('/a'))).body.equals(body)).toBe(true)
    await stores(stage)
    await get(url('/a'))
    await settled(stage)
    expect((await get(url('/a'))).header('cache-status')).toMatch(/^larder; hit/)
  })
})
