import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync } from 'node:zlib'
import { extract, pack } from 'tar-stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { administer } from '../support/admin.js'
import { type InProcess, inFront } from '../support/in-process.js'
import { type Origin, startOrigin } from '../support/origin.js'
import { noise, type Settings } from '../support/stage.js'

const path = '/lib/common.sh'
const settings = { rewrite: [{ match: 'lib/**' }], maxAge: '1h' }

/** A repository with a script that fetches from another. */
async function stage(more: Settings = {}, env = {}): Promise<{ origin: Origin; larder: InProcess }> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  const larder = await inFront(origin.url, { ...settings, ...more }, env, {
    repositories: { jdks: { remote: 'https://jdks.test/base' } },
  })
  return { origin, larder }
}

const script = (url: string, version = 17) => `curl -O "${url}/jdk/openjdk${version}.tar.gz"\n`
const theirs = script('https://jdks.test/base')
const ours = (larder: InProcess) => script(`${larder.url}/repository/jdks`)

const archived = '/lib/jvm.tgz'

/** One member with a URL among incompressible ones, 2 MB in all. */
async function archive(): Promise<{ body: Buffer; members: ReadonlyMap<string, Buffer> }> {
  const members = new Map([...Array(20).keys()].map((i) => [`lib/${i}.bin`, noise(100_000)]))
  const packed = pack()
  packed.entry({ name: 'bin/compile', mode: 0o755 }, theirs)
  for (const [name, bytes] of members) packed.entry({ name }, bytes)
  packed.finalize()
  return { body: gzipSync(await buffer(packed as unknown as AsyncIterable<Uint8Array>)), members }
}

async function membersOf(tgz: Buffer): Promise<Map<string, Buffer>> {
  const members = new Map<string, Buffer>()
  const unpacked = extract()
  unpacked.end(gunzipSync(tgz))
  for await (const entry of unpacked) {
    members.set(entry.header.name, await buffer(entry as unknown as AsyncIterable<Uint8Array>))
  }
  return members
}

describe('a rewritten artifact', () => {
  it('R2: is served under its path, and the original beside it for who asks for that', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    for (const state of ['cold', 'warm']) {
      const answer = await larder.warm(path)
      expect([state, answer.status, answer.body.toString()]).toEqual([state, 200, ours(larder)])
      const original = await larder.get(`${path}?original`)
      expect([state, original.body.toString(), original.header('etag')]).toEqual([
        state,
        theirs,
        origin.files.get(path)?.etag,
      ])
      const untransformed = await larder.get(path, { 'Cache-Control': 'no-transform' })
      expect(untransformed.body.toString()).toBe(theirs)
    }
    expect([origin.count(path), await larder.metric('larder_rewrites_total')]).toEqual([1, 1])
  })

  it('R1: where no rule fits is the original, and `original` an ordinary parameter', async () => {
    const { origin, larder } = await stage()
    origin.put('/bin/x.sh?original', theirs)
    expect((await larder.get('/bin/x.sh?original')).body.toString()).toBe(theirs)
    expect(origin.requests.map(({ url }) => url)).toEqual(['/bin/x.sh?original'])
  })

  it('R3: tells its own digest, length and tag once stored, and what was done', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    const cold = await larder.warm(path)
    const warm = await larder.get(path)
    expect(warm.header('etag')).toBe(cold.header('etag'))
    expect(warm.header('etag')).toMatch(/^"larder-[0-9a-f]{40}"$/)
    expect(warm.header('content-length')).toBe(String(ours(larder).length))
    expect(warm.header('x-larder-rewritten')).toBe('?1; files=1; urls=1')
    const original = await larder.get(`${path}?original`)
    expect(warm.header('x-checksum-sha256')).toMatch(/^[0-9a-f]{64}$/)
    expect(warm.header('x-checksum-sha256')).not.toBe(original.header('x-checksum-sha256'))
  })

  it('R3, C4: a cold HEAD knows its tag, downloads and derives nothing, and leaves the length out', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    const cold = await larder.head(path)
    expect([cold.status, cold.header('content-length')]).toEqual([200, undefined])
    expect(origin.requests.map(({ method }) => method)).toEqual(['HEAD'])
    const got = await larder.warm(path)
    const warm = await larder.head(path)
    expect([got.header('etag'), warm.header('etag')]).toEqual([cold.header('etag'), cold.header('etag')])
    expect(warm.header('content-length')).toBe(String(ours(larder).length))
  })

  it.each<[string, string | false, RegExp | undefined, RegExp]>([
    ['a weak tag: a weak one', 'W/"abc"', /^W\/"larder-/, /^W\/"larder-/],
    ['no tag: one by its digest, once that is known', false, undefined, /^"larder-/],
  ])('R3: of an original with %s', async (_, etag, cold, warm) => {
    const { origin, larder } = await stage()
    origin.put(path, theirs, { etag })
    const first = (await larder.warm(path)).header('etag')
    expect(first).toEqual(cold === undefined ? undefined : expect.stringMatching(cold))
    const second = await larder.warm(path)
    expect([second.header('etag'), second.body.toString()]).toEqual([expect.stringMatching(warm), ours(larder)])
    expect((await larder.get(path)).header('etag')).toBe(second.header('etag'))
    expect(await larder.metric('larder_rewrites_total')).toBe(1)
  })

  it('C5: conditions and ranges speak of the derived form', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    const tag = (await larder.warm(path)).header('etag') ?? ''
    expect((await larder.get(path, { 'If-None-Match': tag })).status).toBe(304)
    expect((await larder.get(path, { 'If-None-Match': String(origin.files.get(path)?.etag) })).status).toBe(200)
    const part = await larder.get(path, { Range: 'bytes=5-', 'If-Range': tag })
    expect([part.status, part.body.toString()]).toEqual([206, ours(larder).slice(5)])
  })

  it('C5: the date of the original tells no form from another, and none is resumed by it', async () => {
    const origin = await startOrigin()
    onTestFinished(() => origin.stop())
    const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
    origin.put(path, theirs, { etag: 'W/"1"', headers: { 'Last-Modified': date } })
    const repositories = { jdks: { remote: 'https://jdks.test/base' } }
    const larder = await inFront(origin.url, settings, {}, { publicHosts: ['a.test', 'b.test'], repositories })
    for (const host of ['a.test', 'b.test']) await larder.warm(path, { Host: host })
    const rest = await larder.get(path, { Host: 'b.test', Range: 'bytes=5-', 'If-Range': date })
    expect([rest.status, rest.body.toString()]).toEqual([200, script('http://b.test/repository/jdks')])
    expect(rest.header('last-modified')).toBe(undefined)
    expect((await larder.head(`${path}?original`)).header('last-modified')).toBe(date)
  })

  it('R5, C6: goes out as the original comes in; all who ask meanwhile share one download and one derivation', async () => {
    const { origin, larder } = await stage()
    const { body, members } = await archive()
    origin.put(archived, body)
    const gate = origin.hold(archived, 1_000_000, {}, 1)
    const clients = await Promise.all([0, 1, 2, 3].map(() => larder.open(archived)))
    await Promise.all(clients.map(({ firstByte }) => firstByte))
    gate.letGo()
    for (const client of clients) {
      const { body, ended } = await client.finished
      const unpacked = await membersOf(body)
      expect([unpacked.get('bin/compile')?.toString(), ended]).toEqual([ours(larder), 'end'])
      for (const [name, bytes] of members) expect(unpacked.get(name)?.equals(bytes), name).toBe(true)
    }
    await larder.settled()
    expect([origin.count(archived), await larder.metric('larder_rewrites_total')]).toEqual([1, 1])
  })

  it('R5, C7: is reset when the original breaks off for good, and nothing of it is stored', async () => {
    const { origin, larder } = await stage()
    origin.put(archived, (await archive()).body)
    origin.plan(archived, { cut: 1_400_000 }, 1)
    origin.plan(archived, { status: 404 })
    expect((await larder.get(archived)).ended).toBe('broken')
    await larder.settled()
    expect(await larder.metric('larder_store_records')).toBe(0)
    origin.heal()
    const { body } = await larder.warm(archived)
    expect((await membersOf(body)).get('bin/compile')?.toString()).toBe(ours(larder))
  })

  it('R5: one that turns out damaged in the middle is reset, and from then on the original is served', async () => {
    const { origin, larder } = await stage()
    const damaged = (await archive()).body.subarray(0, 1_500_000)
    origin.put(archived, damaged)
    expect((await larder.get(archived)).ended).toBe('broken')
    await larder.settled()
    const answer = await larder.get(archived)
    expect([answer.ended, answer.body.equals(damaged)]).toEqual(['end', true])
    expect(answer.header('etag')).toBe(origin.files.get(archived)?.etag)
  })

  it('R5: so does one without a tag, and what comes in its place is rewritten', async () => {
    const { origin, larder } = await stage()
    const { body } = await archive()
    origin.put(archived, body.subarray(0, 1_500_000), { etag: false })
    expect((await larder.get(archived)).ended).toBe('broken')
    await larder.settled()
    expect((await larder.get(archived)).ended).toBe('end')
    origin.put(archived, body, { etag: false })
    await administer(larder, 'POST', '/purge', { repository: 'raw', path: archived.slice(1) })
    expect((await membersOf((await larder.get(archived)).body)).get('bin/compile')?.toString()).toBe(ours(larder))
  })

  it('R5, C6: so does one that may not be stored, as long as it has a tag', async () => {
    const { origin, larder } = await stage()
    const damaged = (await archive()).body.subarray(0, 1_500_000)
    origin.put(archived, damaged, { headers: { 'Cache-Control': 'no-store' } })
    expect((await larder.get(archived)).ended).toBe('broken')
    const answer = await larder.get(archived)
    expect([answer.ended, answer.body.equals(damaged)]).toEqual(['end', true])
  })

  it('R2, K2: follows the freshness of the original: derived again only when that has changed', async () => {
    const { origin, larder } = await stage({ maxAge: '0s' })
    origin.put(path, theirs)
    const first = await larder.warm(path)
    const second = await larder.warm(path)
    expect([second.header('cache-status'), second.header('etag')]).toEqual([
      expect.stringContaining('fwd=stale; fwd-status=304'),
      first.header('etag'),
    ])
    expect(await larder.metric('larder_rewrites_total')).toBe(1)
    origin.put(path, script('https://jdks.test/base', 21))
    const third = await larder.warm(path)
    expect(third.body.toString()).toBe(script(`${larder.url}/repository/jdks`, 21))
    expect(third.header('etag')).not.toBe(first.header('etag'))
    expect(await larder.metric('larder_store_records')).toBe(2)
  })

  it('R2: of an original without a tag that has changed while it was derived is made of the new one', async () => {
    const { origin, larder } = await stage({ maxAge: '0s' })
    const at = (day: number) => ({ etag: false, lastModified: new Date(Date.UTC(2026, 0, day)) }) as const
    const packed = pack()
    packed.entry({ name: 'a.bin' }, noise(24_000_000))
    packed.finalize()
    origin.put(archived, gzipSync(await buffer(packed as unknown as AsyncIterable<Uint8Array>)), at(1))
    const first = await larder.open(archived)
    const isStored = async () => (await larder.head(`${archived}?original`)).header('x-checksum-sha256') !== undefined
    await expect.poll(isStored, { timeout: 15_000 }).toBe(true)
    origin.put(archived, (await archive()).body, at(2))
    const second = await larder.get(archived)
    expect((await membersOf(second.body)).get('bin/compile')?.toString()).toBe(ours(larder))
    expect((await membersOf((await first.finished).body)).has('a.bin')).toBe(true)
  })

  it('R2, K3: is served while the remote is dead, however old the original', async () => {
    const { origin, larder } = await stage({ maxAge: '0s' })
    origin.put(path, theirs)
    await larder.warm(path)
    await origin.stop()
    const answer = await larder.get(path)
    expect([answer.status, answer.body.toString()]).toEqual([200, ours(larder)])
    expect(answer.header('cache-status')).toContain('fwd=stale')
  })

  it('a remote that fails or has nothing is told as it is', async () => {
    const { origin, larder } = await stage()
    const missing = await larder.get(path)
    expect([missing.status, missing.header('x-larder-error')]).toEqual([404, 'UPSTREAM_ABSENT'])
    await origin.stop()
    expect((await larder.get('/lib/other.sh')).status).toBe(502)
  })

  it('C6: what may not be stored is rewritten for each client alone', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs, { headers: { 'Cache-Control': 'no-store' } })
    for (const _ of [1, 2]) expect((await larder.get(path)).body.toString()).toBe(ours(larder))
    expect([origin.count(path), await larder.metric('larder_store_records')]).toEqual([2, 0])
  })

  it('K7: without room it is streamed through, whole', async () => {
    const { origin, larder } = await stage({ maxSize: '1MiB' })
    origin.put(archived, (await archive()).body)
    const answers = await Promise.all([1, 2, 3].map(() => larder.get(archived)))
    for (const { body } of answers) {
      expect((await membersOf(body)).get('bin/compile')?.toString()).toBe(ours(larder))
    }
    await larder.settled()
    expect(await larder.metric('larder_store_records')).toBe(0)
  })
})

describe('R5, K7: where the room runs out in the middle', () => {
  it.each<[string, string | false]>([
    ['the tag', '"a"'],
    ['the date', false],
  ])('all who follow get all of it, if %s of the original tells its version', async (_, etag) => {
    const { origin, larder } = await stage({ maxSize: '1MiB' })
    origin.put(archived, (await archive()).body, { etag })
    const gate = origin.hold(archived, 1_500_000, { framing: 'chunked' }, 1)
    origin.plan(archived, { framing: 'chunked' })
    const clients = await Promise.all([1, 2, 3].map(() => larder.open(archived)))
    await Promise.all(clients.map(({ firstByte }) => firstByte))
    gate.letGo()
    for (const { finished } of clients) {
      const { body, ended } = await finished
      expect(ended).toBe('end')
      expect((await membersOf(body)).get('bin/compile')?.toString()).toBe(ours(larder))
    }
  })
})

describe('R2, K5: what is derived goes with its original', () => {
  it.each([
    ['by its path', { path: path.slice(1) }],
    ['by a prefix', { prefix: 'lib/' }],
    ['by a glob', { glob: '**/*.sh' }],
    ['with its repository', { all: true }],
  ])('purged %s', async (_, how) => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    await larder.warm(path)
    expect(await larder.metric('larder_store_records')).toBe(2)
    expect(await administer(larder, 'POST', '/purge', { repository: 'raw', ...how })).toMatchObject({ records: 1 })
    expect(await larder.metric('larder_store_records')).toBe(0)
    expect((await larder.warm(path)).body.toString()).toBe(ours(larder))
    expect([origin.count(path), await larder.metric('larder_rewrites_total')]).toEqual([2, 2])
  })

  it('listed is the artifact alone', async () => {
    const { origin, larder } = await stage()
    origin.put(path, theirs)
    await larder.warm(path)
    const { artifacts } = (await administer(larder, 'GET', '/artifacts?repository=raw')) as { artifacts: unknown[] }
    expect(artifacts).toMatchObject([{ path: path.slice(1) }])
  })

  it('pinned, both are kept', async () => {
    const { origin, larder } = await stage({ maxSize: '1MiB' })
    await administer(larder, 'POST', '/pins', { repository: 'raw', path: path.slice(1) })
    origin.put(path, theirs)
    await larder.warm(path)
    for (const other of ['/a', '/b', '/c', '/d']) origin.put(other, noise(400 * 1024))
    for (const other of ['/a', '/b', '/c', '/d']) await larder.warm(other)
    expect((await larder.get(path)).body.toString()).toBe(ours(larder))
    expect([origin.count(path), await larder.metric('larder_rewrites_total')]).toEqual([1, 1])
  })
})

describe('R4: what rewritten URLs begin with', () => {
  const base = async (larder: InProcess, host: string) => {
    const text = (await larder.get(path, { Host: host })).body.toString()
    await larder.settled()
    return /"(.*)\/repository/.exec(text)?.[1] ?? text
  }

  it.each<[string, Settings, string, string]>([
    ['a host that is configured', { publicHosts: ['larder.test:8080'] }, 'LARDER.test:8080', 'http://larder.test:8080'],
    ['publicUrl, for any other', { publicUrl: 'https://l.test/', publicHosts: ['x.test'] }, 'y.test', 'https://l.test'],
    ['publicUrl comes before this machine’s own names', { publicUrl: 'https://l.test' }, 'localhost', 'https://l.test'],
    ['a host with the port that clients leave out', { publicHosts: ['l.test:80'] }, 'l.test', 'http://l.test'],
    ['with that of https, by http', { publicHosts: ['l.test:443'] }, 'l.test', theirs],
    ['a host of another port is another', { publicHosts: ['larder.test:8080'] }, 'larder.test:9', theirs],
    ['a host nobody knows: the original', {}, 'evil.test', theirs],
    ['this machine, but only on the port it came by', {}, 'localhost:1', theirs],
  ])('%s', async (_, others, host, expected) => {
    const origin = await startOrigin()
    onTestFinished(() => origin.stop())
    origin.put(path, theirs)
    const larder = await inFront(
      origin.url,
      settings,
      {},
      { ...others, repositories: { jdks: { remote: 'https://jdks.test/base' } } },
    )
    expect(await base(larder, host)).toBe(expected)
    const told = larder.logs.filter(({ msg }) => String(msg).startsWith('served an original'))
    expect(told.map((line) => line.host)).toEqual(expected === theirs ? [host] : [])
  })
})
