import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Repository } from '../../src/caching/repository.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import type { ArtifactRequest } from '../../src/proxy/ask.js'
import { createChecksums } from '../../src/proxy/checksums.js'
import type { Resolution } from '../../src/proxy/resolution.js'
import type { InProcess } from '../support/in-process.js'
import type { Fault, Origin } from '../support/origin.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const other = sha256(Buffer.from('other'))
const outcome = async (larder: InProcess, path: string) => (await larder.get(path)).header('cache-status')
const failures = (larder: InProcess, kind: string) =>
  larder.metric('larder_integrity_failures_total', { repository: 'raw', kind })

const sidecar = { match: '**', from: '{path}.sha256' }

/** A body whose digest stands in a file beside it. */
function putListed(origin: Origin, body: Buffer, said = sha256(body)) {
  origin.put('/d/x.tgz.sha256', said)
  return origin.put('/d/x.tgz', body)
}

/** Small enough for the record, and not. */
const sizes = [5000, 300_000]

describe('U4: a literal pin', () => {
  it.each(sizes)('that is kept: %i bytes are stored', async (size) => {
    const body = noise(size)
    const { origin, larder } = await behindSocket({ checksums: [{ match: 'd/*', sha256: sha256(body) }] })
    origin.put('/d/x.tgz', body)
    expect((await larder.warm('/d/x.tgz')).body.equals(body)).toBe(true)
    expect(await outcome(larder, '/d/x.tgz')).toMatch(/^larder; hit/)
    expect(origin.requests).toHaveLength(1)
  })

  it.each(sizes)('that is broken: %i bytes are never given away whole, and never stored', async (size) => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: 'd/*', sha256: other }] })
    const body = origin.put('/d/x.tgz', noise(size))
    for (const tried of [1, 2]) {
      const { ended, body: got } = await larder.warm('/d/x.tgz')
      expect([ended, got.length < size]).toEqual(['broken', true])
      expect([origin.count('/d/x.tgz'), await failures(larder, 'pin')]).toEqual([tried, tried])
    }
    const about = { repository: 'raw', target: '/d/x.tgz', kind: 'pin', expected: other, got: sha256(body) }
    expect(larder.logs).toContainEqual(expect.objectContaining(about))
    expect(await larder.metric('larder_store_records')).toBe(0)
  })

  it('C7: nothing went out yet: 502', async () => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', sha256: other }] })
    for (const size of [0, 1]) {
      origin.put(`/${size}`, noise(size))
      const { status, header, body } = await larder.get(`/${size}`)
      expect([status, header('x-larder-error'), body.length]).toEqual([502, 'INTEGRITY_MISMATCH', 0])
    }
  })

  it.each([
    ['closed by its connection', { framing: 'close' }],
    ['in chunks', { framing: 'chunked' }],
  ] as [string, Fault][])('a body %s is proven by it', async (_, fault) => {
    const body = noise(100_000)
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', sha256: sha256(body) }] })
    origin.put('/a', body, { etag: false })
    origin.plan('/a', fault)
    expect((await larder.warm('/a')).ended).toBe('end')
    expect(await outcome(larder, '/a')).toMatch(/^larder; hit/)
  })

  it('is kept by what is not stored, too', async () => {
    const body = noise(200_000)
    const rules = ['right', 'wrong'].map((match) => ({ match, sha256: match === 'right' ? sha256(body) : other }))
    const { origin, larder } = await behindSocket({ checksums: rules })
    for (const { match } of rules) origin.put(`/${match}`, body, { headers: { 'Cache-Control': 'no-store' } })
    expect((await larder.get('/right')).body.equals(body)).toBe(true)
    const wrong = await larder.get('/wrong')
    expect([wrong.status, wrong.ended, wrong.body.length < body.length]).toEqual([200, 'broken', true])
    origin.plan('/wrong', { framing: 'chunked' })
    expect((await larder.get('/wrong')).ended).toBe('broken')
  })

  it('C5: a range far ahead waits for the proof of the whole', async () => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', sha256: other }] })
    origin.put('/a', noise(40 * 1024 * 1024))
    const gate = origin.hold('/a', 1000, {}, 1)
    const last = larder.get('/a', { range: 'bytes=41000000-' })
    await gate.reached
    gate.letGo()
    const { ended, body } = await last
    expect([ended, body.length < 943_040, origin.requests.length]).toEqual(['broken', true, 1])
  })

  it('changed since: a stored copy that contradicts it is not served', async () => {
    const { origin, larder } = await behindSocket()
    const [before, after] = [noise(20_000), noise(20_000)]
    origin.put('/a', before)
    await larder.warm('/a')
    origin.put('/a', after)
    await larder.reconfigure(origin.url, { checksums: [{ match: 'a', sha256: sha256(after) }] })
    expect((await larder.head('/a')).header('etag')).toBe(origin.files.get('/a')?.etag)
    const answer = await larder.warm('/a')
    expect([answer.header('cache-status'), answer.body.equals(after)]).toEqual(['larder; fwd=uri-miss; stored', true])
    expect(await outcome(larder, '/a')).toMatch(/^larder; hit/)
  })

  it('changed since, and the remote is gone: the copy is not served in its stead', async () => {
    const { origin, larder } = await behindSocket()
    origin.put('/a', noise(20_000))
    await larder.warm('/a')
    await larder.reconfigure(origin.url, { checksums: [{ match: 'a', sha256: other }] })
    await origin.stop()
    expect((await larder.get('/a')).status).toBe(502)
  })
})

describe('U4: a list of the repository', () => {
  const body = noise(100_000)
  const hex = sha256(body)
  const inventory = { artifacts: [{ url: 'https://elsewhere.test/d/x.tgz', checksum: `sha256:${hex}` }] }

  it.each([
    ['a file beside', '{path}.sha256', '/d/x.tgz.sha256', hex],
    ['SHASUMS256.txt', '{dir}/SHASUMS256.txt', '/d/SHASUMS256.txt', `${other}  y.tgz\n${hex}  x.tgz\n`],
    ['an inventory', 'inventory.json', '/inventory.json', JSON.stringify(inventory)],
    ['a long list', 'sums', '/sums', `${`${other}  y.tgz\n`.repeat(10_000)}${hex}  d/x.tgz\n`],
  ])('%s proves a body, and is cached like any other file', async (_, from, at, list) => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', from }] })
    origin.put('/d/x.tgz', body)
    origin.put(at, list)
    expect((await larder.warm('/d/x.tgz')).body.equals(body)).toBe(true)
    expect(await outcome(larder, '/d/x.tgz')).toMatch(/^larder; hit/)
    expect(await outcome(larder, at)).toMatch(/^larder; hit/)
    expect(origin.requests).toHaveLength(2)
  })

  it('C6: the first byte does not wait for it, the last does; one request for all', async () => {
    const { origin, larder } = await behindSocket({ checksums: [sidecar] })
    putListed(origin, body)
    const gate = origin.hold('/d/x.tgz.sha256', -1)
    const clients = await Promise.all([1, 2, 3].map(() => larder.open('/d/x.tgz')))
    await until(() => clients.every((client) => client.received() === body.length - 1), 'all but the last byte came')
    gate.letGo()
    for (const { finished } of clients) expect((await finished).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(2)
  })

  it('that contradicts the body: refused, after one more look at the list', async () => {
    const { origin, larder } = await behindSocket({ checksums: [sidecar] })
    putListed(origin, body, other)
    await larder.warm('/d/x.tgz.sha256')
    expect((await larder.warm('/d/x.tgz')).ended).toBe('broken')
    expect(await failures(larder, 'list')).toBe(1)
    expect(origin.count('/d/x.tgz.sha256')).toBe(2)
    expect(larder.logs).toContainEqual(expect.objectContaining({ kind: 'list', expected: other, got: hex }))
    expect(await larder.metric('larder_store_records')).toBe(1)
  })

  it.each([
    ['says another digest', `${other}  x.tgz\n`],
    ['does not name it yet', `${other}  y.tgz\n`],
  ])('that is older than the artifact and %s is validated before it is believed', async (_, old) => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', from: '{dir}/SHASUMS256.txt' }] })
    origin.put('/d/SHASUMS256.txt', old)
    await larder.warm('/d/SHASUMS256.txt')
    origin.put('/d/SHASUMS256.txt', `${hex}  x.tgz\n`)
    origin.put('/d/x.tgz', body)
    expect((await larder.warm('/d/x.tgz')).body.equals(body)).toBe(true)
    expect(origin.count('/d/SHASUMS256.txt')).toBe(2)
    expect(await failures(larder, 'list')).toBe(0)
  })

  it.each([
    ['is not there', (origin: Origin) => origin.plan('/d/x.tgz.sha256', { status: 404 })],
    ['is in trouble', (origin: Origin) => origin.plan('/d/x.tgz.sha256', { status: 503 })],
    ['is cut', (origin: Origin) => origin.plan('/d/x.tgz.sha256', { cut: 10 })],
    ['has no digest of it', (origin: Origin) => origin.put('/d/x.tgz.sha256', 'sha512:...')],
    ['is too long', (origin: Origin) => origin.put('/d/x.tgz.sha256', `${hex}\n${'#'.repeat(1024 * 1024)}`)],
    [
      'is too long, and does not say so',
      (origin: Origin) => {
        origin.put('/d/x.tgz.sha256', `${hex}\n${'#'.repeat(1024 * 1024)}`)
        origin.plan('/d/x.tgz.sha256', { framing: 'chunked' })
      },
    ],
  ])('that %s: nothing is given away whole, unless it need not be', async (_, spoil) => {
    const { origin, larder } = await behindSocket({ checksums: [sidecar] })
    putListed(origin, body)
    spoil(origin)
    const refused = await larder.warm('/d/x.tgz')
    expect([refused.ended, refused.body.length < body.length]).toEqual(['broken', true])
    expect((await larder.accessLog(1))[0]).toMatchObject({ code: 'CHECKSUM_UNKNOWN' })
    expect(await failures(larder, 'unknown')).toBe(1)
    await larder.reconfigure(origin.url, { checksums: [{ ...sidecar, required: false }] })
    expect((await larder.warm('/d/x.tgz')).body.equals(body)).toBe(true)
    expect(larder.logs.some(({ msg }) => String(msg).startsWith('passed unproven'))).toBe(true)
    expect(await outcome(larder, '/d/x.tgz')).toMatch(/^larder; hit/)
  })

  it('C6: that may not be stored holds on to nothing once it is read', async () => {
    const leaving: AbortSignal[] = []
    const chunks = (async function* () {
      yield Buffer.from(hex)
    })()
    const resolve = (request: ArtifactRequest): Resolution => {
      leaving.push(request.leaving())
      const passing = { kind: 'passing', chunks, discard() {} } as const
      const artifact = { status: 200, headers: [], size: undefined, digest: undefined, age: undefined, body: passing }
      return { kind: 'artifact', artifact, cache: { outcome: 'bypass' } }
    }
    const checksums = createChecksums({ resolve, metrics: createMetrics(), log: createLog('info', { write() {} }) })
    const glob = { match: '**', matches: () => true }
    const rule = { ...glob, expected: { kind: 'listed', in: '{path}.sha256' }, required: true } as const
    const repository = { name: 'raw', integrity: { typeGuard: true, checksums: [rule] } } as unknown as Repository
    const signal = new AbortController().signal
    const pin = checksums.pin({ repository, target: '/d/x.tgz', forwarded: [], signal })
    expect(await pin?.prove(hex)).toBe(true)
    expect(leaving.map(({ aborted }) => aborted)).toEqual([true])
  })

  it('U6: for which no connection is free while the body comes in is asked for once more at its end', async () => {
    const settings = { maxConnections: 1, timeout: { headers: '100ms' } }
    const { origin, larder } = await behindSocket({ checksums: [sidecar], ...settings })
    putListed(origin, body)
    const gate = origin.hold('/d/x.tgz', 50_000)
    const answer = larder.warm('/d/x.tgz')
    const overloaded = { result: 'UPSTREAM_OVERLOADED' }
    await until(async () => (await larder.metric('larder_upstream_requests_total', overloaded)) === 1, 'it was in vain')
    gate.letGo()
    const { ended, body: got } = await answer
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(await failures(larder, 'unknown')).toBe(0)
  })

  it('is held to no list itself, whatever the glob; but to a literal pin', async () => {
    const { origin, larder } = await behindSocket({ checksums: [sidecar] })
    putListed(origin, body)
    expect((await larder.warm('/d/x.tgz.sha256')).body.toString()).toBe(hex)
    expect(origin.requests).toHaveLength(1)
    await larder.reconfigure(origin.url, { checksums: [{ match: 'd/*.sha256', sha256: other }, sidecar] })
    const refused = await larder.warm('/d/x.tgz')
    expect([refused.ended, await failures(larder, 'pin')]).toEqual(['broken', 1])
  })

  it('K3: in trouble, but stored: the stored one counts', async () => {
    const { origin, larder } = await behindSocket({
      checksums: [sidecar],
      freshness: [{ match: '**.sha256', maxAge: 0 }],
    })
    putListed(origin, body)
    await larder.warm('/d/x.tgz.sha256')
    origin.plan('/d/x.tgz.sha256', { status: 500 })
    expect((await larder.warm('/d/x.tgz')).body.equals(body)).toBe(true)
  })

  it('U1: is asked for with the credentials the artifact is asked for with', async () => {
    const { origin, larder } = await behindSocket({ checksums: [sidecar], forwardRequestHeaders: ['authorization'] })
    putListed(origin, body)
    const answer = await larder.get('/d/x.tgz', { authorization: 'Bearer one' })
    expect([answer.ended, answer.body.equals(body)]).toEqual(['end', true])
    expect(origin.requestsFor('/d/x.tgz.sha256').map(({ headers }) => headers.authorization)).toEqual(['Bearer one'])
  })

  it('has no say over an answer that is no artifact', async () => {
    const { origin, larder } = await behindSocket({ profile: 'rfc9111', checksums: [sidecar] })
    origin.plan('/d/x.tgz', { status: 404, body: 'no such thing', headers: { 'Cache-Control': 'max-age=60' } })
    const { status, body: page } = await larder.get('/d/x.tgz')
    expect([status, page.toString()]).toEqual([404, 'no such thing'])
    expect(origin.requests).toHaveLength(1)
  })

  it('of a template that leads back to the artifact proves nothing', async () => {
    const { origin, larder } = await behindSocket({ checksums: [{ match: '**', from: '{path}' }] })
    putListed(origin, body)
    expect((await larder.get('/d/x.tgz')).ended).toBe('broken')
    expect((await larder.accessLog(1))[0]).toMatchObject({ code: 'CHECKSUM_UNKNOWN' })
  })
})
