import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { noise, until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteAnswer, type RemoteRequest } from './remote.js'

const remote = mswRemote()

/** The remote's answers for `/a` wait until `letGo`. */
function gated(answer: (request: RemoteRequest) => RemoteAnswer) {
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  remote.answer('/a', async (request) => {
    await gate
    return answer(request)
  })
  return { letGo: () => letGo() }
}

describe('C6: who shares a fill', () => {
  it('a herd shares one; who comes late has byte 0 at once', async () => {
    const { origin, larder } = await behindSocket()
    const body = origin.put('/a', noise(1_000_000))
    const gate = origin.hold('/a', 500_000)
    const early = await Promise.all(Array.from({ length: 8 }, () => larder.open('/a')))
    await gate.reached
    await until(() => early.every((client) => client.received() === 500_000), 'all have the first half')
    const late = await larder.open('/a')
    await until(() => late.received() === 500_000, 'who came late has it too')
    expect(late.header('cache-status')).toBe('larder; fwd=uri-miss; stored; collapsed')
    gate.letGo()
    for (const { finished } of [...early, late]) expect((await finished).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
    expect(await larder.metric('larder_fills_total', { repository: 'raw', result: 'complete' })).toBe(1)
  })

  it.each(['no-store', 'private'])(
    '%s: each fetches for himself, and the key is not waited for during 120 s',
    async (cacheControl) => {
      const clock = stopClock()
      let served = 0
      const gate = gated(() => {
        served += 1
        return { headers: { 'Cache-Control': cacheControl }, body: `for ${served}` }
      })
      const larder = await inFront(remote.url)
      const all = Array.from({ length: 4 }, () => larder.get('/a'))
      await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(4)
      expect(remote.count('/a')).toBe(1)
      gate.letGo()
      const answers = await Promise.all(all)
      expect(new Set(answers.map(({ body }) => body.toString())).size).toBe(4)
      expect(answers.map(({ header }) => header('cache-status'))).toEqual(Array(4).fill('larder; fwd=bypass'))
      expect(remote.count('/a')).toBe(4)
      const meanwhile = async () => {
        const before = remote.count('/a')
        const second = gated(() => ({}))
        const two = [larder.get('/a'), larder.get('/a')]
        await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(2)
        const asked = remote.count('/a') - before
        second.letGo()
        await Promise.all(two)
        await larder.settled()
        return asked
      }
      await clock.pass(119)
      expect(await meanwhile()).toBe(2)
      await clock.pass(2)
      expect(await meanwhile()).toBe(1)
      expect((await larder.get('/a')).header('cache-status')).toMatch(/^larder; hit/)
    },
  )

  it('clients of different variants: one fill each', async () => {
    const gate = gated(({ headers }) => ({ headers: { Vary: 'Accept' }, body: `for ${headers.get('accept')}` }))
    const larder = await inFront(remote.url)
    const kinds = ['a/a', 'b/b', 'a/a', 'b/b', 'a/a']
    const all = kinds.map((accept) => larder.get('/a', { accept }))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(5)
    gate.letGo()
    expect((await Promise.all(all)).map(({ body }) => body.toString())).toEqual(kinds.map((kind) => `for ${kind}`))
    expect(remote.count('/a')).toBe(2)
    await larder.settled()
    for (const accept of kinds) expect((await larder.get('/a', { accept })).header('cache-status')).toMatch(/; hit/)
    expect(remote.count('/a')).toBe(2)
  })

  it('clients with different credentials never share, not even a refusal', async () => {
    const gate = gated(({ headers }) => (headers.get('authorization') === 'good' ? {} : { status: 401 }))
    const larder = await inFront(remote.url, { forwardRequestHeaders: ['authorization'] })
    const all = ['bad', 'good', 'bad', 'good'].map((authorization) => larder.get('/a', { authorization }))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(4)
    gate.letGo()
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual([502, 200, 502, 200])
  })

  it.each([404, 503])('a refusal (%i) is shared by those who waited for it', async (status) => {
    const gate = gated(() => ({ status }))
    const larder = await inFront(remote.url)
    const all = Array.from({ length: 8 }, () => larder.get('/a'))
    await expect.poll(() => larder.metric('larder_connections')).toBeGreaterThanOrEqual(8)
    gate.letGo()
    expect((await Promise.all(all)).map((answer) => answer.status)).toEqual(Array(8).fill(status))
    expect(remote.count('/a')).toBe(1)
  })

  it('an error that passed (rfc9111) does not keep the key from being cached', async () => {
    remote.answer('/a', { status: 500 }, { headers: { 'Cache-Control': 'max-age=60' } })
    const larder = await inFront(remote.url, { profile: 'rfc9111' })
    expect((await larder.warm('/a')).status).toBe(500)
    await larder.warm('/a')
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(2)
  })

  it('the leader leaves before and after the head: the fill goes on and is stored', async () => {
    for (const after of [-1, 500_000]) {
      const { origin, larder } = await behindSocket()
      const body = origin.put('/a', noise(1_000_000))
      const gate = origin.hold('/a', after)
      const leaving = larder.open('/a')
      leaving.catch(() => {})
      await gate.reached
      const follower = larder.get('/a')
      if (after >= 0) (await leaving).destroy()
      gate.letGo()
      expect((await follower).body.equals(body)).toBe(true)
      await larder.settled()
      expect((await larder.get('/a')).header('cache-status')).toMatch(/; hit/)
      expect(origin.requests).toHaveLength(1)
    }
  })
})

describe('C6: a bypass ends with its client', () => {
  it.each([
    ['the one who found out', 0],
    ['one of those after', 1],
  ])('%s', async (_, before) => {
    let ended = 0
    const server = createServer((_, response) => {
      response.writeHead(200, { 'Content-Length': 1_000_000, 'Cache-Control': 'no-store' })
      // Half of it, and then nothing more for a long while.
      response.write(noise(500_000))
      response.on('close', () => {
        ended += 1
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void server.close())
    const larder = await inFront(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    for (let leaving = 1; leaving <= before + 1; leaving += 1) {
      const client = await larder.open('/a')
      await until(() => client.received() === 500_000, 'the client has the first half')
      expect(ended).toBe(leaving - 1)
      client.destroy()
      await until(() => ended === leaving, 'the connection to the remote is gone')
    }
  })
})
