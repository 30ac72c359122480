import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { inFront } from '../support/in-process.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteAnswer } from './remote.js'

const remote = mswRemote()
const profile = { profile: 'rfc9111' }
const etag = '"v1"'
const tagged: RemoteAnswer = { headers: { ETag: etag, 'Cache-Control': 'max-age=60' } }

describe('rfc9111: an answer that came before a request counts for it as stored (RFC 9111 §4)', () => {
  it.each<[string, RemoteAnswer, Record<string, string>]>([
    ['no-cache', { headers: { ETag: etag, 'Cache-Control': 'no-cache' } }, {}],
    ['stale on arrival', { headers: { ETag: etag, 'Cache-Control': 'max-age=5', Age: '9' } }, {}],
    ['fresh, but the request is no-cache', tagged, { 'cache-control': 'no-cache' }],
    ['fresh, but not for long enough', tagged, { 'cache-control': 'min-fresh=90' }],
  ])('%s: validated, although it is still being stored', async (_, first, asking) => {
    remote.answer('/a', { ...first, body: 'x'.repeat(100_000) }, { status: 304, headers: { ETag: etag } })
    const larder = await inFront(remote.url, profile)
    await larder.get('/a')
    const second = await larder.get('/a', asking)
    expect(second.header('cache-status')).toMatch(/fwd-status=304/)
    expect(remote.requests.map(({ headers }) => headers.get('if-none-match'))).toEqual([null, etag])
  })

  it('so does a validation', async () => {
    const noCache = { ETag: etag, 'Cache-Control': 'no-cache' }
    remote.answer('/a', { headers: noCache }, { status: 304, headers: noCache })
    const larder = await inFront(remote.url, profile)
    await larder.warm('/a')
    await larder.get('/a')
    await larder.get('/a')
    expect(remote.count('/a')).toBe(3)
  })

  it('nobody waits for a body that is coming in and may not answer him', async () => {
    const { origin, larder } = await behindSocket(profile)
    const body = origin.put('/a', noise(100_000), { headers: { 'Cache-Control': 'no-cache' } })
    const gate = origin.hold('/a', 50_000)
    const first = await larder.open('/a')
    await until(() => first.received() === 50_000, 'it has the first half')
    const second = await larder.open('/a')
    expect(second.header('cache-status')).toBe('larder; fwd=bypass')
    expect((await larder.head('/a')).header('cache-status')).toBe('larder; fwd=bypass')
    gate.letGo()
    for (const { finished } of [first, second]) expect((await finished).body.equals(body)).toBe(true)
    expect(origin.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'HEAD'])
  })

  it('C6: who asked before it came shares it', async () => {
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    remote.answer('/a', async () => {
      await gate
      return { headers: { 'Cache-Control': 'no-cache', ETag: etag } }
    })
    const larder = await inFront(remote.url, profile)
    const all = Array.from({ length: 4 }, () => larder.get('/a'))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(4)
    letGo()
    await Promise.all(all)
    expect(remote.count('/a')).toBe(1)
  })

  it('a fresh one is shared by who comes late', async () => {
    const { origin, larder } = await behindSocket(profile)
    origin.put('/a', noise(100_000), { headers: { 'Cache-Control': 'max-age=60' } })
    const gate = origin.hold('/a', 50_000)
    const first = await larder.open('/a')
    await until(() => first.received() === 50_000, 'it has the first half')
    const late = await larder.open('/a')
    expect(late.header('cache-status')).toBe('larder; fwd=uri-miss; stored; collapsed')
    gate.letGo()
    await Promise.all([first.finished, late.finished])
    expect(origin.requests).toHaveLength(1)
  })
})

it('C6: a remote whose Vary differs from answer to answer sends no request in circles', async () => {
  const { origin, larder } = await behindSocket(profile)
  origin.put('/a', 'body')
  const held = ['X-B', 'X-A', 'X-B', 'X-A', 'X-A'].map((vary) => origin.hold('/a', 1, { headers: { Vary: vary } }, 1))
  const clients = []
  for (const [a, b] of ['11', '22', '12', '23', '13']) {
    clients.push(await larder.open('/a', { 'x-a': String(a), 'x-b': String(b) }))
  }
  for (const gate of held) gate.letGo()
  for (const client of clients) expect((await client.finished).body.toString()).toBe('body')
  expect(origin.count('/a')).toBe(5)
})

it('C6: a client that leaves its bypass is no trouble of the remote', async () => {
  const { origin, larder } = await behindSocket({ maxAge: '0s' })
  origin.put('/a', 'old')
  await larder.warm('/a')
  origin.put('/a', 'new', { headers: { 'Cache-Control': 'no-store' } })
  await larder.warm('/a')
  const gate = origin.hold('/a', -1, {}, 1)
  const { hostname, port } = new URL(larder.url)
  const client = connect(Number(port), hostname, () =>
    client.write('GET /repository/raw/a HTTP/1.1\r\nHost: x\r\n\r\n'),
  )
  await gate.reached
  client.destroy()
  await until(() => origin.connections === 0, 'the remote is let go')
  expect((await larder.get('/a')).body.toString()).toBe('new')
})
