import { describe, expect, it } from 'vitest'
import { administer } from '../support/admin.js'
import { get } from '../support/http.js'
import { noise, type Stage, setStage, settled } from '../support/stage.js'

const forever = { freshness: [{ match: '**', maxAge: 'forever' }] }

const administered =
  ({ larder }: Stage) =>
  (method: string, route: string, body?: unknown) =>
    administer({ url: larder.url, data: larder.data }, method, route, body)

interface Page {
  readonly artifacts: readonly { readonly path: string; readonly pinned: boolean }[]
}

describe('after kill -9', () => {
  it.each([
    ['hard', false],
    ['soft', true],
  ])('K5: a %s purge that was acknowledged holds', async (_, soft) => {
    const stage = await setStage(forever)
    const { origin, larder, url } = stage
    const paths = Array.from({ length: 60 }, (_, i) => `/${i % 2 ? 'jdk' : 'node'}/${i}.tgz`)
    const old = new Map(paths.map((path, i) => [path, origin.put(path, noise(i % 3 ? 100 : 20_000))]))
    await Promise.all(paths.map((path) => get(url(path))))
    await settled(stage)
    await administered(stage)('POST', '/purge', { repository: 'raw', prefix: 'jdk/', soft })
    await larder.kill()
    await larder.start()
    for (const path of paths) {
      const anew = path.startsWith('/jdk/') ? origin.put(path, noise(50)) : undefined
      expect((await get(url(path))).body.equals(anew ?? (old.get(path) as Buffer)), path).toBe(true)
    }
    expect(paths.filter((path) => origin.count(path) === 2)).toEqual(paths.filter((path) => path.startsWith('/jdk/')))
  })

  it('K6: pins are still known, and what was stored is still in the order of its use', async () => {
    const stage = await setStage(forever)
    const { origin, larder, url } = stage
    const call = administered(stage)
    for (const path of ['/a', '/b']) origin.put(path, noise(100))
    for (const path of ['/a', '/b']) await get(url(path))
    await settled(stage)
    await call('POST', '/pins', { repository: 'raw', path: 'a' })
    const state = async () => ((await call('GET', '/artifacts?repository=raw')) as Page).artifacts
    const before = await state()
    await larder.kill()
    await larder.start()
    expect(before.map(({ path, pinned }) => [path, pinned])).toEqual([
      ['a', true],
      ['b', false],
    ])
    expect(await state()).toEqual(before)
  })
})
