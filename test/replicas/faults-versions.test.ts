import { createHash } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../storage/keyv/connected.js'
import { administer } from '../support/admin.js'
import type { InProcess } from '../support/in-process.js'
import { missing, title } from '../support/servers.js'
import { noise, until } from '../support/stage.js'
import { expectStored, expectWhole, type FaultStage, faultStages, programs } from './fault-stage.js'

const size = 600_000

describe.skipIf(missing(...programs).length > 0)(title('P6: a replica of another version', ...programs), () => {
  const stages = faultStages()

  /** What that replica does in Redis. */
  const other = ({ redis }: FaultStage) => connect(redis.url).cache

  /** It has the fill of `/a`, and says of itself what it says. */
  async function holds(stage: FaultStage, holder: string): Promise<void> {
    const id = createHash('sha256').update(`${stage.origin.url}\nraw/a\n0`).digest('hex')
    const cache = other(stage)
    await until(async () => (await cache.lease(`fill:${id}`, holder, 60_000))?.mine === true, 'the lease is taken')
  }

  async function peer(listener: RequestListener): Promise<{ url: string; asked: () => number }> {
    let asked = 0
    const server = createServer((request, response) => {
      asked += 1
      listener(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
  }

  /** A line of JSON, then bytes that are nobody's. */
  const saying =
    (line: string, status = 200): RequestListener =>
    (_, response) =>
      void response.writeHead(status).end(`${line}\nnot the body`)

  const growing = (more: object) =>
    JSON.stringify({ kind: 'growing', status: 200, headers: [], requestTime: 1, responseTime: 1, ...more })

  it.each([
    ['of a kind of its own', saying('{"kind":"moved","to":"elsewhere"}')],
    ['without a kind', saying('{}')],
    ['that is no JSON', saying('growing 200')],
    ['that is no object', saying('null')],
    ['with headers of another form', saying(growing({ framing: 'length', remote: 'x', headers: { etag: '"a"' } }))],
    ['with a framing it alone knows', saying(growing({ framing: 'frames', remote: 'x' }))],
    ['without a remote', saying(growing({ framing: 'length' }))],
    ['of another route', saying('', 410)],
    ['that never ends its line', ((_, response) => void response.end('x'.repeat(300_000))) as RequestListener],
  ])('that answers with something %s: at most one fetch for each replica', async (_, listener) => {
    const stage = await stages.set()
    const two = await stage.replicas(2)
    const { url, asked } = await peer(listener)
    await holds(stage, JSON.stringify({ id: 'other', url, protocol: 7 }))
    const body = stage.origin.put('/a', noise(size))
    const clients = await Promise.all(two.map((each) => each.open('/a')))
    for (const client of clients) await expectWhole(client, body)
    expect(asked()).toBeGreaterThan(0)
    expect(stage.origin.count('/a')).toBeLessThanOrEqual(2)
    await expectStored(stage.origin, two, '/a', body)
  })

  it.each([
    ['no JSON', 'holder-7'],
    ['no object', '7'],
    ['null', 'null'],
    ['without a URL', '{"id":"other","at":["10.0.0.1",8081]}'],
    ['with a URL that is none', '{"id":"other","url":"somewhere"}'],
    ['with a URL of another scheme', '{"id":"other","url":"unix:/run/larder.sock"}'],
  ])('whose lease is %s: at most one fetch for each replica', async (_, holder) => {
    const stage = await stages.set()
    const two = await stage.replicas(2)
    await holds(stage, holder)
    const body = stage.origin.put('/a', noise(size))
    const clients = await Promise.all(two.map((each) => each.open('/a')))
    for (const client of clients) await expectWhole(client, body)
    expect(stage.origin.count('/a')).toBeLessThanOrEqual(2)
    await expectStored(stage.origin, two, '/a', body)
  })

  it.each([
    ['told by the peer', true],
    ['kept silent about by it', false],
  ])('C6: what chose its answer (Vary), %s: who asked otherwise fetches for himself', async (_, tells) => {
    const stage = await stages.set()
    const [replica] = (await stage.replicas(1, { settings: { forwardRequestHeaders: ['accept'] } })) as [InProcess]
    const length = ['Content-Length', '16', 'Vary', 'Accept']
    const answer = {
      framing: 'length',
      remote: stage.origin.url,
      headers: length,
      ...(tells && { selecting: { accept: 'text/x-0' } }),
    }
    const now = Date.now()
    const { url, asked } = await peer((_, response) =>
      response.writeHead(200).end(`${growing({ ...answer, requestTime: now, responseTime: now })}\nbytes of another`),
    )
    await holds(stage, JSON.stringify({ id: 'other', url }))
    const body = stage.origin.put('/a', noise(size), { headers: { Vary: 'Accept' } })
    await expectWhole(await replica.open('/a', { Accept: 'text/x-1' }), body)
    expect([asked(), stage.origin.count('/a')]).toEqual([1, 1])
    await replica.settled()
    const same = await replica.get('/a', { Accept: 'text/x-1' })
    expect([same.body.equals(body), stage.origin.count('/a')]).toEqual([true, 1])
  })

  it('whose announcements mean nothing here are passed over, and those after them heard', async () => {
    const stage = await stages.set()
    const [first, second] = (await stage.replicas(2)) as [InProcess, InProcess]
    const body = stage.origin.put('/a', noise(size))
    await first.warm('/a')
    const cache = other(stage)
    await until(() => cache.healthy, 'redis is reached')
    const selection = { repository: 'raw', by: 'all', pattern: '' }
    for (const text of [
      'no JSON',
      'null',
      '[]',
      '{"kind":"evict","selection":{"repository":"raw"}}',
      JSON.stringify({ kind: 'purge', selection: { ...selection, by: 'regex' }, soft: false }),
      JSON.stringify({ kind: 'purge', selection }),
      JSON.stringify({ kind: 'block', repository: 'raw', blocked: 'until tomorrow' }),
      JSON.stringify({ kind: 'breaker', repository: 'raw', remote: stage.origin.url, openFor: 'long' }),
      JSON.stringify({ kind: 'breaker', repository: 'raw', remote: stage.origin.url, openFor: -1 }),
    ]) {
      await cache.tell(text)
    }
    await cache.tell(JSON.stringify({ kind: 'block', repository: 'raw', blocked: true, why: 'a field of its own' }))
    const state = async () => JSON.stringify(await administer(second, 'GET', '/repositories'))
    await until(async () => (await state()).includes('"blocked":true'), 'what is understood is heard')
    await expectStored(stage.origin, [first, second], '/a', body)
  })

  /** The record of `/a`, as it lies in the bucket. */
  async function recordName({ bucket, prefix }: FaultStage): Promise<string> {
    const [name, ...others] = await bucket.names(`${prefix}v1/records/`)
    expect([name !== undefined, others]).toEqual([true, []])
    return name ?? ''
  }

  it.each([
    ['of a later format', (bytes: Buffer) => Buffer.concat([Buffer.from([2]), bytes.subarray(1)])],
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['empty', () => Buffer.alloc(0)],
  ])('a record %s is absent: one fetch for all, by which it is replaced', async (_, changed) => {
    const stage = await stages.set()
    const { origin, bucket, replicas, redis } = stage
    const [first] = (await replicas(1)) as [InProcess]
    origin.put('/a', noise(size))
    await first.warm('/a')
    const name = await recordName(stage)
    await bucket.put(name, changed(await bucket.get(name)))
    await redis.flush()
    await first.stop()
    const two = await replicas(2)
    const renewed = origin.put('/a', noise(size))
    const clients = await Promise.all(two.map((each) => each.open('/a')))
    for (const client of clients) await expectWhole(client, renewed)
    expect(origin.count('/a')).toBe(2)
    await expectStored(origin, two, '/a', renewed)
    expect(await recordName(stage)).toBe(name)
  })

  it('a record it wrote while this one fetched is not overwritten unseen: what is stored is one of the two', async () => {
    const stage = await stages.set()
    const { origin, bucket, replicas } = stage
    const [first] = (await replicas(1)) as [InProcess]
    const body = origin.put('/a', noise(size))
    await first.warm('/a')
    const name = await recordName(stage)
    const theirs = await bucket.get(name)
    await administer(first, 'POST', '/purge', { repository: 'raw', path: 'a' })
    const gate = origin.hold('/a', size / 2)
    const client = await first.open('/a')
    await client.firstByte
    await bucket.put(name, Buffer.concat([Buffer.from([2]), theirs.subarray(1)]))
    gate.letGo()
    await expectWhole(client, body)
    await first.settled()
    const [second] = (await replicas(1)) as [InProcess]
    await expectWhole(await second.open('/a'), body)
    await second.settled()
    // At most once more, where that record stood in the way.
    expect(origin.count('/a')).toBeLessThanOrEqual(3)
    await expectStored(origin, [first, second], '/a', body)
  })
})
