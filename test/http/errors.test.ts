import { describe, expect, it } from 'vitest'
import { mswRemote } from '../proxy/remote.js'
import { get } from '../support/http.js'
import { inFront } from '../support/in-process.js'

const remote = mswRemote()

describe('C1: other methods than GET and HEAD', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'PURGE', 'TRACE'])(
    '%s: 405 with Allow, and nothing reaches the remote',
    async (method) => {
      const larder = await inFront(remote.url)
      const { status, header, body } = await larder.get('/a', {}, { method })
      expect(status).toBe(405)
      expect(header('allow')).toBe('GET, HEAD')
      expect(header('x-larder-error')).toBe('METHOD_NOT_ALLOWED')
      expect(body).toHaveLength(0)
      expect(remote.requests).toHaveLength(0)
    },
  )
})

describe('C9: what the status of the remote becomes when nothing is stored', () => {
  const passed = [400, 402, 405, 406, 409, 411, 412, 413, 414, 415, 416, 417, 418, 422, 423, 424, 426, 428, 431, 451]
  it.each([
    ...[404, 410, 403].map((status) => [status, status, 'UPSTREAM_ABSENT'] as const),
    ...[401, 407].map((status) => [status, 502, 'UPSTREAM_UNAUTHORIZED'] as const),
    ...[408, 429, 503].map((status) => [status, 503, 'UPSTREAM_OVERLOADED'] as const),
    ...[500, 501, 502, 505, 507, 599].map((status) => [status, 502, 'UPSTREAM_STATUS'] as const),
    [504, 504, 'UPSTREAM_TIMEOUT'] as const,
    ...passed.map((status) => [status, status, 'UPSTREAM_REFUSED'] as const),
    ...[204, 205, 206, 300, 304, 305].map((status) => [status, 502, 'UPSTREAM_INVALID'] as const),
  ])('%i becomes %i, %s', async (theirs, ours, code) => {
    remote.answer('/a', { status: theirs, headers: { ETag: '"x"', 'Content-Type': 'application/xml' }, body: '' })
    const larder = await inFront(remote.url)
    for (const method of ['GET', 'HEAD']) {
      const { status, header, body, ended } = await larder.get('/a', {}, { method })
      expect([status, header('x-larder-error'), header('content-length'), ended]).toEqual([ours, code, '0', 'end'])
      expect(body).toHaveLength(0)
      expect(header('etag')).toBeUndefined()
      expect(header('content-type')).toBeUndefined()
      expect(header('retry-after') !== undefined).toBe(ours === 503 || ours === 504)
      expect(header('cache-status')).toMatch(/^larder/)
      expect(header('x-request-id')).toBeDefined()
      expect(header('via')).toMatch(/^1\.1 larder-/)
    }
    const { status } = await larder.get('/a')
    expect(status).toBe(ours)
  })

  it('a body of the remote never becomes ours', async () => {
    remote.answer('/a', { status: 500, body: '<Error><Code>InternalError</Code></Error>' })
    const larder = await inFront(remote.url)
    expect((await larder.get('/a')).body).toHaveLength(0)
  })

  it('a remote that does not answer: 502', async () => {
    remote.die()
    const larder = await inFront(remote.url)
    const { status, header, body } = await larder.get('/a')
    expect([status, header('x-larder-error'), body.length]).toEqual([502, 'UPSTREAM_UNREACHABLE', 0])
  })

  it.each([
    ['asked for', '7', '7'],
    ['none asked for', undefined, '1'],
    ['too long to wait for', '3600', '10'],
    ['nonsense', 'soon', '1'],
  ])('Retry-After, %s: small', async (_, asked, told) => {
    remote.answer('/a', { status: 503, headers: asked === undefined ? {} : { 'Retry-After': asked } })
    const larder = await inFront(remote.url)
    expect((await larder.get('/a')).header('retry-after')).toBe(told)
  })
})

describe('C9: who gets a body with an error', () => {
  const javaDefault = 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2'
  it.each([
    ['curl', { accept: '*/*' }],
    ['Java', { accept: javaDefault }],
    ['a script in a page', { accept: 'text/html', 'sec-fetch-mode': 'cors' }],
    ['nobody in particular', {}],
  ])('%s: none', async (_, headers) => {
    remote.answer('/a', { status: 404 })
    const larder = await inFront(remote.url)
    const { body, header } = await larder.get('/a', headers as Record<string, string>)
    expect([body.length, header('content-length'), header('content-type')]).toEqual([0, '0', undefined])
  })

  it('Accept: application/problem+json: problem details (RFC 9457)', async () => {
    remote.answer('/a', { status: 404 })
    const larder = await inFront(remote.url)
    const { body, header, status } = await larder.get('/a', { accept: 'application/problem+json' })
    expect(header('content-type')).toBe('application/problem+json')
    expect(JSON.parse(body.toString())).toMatchObject({ status: 404, title: 'Not Found', code: 'UPSTREAM_ABSENT' })
    expect(status).toBe(404)
    const head = await larder.head('/a', { accept: 'application/problem+json' })
    expect([head.body.length, head.status, head.ended]).toEqual([0, 404, 'end'])
  })

  it('Sec-Fetch-Mode: navigate: a page that shows no markup of a visitor', async () => {
    const larder = await inFront(remote.url)
    const { body, header, status } = await get(`${larder.url}/repository/no<b>/x`, {
      headers: { 'sec-fetch-mode': 'navigate' },
    })
    expect([status, header('content-type')]).toEqual([400, 'text/html; charset=utf-8'])
    expect(body.toString()).toContain('PATH_INVALID')
    expect(body.toString()).not.toContain('<b>')
  })
})

describe('C9: our own refusals', () => {
  it('an unknown repository: 404, and nothing reaches any remote', async () => {
    const larder = await inFront(remote.url)
    const { status, header, body } = await get(`${larder.url}/repository/other/a`)
    expect([status, header('x-larder-error'), body.length]).toEqual([404, 'REPOSITORY_UNKNOWN', 0])
    expect(remote.requests).toHaveLength(0)
  })

  it.each([
    [8192, 404],
    [8193, 414],
  ])('a URL of %i bytes: %i', async (length, expected) => {
    remote.answer('*', { status: 404 })
    const larder = await inFront(remote.url)
    const { status } = await larder.get(`/${'a'.repeat(length - '/repository/raw/'.length)}`)
    expect(status).toBe(expected)
    expect(remote.requests).toHaveLength(expected === 414 ? 0 : 1)
  })

  it('C12: only-if-cached of what is not stored: 504, and nothing reaches the remote', async () => {
    const larder = await inFront(remote.url)
    const { status, header, body } = await larder.get('/a', { 'cache-control': 'only-if-cached' })
    expect([status, header('x-larder-error'), body.length]).toEqual([504, 'NOT_CACHED', 0])
    expect(remote.requests).toHaveLength(0)
  })
})
