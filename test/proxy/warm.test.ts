import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { administer } from '../support/admin.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

interface Report {
  readonly task: { readonly id: string; readonly state: string; readonly progress: Readonly<Record<string, number>> }
  readonly items: readonly {
    readonly item: string
    readonly state: string
    readonly how: string
    readonly reason: string
  }[]
  readonly filling: readonly { readonly item: string; readonly received: number; readonly size: number }[]
}

/** A server whose warm-ups are ordered by its API. */
async function stage(...settings: Parameters<typeof behindSocket>) {
  const { origin, larder } = await behindSocket(...settings)
  const start = async (items: readonly string[], rest = {}) =>
    ((await administer(larder, 'POST', '/warm', { items, ...rest })) as Report['task']).id
  const report = async (id: string) => (await administer(larder, 'GET', `/warm/${id}`)) as Report
  const ended = async (id: string) => {
    await until(async () => (await report(id)).task.state !== 'running', 'the warm-up has ended')
    return report(id)
  }
  const warm = async (...items: string[]) => {
    const { items: done } = await ended(await start(items))
    return done.map(({ item, state, how, reason }) => [item, state, how ?? reason])
  }
  return { origin, larder, start, report, ended, warm }
}

describe('a warm-up', () => {
  it('does what a GET does: stored, and served without the remote', async () => {
    const { origin, larder, warm } = await stage()
    const body = origin.put('/a.bin', noise(100_000))
    origin.put('/small', noise(10))
    expect(await warm('raw/a.bin', 'raw/small')).toEqual(
      expect.arrayContaining([
        ['raw/a.bin', 'ready', 'fetched'],
        ['raw/small', 'ready', 'fetched'],
      ]),
    )
    await origin.stop()
    const { body: got, header } = await larder.get('/a.bin')
    expect(got.equals(body)).toBe(true)
    expect(header('cache-status')).toMatch(/^larder; hit/)
  })

  it('asks for nothing that is here and fresh; what is stale is validated', async () => {
    const { origin, warm } = await stage({ freshness: [{ match: 'mutable', maxAge: '0s' }] })
    origin.put('/a', noise(20_000))
    origin.put('/mutable', noise(20_000))
    await warm('raw/a', 'raw/mutable')
    expect(await warm('raw/a', 'raw/mutable')).toEqual(
      expect.arrayContaining([
        ['raw/a', 'ready', 'present'],
        ['raw/mutable', 'ready', 'validated'],
      ]),
    )
    expect([origin.count('/a'), origin.count('/mutable')]).toEqual([1, 2])
  })

  it('K6: is no hit, no request, and no use', async () => {
    const { origin, larder, warm } = await stage()
    origin.put('/a', noise(20_000))
    await larder.warm('/a')
    const used = async () => (await administer(larder, 'GET', '/artifacts/raw?path=a')) as { lastAccess: string }
    const before = (await used()).lastAccess
    await warm('raw/a')
    await warm('raw/a')
    expect((await used()).lastAccess).toBe(before)
    const { repositories } = (await administer(larder, 'GET', '/stats')) as { repositories: [{ requests: number }] }
    expect(repositories[0].requests).toBe(1)
    expect(await larder.metric('larder_warm_items_total', { repository: 'raw', result: 'present' })).toBe(2)
    expect(await larder.metric('larder_warm_jobs_total', { result: 'ready' })).toBe(2)
  })

  it('C6: a client who comes meanwhile shares its download, and it shares his', async () => {
    const { origin, larder, start, ended } = await stage()
    const body = origin.put('/a', noise(200_000))
    const gate = origin.hold('/a', 65_536)
    const id = await start(['raw/a'])
    await gate.reached
    const client = await larder.open('/a')
    const other = await start(['raw/a'])
    gate.letGo()
    expect((await client.finished).body.equals(body)).toBe(true)
    expect((await ended(id)).items[0]).toMatchObject({ state: 'ready', how: 'fetched' })
    expect((await ended(other)).items[0]).toMatchObject({ state: 'ready' })
    expect(origin.count('/a')).toBe(1)
  })

  it.each([
    ['missing', {}, 'UPSTREAM_ABSENT'],
    ['forbidden to store', { headers: { 'Cache-Control': 'no-store' } }, 'NOT_STORED'],
    ['a page for an archive', { headers: { 'Content-Type': 'text/html' } }, 'TYPE_MISMATCH'],
  ])('%s: fails with its reason, and the others are ready', async (_, file, code) => {
    const { origin, warm } = await stage()
    const page = '<html><body>sorry</body></html>'
    if (code !== 'UPSTREAM_ABSENT') origin.put('/bad.tgz', code === 'TYPE_MISMATCH' ? page : noise(20_000), file)
    origin.put('/good', noise(20_000))
    const results = await warm('raw/bad.tgz', 'raw/good', 'nope/x')
    expect(results).toContainEqual(['raw/bad.tgz', 'failed', code])
    expect(results).toContainEqual(['raw/good', 'ready', 'fetched'])
    expect(results).toContainEqual(['nope/x', 'failed', 'REPOSITORY_UNKNOWN'])
  })

  it('K7: what there is no room for is not ready', async () => {
    const { origin, warm } = await stage({}, { LARDER_MAX_SIZE: '1MiB' })
    origin.put('/big', noise(2_000_000))
    expect(await warm('raw/big')).toEqual([['raw/big', 'failed', 'NO_ROOM']])
  })

  it('C9: what the routing rules exclude is not asked for', async () => {
    const { origin, warm } = await stage({ block: ['secret/**'] })
    expect(await warm('raw/secret/a')).toEqual([['raw/secret/a', 'failed', 'PATH_NOT_ROUTED']])
    expect(origin.requests).toHaveLength(0)
  })

  it('K3: a copy from before is ready, though its remote is in trouble', async () => {
    const { origin, warm } = await stage({ maxAge: '0s' })
    origin.put('/a', noise(20_000))
    await warm('raw/a')
    origin.plan('/a', { status: 503 })
    expect(await warm('raw/a')).toEqual([['raw/a', 'ready', 'stale']])
  })

  it('shows what is coming in; cancelled, it begins no more, and what is under way is finished', async () => {
    const { origin, larder, start, report, ended } = await stage()
    for (const name of ['a', 'b', 'c']) origin.put(`/${name}`, noise(200_000))
    const gate = origin.hold('*', 65_536)
    const id = await start(['raw/{a,b,c}'], { concurrency: 1 })
    await gate.reached
    await until(async () => ((await report(id)).filling[0]?.received ?? 0) > 0, 'some bytes are here')
    expect((await report(id)).filling).toMatchObject([{ item: 'raw/a', size: 200_000 }])
    await administer(larder, 'DELETE', `/tasks/${id}`)
    expect(await ended(id)).toMatchObject({ task: { state: 'cancelled' }, items: [] })
    gate.letGo()
    await larder.settled()
    expect(origin.requests.map(({ url }) => url)).toEqual(['/a'])
    await larder.get('/a')
    expect(origin.requests).toHaveLength(1)
  })
})

describe('a warm-up of what others list', () => {
  it('an inventory in a cached archive: its URLs are paths of the repository that stands for them', async () => {
    const { origin, larder, start, ended } = await stage()
    const artifacts = ['17.0.1', '21.0.1', '21.0.2'].map((version) => ({
      ...{
        version,
        arch: 'amd64',
        url: `${origin.url}/zulu/${version}.tar.gz`,
        metadata: { cedar_stacks: ['heroku-24'] },
      },
    }))
    for (const { version } of artifacts) origin.put(`/zulu/${version}.tar.gz`, noise(20_000))
    const archive = pack()
    archive.entry({ name: './bin/compile' }, 'x'.repeat(50_000))
    archive.entry({ name: './inventory.json' }, JSON.stringify({ artifacts }))
    archive.finalize()
    origin.put('/heroku/jvm.tgz', gzipSync(await buffer(archive as unknown as AsyncIterable<Uint8Array>)))
    const from = [{ inventory: 'raw/heroku/jvm.tgz', version: ['21'], arch: 'amd64', stack: 'heroku-24', latest: 1 }]
    const { items } = await ended(await start([], { from }))
    expect(items).toMatchObject([{ item: 'raw/zulu/21.0.2.tar.gz', state: 'ready', how: 'fetched' }])
    await origin.stop()
    expect((await larder.get('/heroku/jvm.tgz')).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('a bucket that may be listed, page by page', async () => {
    const { origin, start, ended } = await stage()
    const page = (key: string, rest = '') =>
      `<ListBucketResult><Contents><Key>${key}</Key></Contents>${rest}</ListBucketResult>`
    const more = '<NextContinuationToken>n+1=</NextContinuationToken>'
    origin.put('/?list-type=2&prefix=jdk%2F', page('jdk/a b.tgz', more))
    origin.put('/?list-type=2&prefix=jdk%2F&continuation-token=n%2B1%3D', page('jdk/c.tgz'))
    for (const path of ['/jdk/a%20b.tgz', '/jdk/c.tgz']) origin.put(path, noise(20_000))
    const { items } = await ended(await start([], { from: [{ s3: 'raw/jdk/' }] }))
    expect(items.map(({ item, state }) => [item, state]).sort()).toEqual([
      ['raw/jdk/a%20b.tgz', 'ready'],
      ['raw/jdk/c.tgz', 'ready'],
    ])
  })
})

describe('the rate of a warm-up', () => {
  it('holds its downloads back together', async () => {
    const { origin, start, ended } = await stage()
    for (const name of ['a', 'b']) origin.put(`/${name}`, noise(300_000))
    const began = performance.now()
    const { task } = await ended(await start(['raw/{a,b}'], { rate: 600_000 }))
    expect(task.progress).toMatchObject({ ready: 2, bytes: 600_000 })
    expect(performance.now() - began).toBeGreaterThan(800)
  })

  it('does not slow a client who wants the same', async () => {
    const { origin, larder, start, ended } = await stage()
    const body = origin.put('/a', noise(3_000_000))
    const id = await start(['raw/a'], { rate: 1024 })
    await until(() => origin.count('/a') === 1, 'it is asked for')
    // At the warm-up's pace it would take most of an hour.
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect((await ended(id)).items[0]).toMatchObject({ state: 'ready', how: 'fetched' })
    expect(origin.count('/a')).toBe(1)
  })

  it('O1: keeps no server from stopping', async () => {
    const { origin, larder, start } = await stage()
    origin.put('/a', noise(3_000_000))
    await start(['raw/a'], { rate: 1024 })
    await until(() => origin.count('/a') === 1, 'it is asked for')
    const began = performance.now()
    await larder.stop()
    expect(performance.now() - began).toBeLessThan(20_000)
  })
})
