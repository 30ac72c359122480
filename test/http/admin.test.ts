import { describe, expect, it } from 'vitest'
import { adminStage, bearer } from './admin-stage.js'

describe('O5: the admin API wants its token', () => {
  it.each([
    ['none', {}],
    ['a wrong one', bearer('not-the-admin-token')],
    ['a read token', bearer('a-token-that-may-read')],
    ['another scheme', { Authorization: 'Digest username="x"' }],
    ['an empty one', { Authorization: 'Bearer ' }],
  ])('%s: 401 with a challenge, and nothing done', async (_, headers) => {
    const { call, purges } = adminStage()
    for (const [method, path] of [
      ['GET', '/repositories'],
      ['POST', '/purge'],
      ['GET', '/nothing'],
    ] as const) {
      const { status, headers: fields, body } = await call(method, path, { headers })
      expect([status, body.code]).toEqual([401, 'UNAUTHORIZED'])
      expect(fields.get('www-authenticate')).toBe('Bearer realm="larder"')
      expect(fields.get('content-type')).toBe('application/problem+json')
    }
    expect(purges).toEqual([])
  })

  it('as a bearer token, or as the password of basic credentials', async () => {
    const { call } = adminStage()
    const basic = { Authorization: `Basic ${Buffer.from('any:an-admin-token-of-the-tests').toString('base64')}` }
    expect((await call('GET', '/repositories')).status).toBe(200)
    expect((await call('GET', '/repositories', { headers: basic })).status).toBe(200)
  })

  it('its description is open to all', async () => {
    const { call } = adminStage()
    expect((await call('GET', '/openapi.json', { headers: {} })).body.openapi).toBe('3.1.0')
    expect((await call('GET', '/', { headers: {} })).body).toContain('POST /api/v1/purge')
  })

  it('wrong tokens are logged without the token, and slowed down by address', async () => {
    const { call, logs } = adminStage()
    const guess = (from: string) => call('GET', '/repositories', { headers: bearer('guess-guess-guess'), from })
    for (let i = 0; i < 10; i += 1) expect((await guess('192.0.2.9')).status).toBe(401)
    const refused = await guess('192.0.2.9')
    expect([refused.status, refused.body.code]).toEqual([429, 'TOO_MANY_ATTEMPTS'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await guess('192.0.2.10')).status).toBe(401)
    expect((await call('GET', '/repositories', { from: '192.0.2.10' })).status).toBe(200)
    const warned = logs.filter(({ msg }) => msg === 'wrong admin token')
    expect(warned).toHaveLength(11)
    expect(warned[0]).toMatchObject({ client: '192.0.2.9', path: '/api/v1/repositories' })
    expect(JSON.stringify(logs)).not.toContain('guess-guess')
  })
})

describe('O5: what an answer of the API carries', () => {
  it.each([
    ['/repositories', bearer()],
    ['/openapi.json', {}],
    ['/', {}],
    ['/unknown', bearer()],
  ])('%s: not kept, not sniffed, no scripts, no CORS', async (path, headers) => {
    const { call } = adminStage()
    const { headers: fields } = await call('GET', path, { headers })
    expect(fields.get('cache-control')).toBe('no-store')
    expect(fields.get('x-content-type-options')).toBe('nosniff')
    expect(fields.get('content-security-policy')).toContain("default-src 'none'")
    expect([...fields.keys()].filter((name) => /^access-control|cookie/.test(name))).toEqual([])
  })

  it('the page holds nothing that comes from elsewhere', async () => {
    const { call } = adminStage()
    const { body, headers } = await call('GET', '/')
    expect(headers.get('content-type')).toMatch(/^text\/html/)
    expect(body).not.toMatch(/<script|<link|<img|src=|url\(|@import/)
    expect(body).not.toContain('undefined')
  })
})

describe('the input of the API', () => {
  it.each([
    ['no body', undefined, 'repository: '],
    ['an empty one', '', 'Content-Type'],
    ['no JSON', '{', 'Malformed JSON'],
    ['a list', [], 'expected object'],
    ['an unknown field', { repository: 'raw', path: 'a', sofft: true }, 'sofft'],
    ['a wrong type', { repository: 'raw', path: 1 }, 'path: '],
    ['no artifacts named', { repository: 'raw' }, 'exactly one of'],
    ['named twice', { repository: 'raw', path: 'a', glob: '*' }, 'exactly one of'],
    ['all, but false', { repository: 'raw', all: false }, 'all: '],
    ['no glob', { repository: 'raw', glob: 'a/{b' }, 'not a glob'],
    ['dot segments', { repository: 'raw', path: 'a/../../b' }, 'dot segment'],
  ])('%s: 400 that says why', async (_, body, detail) => {
    const { call, purges } = adminStage()
    const { status, body: problem } = await call('POST', '/purge', { body })
    expect(problem).toMatchObject({ status: 400, title: 'Bad Request', detail: expect.stringContaining(detail) })
    expect(['REQUEST_INVALID', 'PATH_INVALID']).toContain(problem.code)
    expect(status).toBe(400)
    expect(purges).toEqual([])
  })

  it('another content type than JSON: 400', async () => {
    const { call } = adminStage()
    const headers = { ...bearer(), 'Content-Type': 'text/plain', 'Content-Length': '2' }
    expect((await call('POST', '/purge', { body: '{}', headers })).body.detail).toContain('application/json')
  })

  it('a body beyond 64 KiB: 413', async () => {
    const { call } = adminStage()
    const body = { repository: 'raw', path: 'x'.repeat(70_000) }
    const { status, body: problem } = await call('POST', '/purge', { body })
    expect([status, problem.code]).toEqual([413, 'REQUEST_TOO_LARGE'])
  })

  it.each([
    ['/artifacts?repository=raw&prefx=a', 'prefx'],
    ['/artifacts', 'repository: '],
    ['/artifacts?repository=raw&limit=0', 'limit: '],
    ['/artifacts?repository=raw&limit=1001', 'limit: '],
  ])('%s: 400', async (path, detail) => {
    const { call } = adminStage()
    const { status, body } = await call('GET', path)
    expect([status, body.code]).toEqual([400, 'REQUEST_INVALID'])
    expect(body.detail).toContain(detail)
  })

  it.each([
    ['GET', '/nothing', 404, 'ROUTE_UNKNOWN'],
    ['DELETE', '/purge', 404, 'ROUTE_UNKNOWN'],
    ['GET', '/artifacts/unknown?path=a', 404, 'REPOSITORY_UNKNOWN'],
    ['GET', '/artifacts/raw?path=a', 404, 'ARTIFACT_UNKNOWN'],
    ['GET', '/tasks/1', 404, 'TASK_UNKNOWN'],
    ['POST', '/repositories/unknown/block', 404, 'REPOSITORY_UNKNOWN'],
  ])('%s %s: %i %s', async (method, path, expected, code) => {
    const { call } = adminStage()
    const { status, body } = await call(method, path)
    expect([status, body.code]).toEqual([expected, code])
  })
})
