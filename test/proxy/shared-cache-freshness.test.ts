import { describe, expect, it } from 'vitest'
import { type InProcess, inFront, stopClock } from '../support/in-process.js'
import { mswRemote, type RemoteAnswer } from './remote.js'

/* Profile rfc9111: what the tests of cache-tests.fyi ask of a shared cache. */

const remote = mswRemote()
const plain = (): Promise<InProcess> => inFront(remote.url, { profile: 'rfc9111' })

type Fields = NonNullable<RemoteAnswer['headers']>

const dated = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString()

/** Whether the second of two requests, `after` seconds apart, was answered without the remote. */
async function reused(headers: () => Fields, after: number): Promise<boolean> {
  const clock = stopClock()
  remote.answer('/a', { headers: headers() })
  const larder = await plain()
  await larder.warm('/a')
  await clock.pass(after)
  await larder.warm('/a')
  return remote.count('/a') === 1
}

describe('rfc9111: freshness', () => {
  it.each<[string, Fields, number, boolean]>([
    ['max-age, the last second', { 'Cache-Control': 'max-age=100' }, 99, true],
    ['max-age, the instant', { 'Cache-Control': 'max-age=100' }, 100, false],
    ['max-age=0', { 'Cache-Control': 'max-age=0' }, 0, false],
    [
      'max-age in capitals, with spaces and others',
      { 'Cache-Control': 'foo,  MAX-AGE=100 , bar="max-age=0"' },
      50,
      true,
    ],
    ['max-age over several lines', { 'Cache-Control': ['foo', 'max-age=100'] }, 50, true],
    ['two max-ages: the lower', { 'Cache-Control': 'max-age=100, max-age=1' }, 50, false],
    ['max-age that is no number', { 'Cache-Control': 'max-age=1h' }, 0, false],
    ['negative max-age', { 'Cache-Control': 'max-age=-100' }, 0, false],
    ['max-age beyond all bounds', { 'Cache-Control': 'max-age=99999999999' }, 50, true],
    ['s-maxage over max-age', { 'Cache-Control': 'max-age=1, s-maxage=100' }, 50, true],
    ['s-maxage=0 over max-age', { 'Cache-Control': 'max-age=100, s-maxage=0' }, 0, false],
    ['no-cache', { 'Cache-Control': 'no-cache, max-age=100' }, 0, false],
    ['no-store', { 'Cache-Control': 'no-store, max-age=100' }, 0, false],
    ['private', { 'Cache-Control': 'private, max-age=100' }, 0, false],
    ['must-revalidate, fresh', { 'Cache-Control': 'must-revalidate, max-age=100' }, 50, true],
    ['must-understand lifts no-store', { 'Cache-Control': 'must-understand, no-store, max-age=100' }, 50, true],
    ['Age on arrival', { 'Cache-Control': 'max-age=100', Age: '60' }, 50, false],
    ['Age on arrival, still fresh', { 'Cache-Control': 'max-age=100', Age: '40' }, 50, true],
    ['an Age that is none', { 'Cache-Control': 'max-age=100', Age: 'x' }, 50, true],
    ['nothing at all', {}, 0, false],
    ['Pragma of a response means nothing', { 'Cache-Control': 'max-age=100', Pragma: 'no-cache' }, 50, true],
    ['CDN-Cache-Control nobody asked for', { 'CDN-Cache-Control': 'max-age=100' }, 0, false],
    ['Vary: *', { 'Cache-Control': 'max-age=100', Vary: '*' }, 0, false],
    ['Set-Cookie', { 'Cache-Control': 'max-age=100', 'Set-Cookie': 'a=1' }, 0, true],
  ])('%s', async (_, headers, after, expected) => {
    expect(await reused(() => ({ ETag: '"e"', ...headers }), after)).toBe(expected)
  })

  it.each<[string, () => Fields, number, boolean]>([
    ['Expires', () => ({ Expires: dated(100) }), 50, true],
    ['Expires, past', () => ({ Expires: dated(100) }), 101, false],
    ['Expires: 0', () => ({ Expires: '0' }), 0, false],
    ['Expires against Date', () => ({ Date: dated(-50), Expires: dated(100) }), 99, true],
    ['Expires under max-age', () => ({ Expires: dated(-100), 'Cache-Control': 'max-age=100' }), 50, true],
    ['Expires of several lines', () => ({ Expires: ['0', dated(100)] }), 0, false],
    ['max-age against an old Date', () => ({ Date: dated(-90), 'Cache-Control': 'max-age=100' }), 20, false],
    ['a guess: a tenth of the time since Last-Modified', () => ({ 'Last-Modified': dated(-1000) }), 99, true],
    ['the guess is over', () => ({ 'Last-Modified': dated(-1000) }), 101, false],
  ])('%s', async (_, headers, after, expected) => {
    expect(await reused(headers, after)).toBe(expected)
  })

  it('CDN-Cache-Control, where targetedFields names it, over Cache-Control', async () => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'CDN-Cache-Control': 'max-age=100', 'Cache-Control': 'no-store' } })
    remote.answer('/b', { headers: { 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'max-age=100' } })
    remote.answer('/c', { headers: { 'CDN-Cache-Control': 'max-age="100"', 'Cache-Control': 'max-age=100' } })
    const larder = await inFront(remote.url, { profile: 'rfc9111', targetedFields: ['CDN-Cache-Control'] })
    for (const path of ['/a', '/b', '/c']) await larder.warm(path)
    await clock.pass(50)
    for (const path of ['/a', '/b', '/c']) await larder.warm(path)
    expect([remote.count('/a'), remote.count('/b'), remote.count('/c')]).toEqual([1, 2, 1])
  })

  it('Age adds up through the proxy', async () => {
    const clock = stopClock()
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=100', Age: '30' } })
    const larder = await plain()
    expect((await larder.warm('/a')).header('age')).toBe('30')
    await clock.pass(20)
    expect((await larder.get('/a')).header('age')).toBe('50')
  })
})
