import { describe, expect, it } from 'vitest'
import { adminStage } from './admin-stage.js'

describe('repositories', () => {
  it('their state, without secrets', async () => {
    const { call, put } = adminStage()
    put('raw/a')
    const { body } = await call('GET', '/repositories')
    expect(body.repositories[0]).toEqual({
      name: 'raw',
      aliases: ['remote.test'],
      type: 'proxy',
      profile: 'artifact',
      members: [],
      remotes: [{ url: 'https://remote.test/base', breaker: 'closed', retryAt: null }],
      blocked: false,
      records: 1,
      bytes: 3,
      maxSize: null,
    })
  })

  it('U7: are blocked, unblocked and their breakers reset, by name or alias', async () => {
    const { call } = adminStage()
    const blocked = async () => (await call('GET', '/repositories')).body.repositories[0].blocked
    expect((await call('POST', '/repositories/remote.test/block')).body).toMatchObject({ name: 'raw', blocked: true })
    expect(await blocked()).toBe(true)
    expect((await call('POST', '/repositories/raw/unblock')).body.blocked).toBe(false)
    expect(await blocked()).toBe(false)
    expect((await call('POST', '/repositories/raw/breaker/reset')).body.remotes[0].breaker).toBe('closed')
  })

  it('requests by outcome and the hit rate', async () => {
    const { call, metrics } = adminStage()
    const count = (outcome: string, times: number) =>
      metrics.requests.inc({ repository: 'raw', method: 'GET', status: 200, outcome, collapsed: 'false' }, times)
    count('hit', 6)
    count('revalidated', 3)
    count('miss', 3)
    metrics.sentBytes.inc({ repository: 'raw' }, 1200)
    const { body } = await call('GET', '/stats')
    expect([body.replicas, body.since]).toEqual([1, expect.stringMatching(/^\d{4}-/)])
    expect(body.repositories).toEqual([
      {
        ...{ repository: 'raw', requests: 12, outcomes: { hit: 6, revalidated: 3, miss: 3 }, hitRate: 0.75 },
        ...{ bytesSent: 1200, bytesFetched: 0 },
      },
      { repository: 'other', requests: 0, outcomes: {}, hitRate: null, bytesSent: 0, bytesFetched: 0 },
    ])
  })
})

describe('artifacts', () => {
  it('are listed page by page, to the end', async () => {
    const { call, put } = adminStage()
    const paths = ['a', 'b/1', 'b/2', 'b/3', 'c?x=1']
    for (const path of paths) put(`raw/${path}`)
    put('rawer/a')
    put('other/a')
    const seen: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const query: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`
      const { body } = await call('GET', `/artifacts?repository=raw&limit=2${query}`)
      expect(body.artifacts.length).toBeLessThanOrEqual(2)
      seen.push(...body.artifacts.map(({ path }: { path: string }) => path))
      after = body.next
    }
    expect(seen).toEqual(paths)
  })

  it.each([
    ['prefix=b/', ['b/1.tgz', 'b/2.zip']],
    ['glob=**/*.tgz', ['a.tgz', 'b/1.tgz']],
    ['glob=b/*', ['b/1.tgz', 'b/2.zip']],
    ['glob=b/*.tgz&prefix=c', []],
    ['glob=*.tgz&prefix=b', []],
    ['glob=b/2.zip&prefix=b', ['b/2.zip']],
  ])('by %s', async (query, expected) => {
    const { call, put } = adminStage()
    for (const path of ['a.tgz', 'b/1.tgz', 'b/2.zip', 'c']) put(`raw/${path}`)
    const { body } = await call('GET', `/artifacts?repository=raw&${query}`)
    expect(body.artifacts.map(({ path }: { path: string }) => path)).toEqual(expected)
    expect(body.next).toBeNull()
  })

  it('one of them, with its freshness now', async () => {
    const { call, put } = adminStage()
    put('raw/a.tgz?v=1', ['ETag', '"x"', 'Content-Type', 'application/gzip', 'Cache-Control', 'max-age=60'])
    for (const path of ['a.tgz?v=1', '/a.tgz?v=1']) {
      const { body } = await call('GET', `/artifacts/remote.test?path=${encodeURIComponent(path)}`)
      expect(body).toMatchObject({
        repository: 'raw',
        path: 'a.tgz?v=1',
        bytes: 3,
        variants: 1,
        pinned: false,
        current: true,
      })
      const [details] = body.details
      expect(details).toMatchObject({ status: 200, etag: '"x"', contentType: 'application/gzip', size: 3, fresh: true })
      expect(details.sha256).toMatch(/^0{64}$/)
      expect(details.ttl).toBeGreaterThan(50)
      expect(details.ttl).toBeLessThanOrEqual(60)
    }
  })

  it.each([
    [{ path: 'a/b.tgz' }, { by: 'path', pattern: 'a/b.tgz' }, false],
    [{ path: '/a/b.tgz?x=1', soft: true }, { by: 'path', pattern: 'a/b.tgz?x=1' }, true],
    [{ prefix: 'a/' }, { by: 'prefix', pattern: 'a/' }, false],
    [{ glob: '**/*.tgz' }, { by: 'glob', pattern: '**/*.tgz' }, false],
    [{ all: true }, { by: 'all', pattern: '' }, false],
  ])('K5: are purged by %j', async (named, selection, soft) => {
    const { call, purges } = adminStage()
    const { status, body } = await call('POST', '/purge', { body: { repository: 'remote.test', ...named } })
    expect([status, body]).toEqual([200, { records: 1, bytes: 3 }])
    expect(purges).toEqual([{ selection: { repository: 'raw', ...selection }, soft }])
  })

  it.each([[{ prefix: '' }], [{ prefix: '/' }], [{ glob: '' }], [{ all: false }], [{}]])(
    'K5: are not all purged by %j, as a variable that is not set makes it',
    async (named) => {
      const { call, purges } = adminStage()
      const { status, body } = await call('POST', '/purge', { body: { repository: 'raw', ...named } })
      expect([status, body.code, purges]).toEqual([400, 'REQUEST_INVALID', []])
    },
  )

  it('K6: are pinned and unpinned', async () => {
    const { call, put } = adminStage()
    put('raw/jdk/a')
    const pinned = async () => (await call('GET', '/artifacts/raw?path=jdk/a')).body.pinned
    const { body } = await call('POST', '/pins', { body: { repository: 'raw', prefix: 'jdk/' } })
    expect(body).toEqual({ pins: [{ repository: 'raw', by: 'prefix', pattern: 'jdk/' }] })
    expect(await pinned()).toBe(true)
    expect((await call('GET', '/pins')).body.pins).toHaveLength(1)
    expect((await call('DELETE', '/pins?repository=raw&prefix=jdk/')).body).toEqual({ unpinned: true })
    expect((await call('DELETE', '/pins?repository=raw&prefix=jdk/')).body).toEqual({ unpinned: false })
    expect(await pinned()).toBe(false)
  })
})

describe('tasks', () => {
  it('D4: verify runs, shows its progress, and what it found', async () => {
    const { call, put, verifyBy } = adminStage()
    put('raw/a')
    let end = () => {}
    verifyBy(async ({ rate, onProgress, onDamaged }) => {
      onProgress?.({ checked: 1, bytes: rate ?? 0, damaged: 1 })
      onDamaged?.({ key: 'raw/jdk/a', digest: `sha256:${'0'.repeat(64)}`, reason: 'digest' })
      onDamaged?.({ key: 'v1/raw/b/00ff', reason: 'record' })
      await new Promise<void>((resolve) => {
        end = resolve
      })
      return { checked: 2, bytes: 30, damaged: 2 }
    })
    const { status, body } = await call('POST', '/tasks', { body: { kind: 'verify', rate: 20 } })
    expect([status, body.state]).toEqual([200, 'running'])
    const again = await call('POST', '/tasks', { body: { kind: 'verify' } })
    expect([again.status, again.body.code]).toEqual([409, 'TASK_RUNNING'])
    const running = await call('GET', `/tasks/${body.id}`)
    expect(running.body).toMatchObject({ progress: { checked: 1, bytes: 20, damaged: 1, records: 1 }, endedAt: null })
    end()
    const { body: ended } = await call('GET', `/tasks/${body.id}/events`)
    expect(ended).toMatch(/^event: task\ndata: \{.*"state":"done".*\}\n\n$/s)
    expect((await call('GET', '/tasks')).body.tasks).toMatchObject([
      {
        state: 'done',
        progress: { checked: 2, bytes: 30, damaged: 2 },
        findings: [
          { repository: 'raw', path: 'jdk/a', sha256: '0'.repeat(64), reason: 'digest' },
          { repository: 'raw', path: 'b/00ff', sha256: null, reason: 'record' },
        ],
      },
    ])
  })

  it('are cancelled', async () => {
    const { call, verifyBy } = adminStage()
    verifyBy(({ signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))))
    const { body } = await call('POST', '/tasks', { body: { kind: 'verify' } })
    expect((await call('DELETE', `/tasks/${body.id}`)).status).toBe(200)
    expect((await call('GET', `/tasks/${body.id}`)).body.state).toBe('cancelled')
  })

  it('of a kind that there is not, or watched by an unknown id: refused', async () => {
    const { call } = adminStage()
    const { status, body } = await call('POST', '/tasks', { body: { kind: 'warm' } })
    expect([status, body.code]).toEqual([400, 'REQUEST_INVALID'])
    expect((await call('GET', '/tasks/1/events')).body.code).toBe('TASK_UNKNOWN')
  })
})

describe('the audit log', () => {
  it('has a line for each change: who, what, how it went', async () => {
    const { call, logs } = adminStage()
    await call('GET', '/repositories')
    await call('POST', '/purge', { body: { repository: 'raw', path: 'a?sig=SECRET' } })
    await call('POST', '/purge', { body: { repository: 'unknown', all: true } })
    await call('DELETE', '/pins?repository=raw&glob=*')
    await call('POST', '/repositories/raw/block')
    const lines = logs.filter(({ audit }) => audit === true)
    const who = { client: '192.0.2.1', token: 'ops' }
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatchObject({ ...who, action: 'POST /purge', repository: 'raw', path: 'a?sig=', status: 200 })
    expect(lines[1]).toMatchObject({
      ...who,
      repository: 'unknown',
      all: true,
      status: 404,
      code: 'REPOSITORY_UNKNOWN',
    })
    expect(lines[2]).toMatchObject({ ...who, action: 'DELETE /pins', glob: '*' })
    expect(lines[3]).toMatchObject({ ...who, action: 'POST /repositories/raw/block', status: 200 })
    expect(JSON.stringify(logs)).not.toMatch(/SECRET|an-admin-token/)
  })
})
