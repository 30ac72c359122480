import { describe, expect, it } from 'vitest'
import { createGathering } from '../../src/administration/gathering.js'
import type { Statistics } from '../../src/administration/views.js'
import { createLog } from '../../src/log.js'
import { type Announcement, createBulletin, type RepositoryCounts } from '../../src/storage/bulletin.js'
import { SharedMemory } from '../storage/memory-shared-cache.js'

const log = createLog('silent', { write() {} })

const counts = (repository: string, outcomes: Readonly<Record<string, number>>, bytes = 0): RepositoryCounts => ({
  ...{ repository, outcomes, bytesSent: bytes, bytesFetched: bytes / 2 },
})

/** A replica that counted that; how to ask it. */
function replica(memory: SharedMemory, counted: readonly RepositoryCounts[]): () => Promise<Statistics> {
  const bulletin = createBulletin(memory.connect(), log)
  return createGathering({ bulletin, counted: async () => counted, log })
}

/** One that answers each question with `text`, as its channel carries it. */
function scripted(memory: SharedMemory, text: (id: string) => string): void {
  const shared = memory.connect()
  shared.onTold((event) => {
    const asked = event.kind === 'message' && (JSON.parse(event.text) as Announcement)
    if (asked && asked.kind === 'statistics-wanted') void shared.tell(text(asked.id))
  })
}

describe('the statistics of several replicas', () => {
  it('are sums by repository, with what only another one has, and the hit rate of the sums', async () => {
    const memory = new SharedMemory()
    const ask = replica(memory, [counts('raw', { hit: 3, miss: 1 }, 100), counts('idle', {})])
    replica(memory, [counts('raw', { hit: 1, stale: 2, miss: 3 }, 10), counts('idle', {})])
    replica(memory, [counts('new', { upload: 2 }, 8)])
    const { replicas, repositories } = await ask()
    expect(replicas).toBe(3)
    expect(repositories).toEqual([
      {
        ...{ repository: 'raw', requests: 10, outcomes: { hit: 4, stale: 2, miss: 4 }, hitRate: 0.6 },
        ...{ bytesSent: 110, bytesFetched: 55 },
      },
      { repository: 'idle', requests: 0, outcomes: {}, hitRate: null, bytesSent: 0, bytesFetched: 0 },
      { repository: 'new', requests: 2, outcomes: { upload: 2 }, hitRate: null, bytesSent: 8, bytesFetched: 4 },
    ])
  })

  it('come in as many messages as they need', async () => {
    const memory = new SharedMemory()
    const longest = Number.MAX_SAFE_INTEGER
    const outcomes = ['hit', 'stale', 'revalidated', 'miss', 'bypass', 'negative', 'upload', 'error']
    const many = Array.from({ length: 205 }, (_, i) =>
      counts(`${i}`.padEnd(64, 'n'), Object.fromEntries(outcomes.map((outcome) => [outcome, longest])), longest),
    )
    const ask = replica(memory, [])
    replica(memory, many)
    const { replicas, repositories } = await ask()
    expect([replicas, repositories.map(({ repository }) => repository)]).toEqual([
      2,
      many.map(({ repository }) => repository),
    ])
  })

  it('go back to the start of the first', async () => {
    const memory = new SharedMemory()
    const ask = replica(memory, [])
    scripted(memory, (id) =>
      JSON.stringify({ kind: 'statistics', id, replica: 'old', since: 86_400_000, repositories: [] }),
    )
    expect(await ask()).toEqual({ replicas: 2, since: '1970-01-02T00:00:00.000Z', repositories: [] })
  })

  const good = { kind: 'statistics', replica: 'other', since: 0, repositories: [counts('raw', { hit: 1 })] }

  it.each([
    ['an answer to another question', { ...good, id: 'another' }],
    ['no replica', { ...good, replica: undefined }],
    ['no moment', { ...good, since: 'yesterday' }],
    ['repositories that are no list', { ...good, repositories: {} }],
    ['a repository without a name', { ...good, repositories: [{ ...counts('raw', {}), repository: 1 }] }],
    ['an outcome that is no number', { ...good, repositories: [{ ...counts('raw', {}), outcomes: { hit: '1' } }] }],
    ['a negative number', { ...good, repositories: [{ ...counts('raw', {}), bytesSent: -1 }] }],
    ['no bytes', { ...good, repositories: [{ ...counts('raw', {}), bytesFetched: undefined }] }],
    ['an empty row', { ...good, repositories: [null] }],
  ])('leave out %s', async (_, told) => {
    const memory = new SharedMemory()
    const ask = replica(memory, [counts('raw', { hit: 1 })])
    scripted(memory, (id) => JSON.stringify({ id, ...told }))
    scripted(memory, (id) => JSON.stringify({ ...good, id, replica: 'heard as well' }))
    const { replicas, repositories } = await ask()
    expect([replicas, repositories[0]?.requests]).toEqual([2, 2])
  })

  it('take the names of outcomes for nothing but names', async () => {
    const memory = new SharedMemory()
    const ask = replica(memory, [])
    const outcomes = '{"constructor":2,"__proto__":3}'
    scripted(
      memory,
      (id) =>
        `{"kind":"statistics","id":"${id}","replica":"r","since":0,"repositories":[{"repository":"raw","outcomes":${outcomes},"bytesSent":0,"bytesFetched":0}]}`,
    )
    expect((await ask()).repositories[0]?.requests).toBe(5)
  })

  it('are its own while the others cannot be reached', async () => {
    const memory = new SharedMemory()
    const ask = replica(memory, [counts('raw', { hit: 1 })])
    replica(memory, [counts('raw', { hit: 1 })])
    memory.reachable = false
    const { replicas, repositories } = await ask()
    expect([replicas, repositories[0]?.requests]).toEqual([1, 1])
  })
})
