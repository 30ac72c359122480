import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTokenSet, presentedToken } from '../../src/http/auth.js'
import { mswRemote } from '../proxy/remote.js'
import { get, run } from '../support/http.js'
import { inFront } from '../support/in-process.js'
import { until } from '../support/stage.js'

const remote = mswRemote()

const readToken = 'a-token-that-may-read'
const adminToken = 'a-token-that-may-all-else'

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

async function tokenFiles() {
  const directory = await mkdtemp(join(tmpdir(), 'larder-tokens-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const files = { LARDER_READ_TOKENS_FILE: join(directory, 'read'), LARDER_ADMIN_TOKEN_FILE: join(directory, 'admin') }
  await writeFile(files.LARDER_READ_TOKENS_FILE, `# for the runners\n\nci: ${readToken}\nanother-token-that-reads\n`)
  await writeFile(files.LARDER_ADMIN_TOKEN_FILE, `${adminToken}\n`)
  return files
}

describe('O5: reading with a token', () => {
  it.each([
    ['nothing', {}],
    ['a wrong token', bearer('a-token-that-is-not-known')],
    ['an empty token', { authorization: 'Bearer ' }],
    ['a part of one', bearer(readToken.slice(0, -1))],
    ['the token as the user', basic(readToken, '')],
    ['another scheme', { authorization: `Digest ${readToken}` }],
    ['no scheme', { authorization: readToken }],
    ['no base64', { authorization: 'Basic %%%' }],
  ])('%s: 401 with a challenge, an empty body, and nothing asked', async (_, headers) => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url, {}, await tokenFiles())
    for (const method of ['GET', 'HEAD', 'POST']) {
      const { status, header, body } = await larder.get('/a', headers, { method })
      expect([status, header('x-larder-error'), header('content-length')]).toEqual([401, 'UNAUTHORIZED', '0'])
      expect(header('www-authenticate')).toBe('Basic realm="larder", Bearer realm="larder"')
      expect(body).toHaveLength(0)
    }
    expect((await get(`${larder.url}/repository/unknown/a`, { headers })).status).toBe(401)
    expect(remote.requests).toHaveLength(0)
  })

  it.each([
    ['a bearer token', bearer(readToken)],
    ['whatever the case of the scheme', { authorization: `bEARER ${readToken}` }],
    ['basic, any user', basic('any', readToken)],
    ['basic, no user', basic('', readToken)],
    ['another line of the file', bearer('another-token-that-reads')],
    ['an admin token', bearer(adminToken)],
  ])('%s: served', async (_, headers) => {
    remote.answer('/a', { body: 'bytes' })
    const larder = await inFront(remote.url, {}, await tokenFiles())
    expect((await larder.get('/a', headers)).body.toString()).toBe('bytes')
  })

  it('also from the cache', async () => {
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=60' } })
    const larder = await inFront(remote.url, {}, await tokenFiles())
    await larder.warm('/a', bearer(readToken))
    expect((await larder.get('/a')).status).toBe(401)
    expect((await larder.get('/a', bearer(readToken))).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('health and metrics stay open, the API wants the admin', async () => {
    const larder = await inFront(remote.url, {}, await tokenFiles())
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await get(larder.url + path)).status).toBe(200)
    const api = `${larder.url}/api/v1/repositories`
    expect((await get(api, { headers: bearer(readToken) })).status).toBe(401)
    expect((await get(api, { headers: bearer(adminToken) })).status).toBe(200)
  })

  it('curl, with the token as password', async () => {
    remote.answer('/a', { body: 'bytes' })
    const larder = await inFront(remote.url, {}, await tokenFiles())
    const { stdout } = await run('curl', ['-sf', '-u', `ci:${readToken}`, larder.at('/a')])
    expect(stdout.toString()).toBe('bytes')
    const inUrl = larder.at('/a').replace('http://', `http://ci:${readToken}@`)
    expect((await run('curl', ['-sf', inUrl])).stdout.toString()).toBe('bytes')
  })
})

describe('U1: a token of ours ends here', () => {
  it.each([
    ['a read token', readToken],
    ['an admin token', adminToken],
  ])('%s is not forwarded and makes nothing private, whatever is forwarded', async (_, token) => {
    remote.answer('/a', { headers: { 'Cache-Control': 'max-age=60' } })
    const larder = await inFront(remote.url, { forwardRequestHeaders: 'all' }, await tokenFiles())
    await larder.warm('/a', bearer(token))
    expect(remote.requests[0]?.headers.get('authorization')).toBeNull()
    expect((await larder.get('/a', basic('other', readToken))).header('cache-status')).toMatch(/^larder; hit/)
    expect(remote.requests).toHaveLength(1)
  })

  it('an admin token that was sent to an anonymous route is not forwarded either', async () => {
    remote.answer('*', {})
    const { LARDER_ADMIN_TOKEN_FILE } = await tokenFiles()
    const larder = await inFront(remote.url, { forwardRequestHeaders: 'all' }, { LARDER_ADMIN_TOKEN_FILE })
    await larder.get('/a', bearer(adminToken))
    await larder.get('/b', bearer('a-token-of-the-remote'))
    const seen = remote.requests.map(({ headers }) => headers.get('authorization'))
    expect(seen).toEqual([null, 'Bearer a-token-of-the-remote'])
  })

  it('no token is in any log', async () => {
    remote.answer('/a', {})
    const larder = await inFront(remote.url, {}, await tokenFiles())
    await larder.get(`/a?token=${readToken}`, basic('x', readToken))
    await larder.get('/a', bearer('a-wrong-token-that-is-secret'))
    const lines = JSON.stringify([await larder.accessLog(2), larder.logs])
    expect(lines).not.toMatch(/a-token-that|a-wrong-token/)
  })
})

describe('O5: the files of tokens', () => {
  it('are read again on reload; a bad one leaves the old in force', async () => {
    remote.answer('/a', {})
    const files = await tokenFiles()
    const larder = await inFront(remote.url, {}, files)
    await writeFile(files.LARDER_READ_TOKENS_FILE, 'a-new-token-that-reads\n')
    await larder.reconfigure(remote.url)
    expect((await larder.get('/a', bearer(readToken))).status).toBe(401)
    expect((await larder.get('/a', bearer('a-new-token-that-reads'))).status).toBe(200)
    await writeFile(files.LARDER_READ_TOKENS_FILE, 'short\n')
    await larder.reconfigure(remote.url)
    expect((await larder.get('/a', bearer('a-new-token-that-reads'))).status).toBe(200)
    const said = larder.logs.filter(({ level }) => level === 50).map((line) => JSON.stringify(line))
    expect(said.join()).toContain(`${files.LARDER_READ_TOKENS_FILE}:1:1`)
    expect(said.join()).not.toContain('short')
  })

  it('are watched: a change counts without a signal', async () => {
    remote.answer('/a', {})
    const files = await tokenFiles()
    const larder = await inFront(remote.url, {}, files)
    await writeFile(files.LARDER_READ_TOKENS_FILE, 'a-new-token-that-reads\n')
    await until(async () => (await larder.get('/a', bearer('a-new-token-that-reads'))).status === 200, 'it counts')
  })

  it('one admin token is made where none is configured, for its owner alone, and stays over restarts', async () => {
    const larder = await inFront(remote.url)
    const file = join(larder.data, 'admin-token')
    const text = await readFile(file, 'utf8')
    const [, token = ''] = /^admin: ([\w-]{43})\n$/.exec(text) ?? []
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const api = `${larder.url}/api/v1/repositories`
    expect((await get(api, { headers: bearer(token) })).status).toBe(200)
    expect(larder.logs.some((line) => line.file === file)).toBe(true)
    expect(JSON.stringify(larder.logs)).not.toContain(token)
    await larder.stop()
    const again = await inFront(remote.url, {}, { LARDER_DATA: larder.data })
    expect(await readFile(file, 'utf8')).toBe(text)
    expect(again.logs.some((line) => line.file === file)).toBe(false)
  })
})

describe('presented tokens', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer   abc  ', 'abc'],
    [`Basic ${btoa('u:p:q')}`, 'p:q'],
    [`basic ${btoa(':p')}`, 'p'],
    [`Basic ${btoa('nocolon')}`, undefined],
    ['Bearer a b', undefined],
    ['Bearer', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (field, token) => {
    expect(presentedToken(field)).toBe(token)
  })

  it('are known by their whole text', () => {
    const tokens = createTokenSet([
      { name: 'a', secret: 'one' },
      { name: 'b', secret: 'two' },
    ])
    expect(['one', 'two', 'on', 'onee', ''].map((secret) => tokens.nameOf(secret))).toEqual([
      'a',
      'b',
      undefined,
      undefined,
      undefined,
    ])
  })
})
