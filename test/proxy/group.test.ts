import { describe, expect, it, onTestFinished } from 'vitest'
import { get } from '../support/http.js'
import { type InProcess, inFront } from '../support/in-process.js'
import { type Origin, startOrigin } from '../support/origin.js'
import type { Settings } from '../support/stage.js'

interface Stage {
  readonly larder: InProcess
  readonly first: Origin
  readonly second: Origin
  all(path: string, options?: Parameters<typeof get>[1]): ReturnType<typeof get>
}

/** A group `all` of two repositories: `raw`, then `spare`. */
async function stage(settings: Settings = {}, group: Settings = {}, others: Settings = {}): Promise<Stage> {
  const [first, second] = [await startOrigin(), await startOrigin()]
  onTestFinished(() => first.stop())
  onTestFinished(() => second.stop())
  const spare = { remote: second.url, retry: { attempts: 1, budget: '1s', resumes: 0 } }
  const larder = await inFront(
    first.url,
    settings,
    {},
    {
      repositories: { spare, all: { type: 'group', members: ['raw', 'spare'], ...group }, ...others },
    },
  )
  return { larder, first, second, all: (path, options) => get(`${larder.url}/repository/all${path}`, options) }
}

describe('a group', () => {
  it('G1: serves what its first member has, and asks nobody else', async () => {
    const { first, second, all } = await stage()
    first.put('/x.bin', 'first')
    second.put('/x.bin', 'second')
    const answer = await all('/x.bin')
    expect([answer.status, answer.body.toString(), second.requests]).toEqual([200, 'first', []])
    expect(answer.header('cache-status')).toBe('larder; fwd=uri-miss; stored; detail=raw')
  })

  it.each([404, 410, 403])('G1: goes on to the next where one answers %i', async (status) => {
    const { first, second, all } = await stage()
    first.plan('/x.bin', { status })
    second.put('/x.bin', 'second')
    for (const state of ['cold', 'warm']) {
      const answer = await all('/x.bin')
      expect([state, answer.body.toString()]).toEqual([state, 'second'])
    }
    expect([first.requests.length, second.requests.length]).toEqual([1, 1])
  })

  it('G1: stores nothing itself: what it brought is its member’s', async () => {
    const { larder, second, all } = await stage()
    second.put('/x.bin', 'second')
    await all('/x.bin')
    await larder.settled()
    const answer = await get(`${larder.url}/repository/spare/x.bin`)
    expect(answer.header('cache-status')).toContain('hit')
    expect(second.requests).toHaveLength(1)
  })

  it('G1: has nothing where no member has it, and says so plainly where one does', async () => {
    const { first, all } = await stage()
    first.plan('/x.bin', { status: 403 })
    const answer = await all('/x.bin')
    expect([answer.status, answer.header('x-larder-error'), answer.body.length]).toEqual([404, 'UPSTREAM_ABSENT', 0])
  })

  it('G2: a member in trouble is no absence: nothing is fetched from those behind it', async () => {
    const { first, second, all } = await stage()
    first.plan('/x.bin', { status: 503 })
    second.put('/x.bin', 'other bytes')
    const answer = await all('/x.bin')
    expect([answer.status, answer.header('x-larder-error'), second.requests]).toEqual([503, 'UPSTREAM_OVERLOADED', []])
  })

  it('G2: what a later member has stored is served while an earlier one is in trouble, however stale', async () => {
    const { larder, first, second, all } = await stage({ negative: { ttl: '0s' } })
    second.put('/x.bin', 'second', { headers: { 'Cache-Control': 'max-age=0' } })
    await all('/x.bin')
    await larder.settled()
    await first.stop()
    const asked = second.requests.length
    const answer = await all('/x.bin')
    expect([answer.status, answer.body.toString(), second.requests.length]).toEqual([200, 'second', asked])
  })

  it('G1: does not ask a member for a path that is not routed to it', async () => {
    const { first, second, all } = await stage({ allow: ['jdk/**'] })
    second.put('/x.bin', 'second')
    expect((await all('/x.bin')).body.toString()).toBe('second')
    expect(first.requests).toEqual([])
  })

  it('C9: has routing rules of its own', async () => {
    const { first, second, all } = await stage({}, { block: ['**/*.bin'] })
    const answer = await all('/x.bin')
    expect([answer.status, answer.header('x-larder-error')]).toEqual([404, 'PATH_NOT_ROUTED'])
    expect([...first.requests, ...second.requests]).toEqual([])
  })

  it('G1, C9: a group in it keeps its routing rules', async () => {
    const inner = { type: 'group', members: ['raw', 'spare'], allow: ['jdk/**'], block: ['jdk/secret'] }
    const { first, second, all } = await stage({}, { members: ['inner'] }, { inner })
    first.put('/jdk/secret', 'secret')
    first.put('/x.bin', 'x')
    second.put('/jdk/a', 'second')
    for (const path of ['/jdk/secret', '/x.bin']) {
      expect((await all(path)).header('x-larder-error')).toBe('PATH_NOT_ROUTED')
    }
    expect([...first.requests, ...second.requests]).toEqual([])
    const answer = await all('/jdk/a')
    expect([answer.body.toString(), answer.header('cache-status')]).toEqual([
      'second',
      'larder; fwd=uri-miss; stored; detail=spare',
    ])
  })

  it('G2: trouble in a group in it is trouble, and trouble before it holds for its members', async () => {
    const inner = { type: 'group', members: ['raw'] }
    const behind = await stage({}, { members: ['inner', 'spare'] }, { inner })
    behind.first.plan('/x.bin', { status: 500 })
    behind.second.put('/x.bin', 'second')
    expect([(await behind.all('/x.bin')).status, behind.second.requests]).toEqual([502, []])
    const before = await stage({}, { members: ['raw', 'inner'] }, { inner: { type: 'group', members: ['spare'] } })
    before.first.plan('/x.bin', { status: 500 })
    before.second.put('/x.bin', 'second')
    expect([(await before.all('/x.bin')).status, before.second.requests]).toEqual([502, []])
  })

  it('C1, C4, C5: HEAD and ranges are its member’s', async () => {
    const { first, second, all } = await stage()
    second.put('/x.bin', 'second')
    expect((await all('/x.bin', { method: 'HEAD' })).header('content-length')).toBe('6')
    expect([...first.requests, ...second.requests].map(({ method }) => method)).toEqual(['HEAD', 'HEAD'])
    const part = await all('/x.bin', { headers: { Range: 'bytes=1-2' } })
    expect([part.status, part.body.toString()]).toEqual([206, 'ec'])
    expect((await all('/x.bin', { method: 'PUT' })).header('allow')).toBe('GET, HEAD')
  })

  it('O2: is counted under its own name', async () => {
    const { larder, second, all } = await stage()
    second.put('/x.bin', 'second')
    await all('/x.bin')
    expect(await larder.metric('larder_requests_total', { repository: 'all', outcome: 'miss' })).toBe(1)
  })
})
