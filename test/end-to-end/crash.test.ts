import { readdir, stat } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get, open } from '../support/http.js'
import { prepareLarder } from '../support/larder.js'
import { configuration, filesUnder, noise, setStage, settled, until } from '../support/stage.js'

const mebibyte = 1024 * 1024

/** Bytes of regular files under a directory. */
async function bytesUnder(directory: string): Promise<number> {
  const files = await filesUnder(directory)
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe('D2: after kill -9', () => {
  it('in the middle of a fill: nothing partial is served or left behind, what was whole is still there', async () => {
    const stage = await setStage()
    const { origin, larder, url } = stage
    const kept = origin.put('/kept.bin', noise(mebibyte))
    const small = origin.put('/small.bin', noise(100))
    const cut = origin.put('/cut.bin', noise(64 * mebibyte))
    for (const path of ['/kept.bin', '/small.bin']) await get(url(path))
    await settled(stage)

    const gate = origin.hold('/cut.bin', 48 * mebibyte)
    const client = await open(url('/cut.bin'))
    await gate.reached
    await until(() => client.received() === 48 * mebibyte, 'the client has what came')
    await larder.kill()
    expect((await client.finished).ended).not.toBe('end')
    expect(await bytesUnder(larder.data)).toBeGreaterThan(32 * mebibyte)

    origin.heal()
    await larder.start()
    expect(await bytesUnder(larder.data)).toBeLessThan(16 * mebibyte)
    const before = origin.requests.length
    expect((await get(url('/kept.bin'))).body.equals(kept)).toBe(true)
    expect((await get(url('/small.bin'))).body.equals(small)).toBe(true)
    expect(origin.requests).toHaveLength(before)
    expect((await get(url('/cut.bin'))).body.equals(cut)).toBe(true)
    expect(origin.count('/cut.bin')).toBe(2)
  })

  it('at any instant of many fills: every answer afterwards is whole', async () => {
    const { origin, larder, url } = await setStage()
    const sizes = [10, 16 * 1024, 16 * 1024 + 1, 100_000, 400_000]
    const bodies = new Map(
      Array.from({ length: 60 }, (_, i) => [`/${i}.bin`, origin.put(`/${i}.bin`, noise(sizes[i % sizes.length] ?? 1))]),
    )
    for (const completed of [1, 5, 17, 31]) {
      let done = 0
      const asked = [...bodies.keys()].map((path) =>
        get(url(path)).then(
          () => {
            done += 1
            if (done === completed) larder.signal('SIGKILL')
          },
          () => {},
        ),
      )
      await Promise.all(asked)
      await larder.exited()
      await larder.start()
    }
    const answers = await Promise.all([...bodies].map(async ([path, body]) => (await get(url(path))).body.equals(body)))
    expect(answers).toEqual(Array(bodies.size).fill(true))
    for (const path of bodies.keys()) expect(origin.count(path)).toBeLessThanOrEqual(5)
    await origin.stop()
    const stored = await Promise.all([...bodies].map(async ([path, body]) => (await get(url(path))).body.equals(body)))
    expect(stored).toEqual(Array(bodies.size).fill(true))
  })
})

describe('D8: one process owns the data directory', () => {
  it('a second one refuses to start, says why, and leaves the first alone', async () => {
    const { origin, larder, url } = await setStage()
    const body = origin.put('/a.bin', noise(mebibyte))
    const gate = origin.hold('/a.bin', 1000)
    const client = await open(url('/a.bin'))
    const second = await prepareLarder({ config: configuration(origin), data: larder.data })
    onTestFinished(() => second.dispose())
    second.spawn()
    const { code } = await second.exited()
    expect(code).toBeGreaterThan(0)
    const said = `${JSON.stringify(second.logs)}${second.errors}`
    expect(said).toContain(larder.data)
    expect(said).toMatch(/another|already|in use|owned|locked/i)
    gate.letGo()
    expect((await client.finished).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it('the lock of a killed process is no obstacle', async () => {
    const { origin, larder, url } = await setStage()
    const body = origin.put('/a.bin', noise(1000))
    await larder.kill()
    expect((await readdir(larder.data)).length).toBeGreaterThan(0)
    await larder.start()
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
  })
})
