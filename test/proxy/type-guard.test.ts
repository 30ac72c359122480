import { describe, expect, it } from 'vitest'
import { inFront, stopClock } from '../support/in-process.js'
import { until } from '../support/stage.js'
import { behindSocket } from './origin.js'
import { mswRemote, type RemoteAnswer } from './remote.js'

const remote = mswRemote()
const page: RemoteAnswer = {
  headers: { 'Content-Type': 'text/html' },
  body: '<!DOCTYPE html><html>Log in, please</html>',
}
const archive: RemoteAnswer = { body: '\u001f\u008b archive' }

describe('U4: a page where the path names an archive', () => {
  it.each(['GET', 'HEAD'])('%s: an empty 502, tried again, logged, counted, never stored', async (method) => {
    remote.answer('/a.tgz', page)
    const larder = await inFront(remote.url, { retry: { attempts: 2, budget: '5s' } })
    const { status, body, header } = await larder.get('/a.tgz', {}, { method })
    expect([status, body.length, header('x-larder-error')]).toEqual([502, 0, 'TYPE_MISMATCH'])
    expect(remote.count('/a.tgz', method)).toBe(2)
    expect(larder.logs).toContainEqual(expect.objectContaining({ msg: 'remote in trouble', code: 'TYPE_MISMATCH' }))
    expect(await larder.metric('larder_upstream_requests_total', { result: 'TYPE_MISMATCH' })).toBe(2)
    remote.answer('/a.tgz', archive)
    expect((await larder.get('/a.tgz')).status).toBe(200)
  })

  it('once: the client notices nothing', async () => {
    remote.answer('/a.tgz', page, archive)
    const larder = await inFront(remote.url, { retry: { attempts: 2, budget: '5s' } })
    expect((await larder.get('/a.tgz')).status).toBe(200)
  })

  it('K3: the stored copy steps in', async () => {
    const clock = stopClock()
    remote.answer('/a.tgz', { ...archive, headers: { 'Cache-Control': 'max-age=10' } }, page)
    const larder = await inFront(remote.url)
    const { body } = await larder.warm('/a.tgz')
    await clock.pass(20)
    const again = await larder.get('/a.tgz')
    expect([again.status, again.body.equals(body)]).toEqual([200, true])
  })

  it('of a bypass too', async () => {
    remote.answer('/a.tgz', { ...page, headers: { 'Cache-Control': 'no-store' } })
    const larder = await inFront(remote.url)
    for (let i = 0; i < 2; i += 1) expect((await larder.get('/a.tgz')).header('x-larder-error')).toBe('TYPE_MISMATCH')
  })

  it('U3: in place of the rest of a cut body', async () => {
    const { origin, larder } = await behindSocket({ retry: { attempts: 2, budget: '5s' } })
    const body = origin.put('/a.tgz', Buffer.alloc(100_000, 'x'), { ranges: false })
    origin.plan('/a.tgz', { cut: 50_000 }, 1)
    origin.plan('/a.tgz', { status: 200, body: '<html>' }, 1)
    expect((await larder.get('/a.tgz')).body.equals(body)).toBe(true)
    expect(origin.count('/a.tgz')).toBe(3)
  })

  it.each([1, 3, 5])('which comes in two pieces, %i bytes first', async (after) => {
    const { origin, larder } = await behindSocket()
    origin.put('/a.tgz', '\n <html><body>')
    const gate = origin.hold('/a.tgz', after)
    const answer = larder.get('/a.tgz')
    await until(async () => (await larder.metric('larder_upstream_bytes_total')) === after, 'the first piece is here')
    gate.letGo()
    expect((await answer).header('x-larder-error')).toBe('TYPE_MISMATCH')
  })

  it('encoded, told by its type', async () => {
    remote.answer('/a.tgz', { headers: { 'Content-Type': 'text/html', 'Content-Encoding': 'x-ours' }, body: 'page' })
    const larder = await inFront(remote.url)
    for (const method of ['GET', 'HEAD']) {
      expect((await larder.get('/a.tgz', {}, { method })).header('x-larder-error')).toBe('TYPE_MISMATCH')
    }
  })

  it.each<[name: string, path: string, answer: RemoteAnswer, settings: Record<string, unknown>]>([
    ['a path that names none', '/a.html', page, {}],
    ['an archive with a page’s type', '/a.tgz', { ...archive, headers: { 'Content-Type': 'text/html' } }, {}],
    ['encoded, and of no page’s type', '/a.tgz', { ...page, headers: { 'Content-Encoding': 'x-ours' } }, {}],
    ['an empty file', '/a.tgz', { body: '' }, {}],
    ['switched off', '/a.tgz', page, { typeGuard: false }],
    ['a plain shared cache', '/a.tgz', page, { profile: 'rfc9111' }],
  ])('%s passes', async (_, path, answer, settings) => {
    remote.answer(path, answer)
    const larder = await inFront(remote.url, settings)
    const { status, body } = await larder.get(path)
    expect([status, body.length]).toEqual([200, Buffer.byteLength(answer.body ?? '')])
  })

  it('U7: is no failure of the remote', async () => {
    remote.answer('/a.tgz', page)
    const larder = await inFront(remote.url, { breaker: { failures: 1, openFor: '1h', maxOpenFor: '1h' } })
    for (let i = 0; i < 2; i += 1) expect((await larder.get('/a.tgz')).header('x-larder-error')).toBe('TYPE_MISMATCH')
  })
})
