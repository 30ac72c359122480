import { describe, expect, it } from 'vitest'
import { adminStage } from './admin-stage.js'

const started = async (call: ReturnType<typeof adminStage>['call'], body: unknown) =>
  (await call('POST', '/warm', { body })).body.id as string

/** Names and data of an answer of server-sent events. */
const eventsIn = (text: string) =>
  [...text.matchAll(/^event: (\w+)\ndata: (.*)$(?:\nid: (\d+))?/gm)].map(([, name, data = '', id]) => ({
    ...{ name, id, data: JSON.parse(data) },
  }))

describe('warm-ups', () => {
  it('are ordered, told of, and listed among the tasks', async () => {
    const { call, logs } = adminStage()
    const id = await started(call, { items: ['raw/{a,missing}'], rate: 1_000_000 })
    await call('GET', `/warm/${id}/events`)
    const { body } = await call('GET', `/warm/${id}`)
    expect(body.task).toMatchObject({
      kind: 'warm',
      state: 'done',
      progress: { items: 2, ready: 1, failed: 1, bytes: 3 },
    })
    expect(body.task.findings).toEqual([
      { repository: 'raw', path: 'missing', sha256: null, reason: 'UPSTREAM_ABSENT' },
    ])
    expect(body.items).toEqual([
      { item: 'raw/a', state: 'ready', how: 'fetched', bytes: 3, reason: null, detail: null },
      {
        ...{ item: 'raw/missing', state: 'failed', how: null, bytes: null },
        ...{ reason: 'UPSTREAM_ABSENT', detail: 'the remote answered 404' },
      },
    ])
    expect((await call('GET', '/tasks')).body.tasks[0].id).toBe(id)
    expect(logs.find(({ audit }) => audit)).toMatchObject({ action: 'POST /warm', items: 1, rate: 1_000_000 })
  })

  it('several run at a time', async () => {
    const { call } = adminStage()
    const statuses = await Promise.all([1, 2, 3].map(() => call('POST', '/warm', { body: { items: ['raw/a'] } })))
    expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  it('a dry run lists, and asks for nothing', async () => {
    const { call } = adminStage()
    const id = await started(call, { items: ['raw/{a,b}', 'nope/x'], dryRun: true })
    await call('GET', `/warm/${id}/events`)
    const { body } = await call('GET', `/warm/${id}`)
    expect(body.items.map(({ item, state }: Record<string, string>) => [item, state])).toEqual([
      ['nope/x', 'failed'],
      ['raw/a', 'listed'],
      ['raw/b', 'listed'],
    ])
  })

  it('are watched: each item once, then how it stands; on from where a watcher was', async () => {
    const { call } = adminStage()
    const id = await started(call, { items: ['raw/{a,b,c}'] })
    const all = eventsIn((await call('GET', `/warm/${id}/events`)).body)
    expect(all.filter(({ name }) => name === 'item').map(({ id, data }) => [id, data.item])).toEqual([
      ['1', 'raw/a'],
      ['2', 'raw/b'],
      ['3', 'raw/c'],
    ])
    expect(all.at(-1)).toMatchObject({ name: 'progress', data: { task: { state: 'done' }, filling: [] } })
    const headers = { Authorization: 'Bearer an-admin-token-of-the-tests', 'Last-Event-ID': '2' }
    const rest = eventsIn((await call('GET', `/warm/${id}/events`, { headers })).body)
    expect(rest.map(({ name, id }) => [name, id])).toEqual([
      ['item', '3'],
      ['progress', undefined],
    ])
  })

  it.each([
    ['nothing', {}, 'at least one of "items" and "from"'],
    ['an unknown field', { items: ['raw/a'], retries: 1 }, 'retries'],
    ['items that are none', { items: ['raw/a b'] }, 'items.0: '],
    ['too many of them', { items: ['raw/{1..20000}'] }, 'items.0: '],
    ['two sources in one', { from: [{ inventory: 'raw/a', s3: 'raw/b' }] }, 'from.0: names no source or several'],
    ['a list, which only the command reads', { from: [{ list: '/etc/passwd' }] }, 'list'],
    ['too many at a time', { items: ['raw/a'], concurrency: 1000 }, 'concurrency'],
  ])('are refused: %s', async (_, body, detail) => {
    const { call } = adminStage()
    const answer = await call('POST', '/warm', { body })
    expect([answer.status, answer.body.code]).toEqual([400, 'REQUEST_INVALID'])
    expect(answer.body.detail).toContain(detail)
  })

  it('an order may be long, but not endless', async () => {
    const { call } = adminStage()
    const items = Array.from({ length: 5000 }, (_, i) => `raw/${'x'.repeat(100)}/${i}`)
    expect((await call('POST', '/warm', { body: { items, dryRun: true } })).status).toBe(200)
    const endless = JSON.stringify({ items: ['x'.repeat(5 * 1024 * 1024)] })
    expect((await call('POST', '/warm', { body: endless })).status).toBe(413)
  })

  it('O5: need an admin token; unknown ones are told so', async () => {
    const { call } = adminStage()
    expect((await call('POST', '/warm', { body: { items: ['raw/a'] }, headers: {} })).status).toBe(401)
    const { body: verify } = await call('POST', '/tasks', { body: { kind: 'verify' } })
    for (const id of ['unknown', verify.id]) {
      expect((await call('GET', `/warm/${id}`)).body.code).toBe('TASK_UNKNOWN')
      expect((await call('GET', `/warm/${id}/events`)).body.code).toBe('TASK_UNKNOWN')
    }
  })
})
