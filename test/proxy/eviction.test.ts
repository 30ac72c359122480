import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { administer } from '../support/admin.js'
import type { InProcess } from '../support/in-process.js'
import { filesUnder, noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

const KiB = 1024
const cap = { maxSize: '1MiB' }

const artifacts = (larder: InProcess) => administer(larder, 'GET', '/artifacts?repository=raw')
const paths = async (larder: InProcess) =>
  ((await artifacts(larder)) as { artifacts: { path: string }[] }).artifacts.map(({ path }) => path)

const status = async (larder: InProcess, path: string) => (await larder.warm(path)).header('cache-status')

describe('K6', () => {
  it.each([
    ['its repository', cap, {}],
    ['the store', {}, { LARDER_MAX_SIZE: '1MiB' }],
  ])('over the cap of %s, what no client asked for longest goes, and its space is free', async (_, settings, env) => {
    const { origin, larder } = await behindSocket(settings, env)
    for (let i = 0; i < 6; i += 1) origin.put(`/${i}`, noise(200 * KiB))
    for (let i = 0; i < 5; i += 1) await larder.warm(`/${i}`)
    await larder.get('/0')
    await larder.warm('/5')
    expect(await paths(larder)).toEqual(['0', '3', '4', '5'])
    const blobs = await filesUnder(join(larder.data, 'blobs'))
    expect(blobs).toHaveLength(4)
    expect(await larder.metric('larder_evictions_total', { repository: 'raw', reason: 'size' })).toBe(2)
    expect(await larder.metric('larder_evicted_bytes_total', { repository: 'raw' })).toBe(400 * KiB)
    expect(await larder.metric('larder_repository_bytes', { repository: 'raw' })).toBe(800 * KiB)
    expect(await larder.metric('larder_repository_records', { repository: 'raw' })).toBe(4)
    expect(await status(larder, '/1')).toBe('larder; fwd=uri-miss; stored')
  })

  it('a HEAD is a use, a request that finds something stale is one', async () => {
    const { origin, larder } = await behindSocket({ ...cap, freshness: [{ match: 'stale*', maxAge: 0 }] })
    origin.put('/stale', noise(300 * KiB))
    for (const path of ['/a', '/b', '/c']) origin.put(path, noise(300 * KiB))
    await larder.warm('/a')
    await larder.warm('/stale')
    await larder.warm('/b')
    await larder.head('/a')
    await larder.warm('/stale')
    await larder.warm('/c')
    expect(await paths(larder)).toEqual(['a', 'c', 'stale'])
  })

  it('pins stay, whatever nobody asks for', async () => {
    const { origin, larder } = await behindSocket(cap)
    await administer(larder, 'POST', '/pins', { repository: 'raw', glob: 'jdk/**' })
    for (const path of ['/jdk/a', '/1', '/2', '/3']) origin.put(path, noise(300 * KiB))
    for (const path of ['/jdk/a', '/1', '/2', '/3']) await larder.warm(path)
    expect(await paths(larder)).toEqual(['2', '3', 'jdk/a'])
  })
})

describe('K7', () => {
  it.each([
    ['its length told', {}],
    ['its length not told', { framing: 'chunked' as const }],
  ])('an artifact larger than the cap reaches every client and is not stored, %s', async (_, fault) => {
    const { origin, larder } = await behindSocket(cap)
    origin.put('/small', noise(100 * KiB))
    await larder.warm('/small')
    const body = origin.put('/huge', noise(3 * 1024 * KiB))
    origin.plan('/huge', fault)
    for (const answer of await Promise.all([larder.get('/huge'), larder.get('/huge'), larder.get('/huge')])) {
      expect([answer.status, answer.ended, answer.body.equals(body)]).toEqual([200, 'end', true])
    }
    await larder.settled()
    expect(await paths(larder)).toEqual(['small'])
    const staged = () => readdir(join(larder.data, 'staging'))
    await until(async () => (await staged()).length === 0, 'nothing is staged')
    expect(await filesUnder(join(larder.data, 'blobs'))).toHaveLength(1)
  })

  it('with a cap full of pins every client has its bytes, and nothing is stored until one is taken back', async () => {
    const { origin, larder } = await behindSocket(cap)
    await administer(larder, 'POST', '/pins', { repository: 'raw', all: true })
    for (const path of ['/1', '/2', '/3']) origin.put(path, noise(300 * KiB))
    for (const path of ['/1', '/2', '/3']) await larder.warm(path)
    const body = origin.put('/4', noise(300 * KiB))
    for (let i = 0; i < 3; i += 1) expect((await larder.warm('/4')).body.equals(body)).toBe(true)
    expect(await paths(larder)).toEqual(['1', '2', '3'])
    await administer(larder, 'DELETE', '/pins?repository=raw&all=true')
    await larder.warm('/4')
    expect(await paths(larder)).toContain('4')
  })
})
