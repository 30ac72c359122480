import { describe, expect, it } from 'vitest'
import { inFront } from '../support/in-process.js'
import { mswRemote, type RemoteRequest } from './remote.js'

const remote = mswRemote()

describe('K1: Vary', () => {
  const byAccept = ({ headers }: RemoteRequest) => ({
    headers: { Vary: 'Accept' },
    body: `for ${headers.get('accept')}`,
  })

  it('one variant for each value of what was sent', async () => {
    remote.answer('/a', byAccept)
    const larder = await inFront(remote.url)
    for (const accept of ['a/b', 'c/d', 'a/b', 'c/d', 'a/b']) {
      expect((await larder.warm('/a', { accept })).body.toString()).toBe(`for ${accept}`)
    }
    expect(remote.count('/a')).toBe(2)
    expect((await larder.warm('/a', { accept: 'e/f' })).header('cache-status')).toBe('larder; fwd=vary-miss; stored')
  })

  it('at most 8; the one stored first goes', async () => {
    remote.answer('/a', byAccept)
    const larder = await inFront(remote.url)
    const all = Array.from({ length: 9 }, (_, i) => `t/${i}`)
    for (const accept of all) await larder.warm('/a', { accept })
    for (const accept of all.slice(1)) await larder.get('/a', { accept })
    expect(remote.count('/a')).toBe(9)
    expect((await larder.get('/a', { accept: 't/0' })).body.toString()).toBe('for t/0')
    expect(remote.count('/a')).toBe(10)
  })

  it('a field that is not sent to the remote chooses nothing', async () => {
    remote.answer('/a', { headers: { Vary: 'User-Agent, Accept-Encoding' } })
    const larder = await inFront(remote.url)
    await larder.warm('/a', { 'user-agent': 'curl', 'accept-encoding': 'gzip' })
    await larder.warm('/a', { 'user-agent': 'wget' })
    expect(remote.count('/a')).toBe(1)
  })

  it('*: never', async () => {
    remote.answer('/a', { headers: { Vary: '*' } })
    const larder = await inFront(remote.url)
    await larder.warm('/a')
    await larder.warm('/a')
    expect(remote.count('/a')).toBe(2)
  })
})
