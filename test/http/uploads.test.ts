import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { adminToken } from '../support/admin.js'
import { get, type Received, type RequestOptions } from '../support/http.js'
import { hosting, type InProcess } from '../support/in-process.js'
import { filesUnder, noise, type Settings, temporaryDirectory } from '../support/stage.js'
import { blobFile } from '../support/store-audit.js'

const writeToken = 'a-token-that-may-write'
const readToken = 'a-token-that-may-read'

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const basic = (user: string, password: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

type Fields = Readonly<Record<string, string>>

interface Hosting extends InProcess {
  send(method: string, path: string, options?: RequestOptions): Promise<Received>
  put(path: string, body: string | Uint8Array, headers?: Fields): Promise<Received>
  remove(path: string, headers?: Fields): Promise<Received>
}

/** A hosted repository `raw`, and who may write to it. */
async function host(settings: Settings = {}, env: Fields = {}, others: Settings = {}): Promise<Hosting> {
  const file = join(await temporaryDirectory(), 'write')
  await writeFile(file, `ci: ${writeToken}\n`)
  const larder = await hosting(settings, { LARDER_WRITE_TOKENS_FILE: file, ...env }, { repositories: others })
  const send = (method: string, path: string, { headers = {}, ...options }: RequestOptions = {}) =>
    get(larder.at(path), { method, headers: { ...bearer(writeToken), ...headers }, ...options })
  return {
    ...larder,
    send,
    put: (path, body, headers = {}) => send('PUT', path, { body, headers }),
    remove: (path, headers = {}) => send('DELETE', path, { headers }),
  }
}

const hash = (algorithm: string, bytes: string | Uint8Array) => createHash(algorithm).update(bytes)
const sha256 = (bytes: string | Uint8Array) => hash('sha256', bytes).digest('hex')
const said = ({ status, header }: Received) => [status, header('x-larder-error')]

describe('H1: what was uploaded is served', () => {
  it.each([
    ['small', noise(100)],
    ['of no bytes', noise(0)],
    ['large', noise(300_000)],
  ])('%s: as a hit that never goes stale, with a strong validator', async (_, body) => {
    const larder = await host()
    const created = await larder.put('/a/x.bin', body)
    expect(said(created)).toEqual([201, undefined])
    expect(created.header('location')).toBe('/repository/raw/a/x.bin')
    expect(created.header('etag')).toBe(`"${sha256(body)}"`)
    expect(created.header('x-checksum-sha256')).toBe(sha256(body))
    expect(created.body).toHaveLength(0)
    const served = await larder.get('/a/x.bin', { 'Cache-Control': 'no-cache' })
    expect(served.body.equals(body)).toBe(true)
    expect(served.header('cache-status')).toBe('larder; hit')
    for (const name of ['etag', 'x-checksum-sha256']) expect(served.header(name)).toBe(created.header(name))
    expect(served.header('content-type')).toBe('application/octet-stream')
    expect(served.header('last-modified')).toBe(served.header('date'))
    expect((await larder.head('/a/x.bin')).header('content-length')).toBe(String(body.length))
    const etag = created.header('etag') ?? ''
    expect((await larder.get('/a/x.bin', { 'If-None-Match': etag })).status).toBe(304)
  })

  it('with its Content-Type and Content-Encoding, and no other field of the upload', async () => {
    const larder = await host()
    const fields = { 'Content-Type': 'application/gzip', 'Content-Encoding': 'zstd', 'Cache-Control': 'no-store' }
    await larder.put('/a', 'bytes', { ...fields, 'X-Own': 'x', 'Set-Cookie': 'a=b' })
    const { rawHeaders, header } = await larder.get('/a')
    expect([header('content-type'), header('content-encoding')]).toEqual(['application/gzip', 'zstd'])
    expect(rawHeaders.filter((text) => /^(cache-control|x-own|set-cookie)$/i.test(text))).toEqual([])
  })

  it.each(['?.tgz', '?original', '?a=b', '?'])(
    'whatever the query, by itself and through a group: %s',
    async (query) => {
      const larder = await host({}, {}, { all: { type: 'group', members: ['raw'] } })
      const body = noise(20_000)
      await larder.put('/v1.tar.gz', body)
      for (const name of ['raw', 'all']) {
        const answer = await get(`${larder.url}/repository/${name}/v1.tar.gz${query}`)
        expect([name, answer.status, answer.body.equals(body)]).toEqual([name, 200, true])
      }
    },
  )

  it('by range, and by the spelling it was uploaded under alone', async () => {
    const larder = await host()
    await larder.put('/a%2Bb', 'abcdef')
    expect((await larder.get('/a%2Bb', { Range: 'bytes=2-3' })).body.toString()).toBe('cd')
    for (const path of ['/a+b', '/a%2bb', '/A%2Bb']) {
      expect(said(await larder.get(path))).toEqual([404, 'ARTIFACT_UNKNOWN'])
    }
  })

  it('what was not is a 404 nobody is asked for', async () => {
    const larder = await host()
    const { header, status, body } = await larder.get('/nothing', { 'Cache-Control': 'only-if-cached' })
    expect([status, header('x-larder-error'), header('cache-status')]).toEqual([404, 'ARTIFACT_UNKNOWN', 'larder; hit'])
    expect(body).toHaveLength(0)
    expect(await larder.metric('larder_requests_total', { outcome: 'negative' })).toBe(1)
  })

  it('a reload leaves it, as it does for a repository that is hosted no more', async () => {
    const larder = await host()
    await larder.put('/a', 'bytes')
    await larder.reconfigure('http://127.0.0.1:1', { blocked: true })
    await larder.reconfigure(undefined, { type: 'hosted' })
    expect((await larder.get('/a')).body.toString()).toBe('bytes')
  })
})

describe('H2: who may write', () => {
  it.each([
    ['nothing', {}],
    ['a wrong token', bearer('a-token-that-is-not-known')],
    ['one that may only read', bearer(readToken)],
    ['the token as the user', basic(writeToken, '')],
  ])('%s: 401 with a challenge and an empty body, and nothing stored', async (_, headers) => {
    const reading = join(await temporaryDirectory(), 'read')
    await writeFile(reading, `${readToken}\n`)
    const larder = await host({}, { LARDER_READ_TOKENS_FILE: reading })
    await larder.put('/kept', 'bytes')
    for (const [method, path] of [
      ['PUT', '/a'],
      ['DELETE', '/kept'],
    ] as const) {
      const refused = await get(larder.at(path), { method, headers, ...(method === 'PUT' && { body: 'bytes' }) })
      expect([...said(refused), refused.body.length]).toEqual([401, 'UNAUTHORIZED', 0])
      expect(refused.header('www-authenticate')).toBe('Basic realm="larder", Bearer realm="larder"')
    }
    expect((await larder.get('/a', bearer(readToken))).status).toBe(404)
    expect((await larder.get('/kept', bearer(readToken))).status).toBe(200)
  })

  it.each([
    ['a bearer token', async () => bearer(writeToken)],
    ['basic, with the token as password', async () => basic('ci', writeToken)],
    ['an admin token', async (larder: Hosting) => bearer(await adminToken(larder))],
  ])('%s: granted, and may read', async (_, fieldsFor) => {
    const reading = join(await temporaryDirectory(), 'read')
    await writeFile(reading, `${readToken}\n`)
    const larder = await host({}, { LARDER_READ_TOKENS_FILE: reading })
    const fields = await fieldsFor(larder)
    expect((await larder.put('/a', 'bytes', fields)).status).toBe(201)
    expect((await larder.get('/a')).status).toBe(401)
    expect((await larder.get('/a', fields)).body.toString()).toBe('bytes')
    expect((await larder.remove('/a', fields)).status).toBe(204)
  })

  it('without tokens that may write, only an admin may', async () => {
    const larder = await hosting()
    const put = async (headers: Fields) => (await get(larder.at('/a'), { method: 'PUT', body: 'x', headers })).status
    expect(await put(bearer(writeToken))).toBe(401)
    expect(await put(bearer(await adminToken(larder)))).toBe(201)
  })

  it('guesses are slowed down, together with those of the API', async () => {
    const larder = await host()
    const guess = (url: string, method: string) => get(url, { method, headers: bearer('a-guess-of-a-token') })
    for (let i = 0; i < 5; i += 1) {
      expect((await guess(larder.at('/a'), 'PUT')).status).toBe(401)
      expect((await guess(`${larder.url}/api/v1/stats`, 'GET')).status).toBe(401)
    }
    expect((await guess(larder.at('/a'), 'DELETE')).status).toBe(429)
    expect((await larder.put('/a', 'bytes')).status).toBe(429)
  })

  it('O5: each change leaves a line: who, what, and how it went', async () => {
    const larder = await host()
    await larder.put('/a', 'bytes')
    await larder.put('/a', 'others')
    await larder.remove('/a?signature=secret')
    await larder.remove('/a')
    const lines = larder.logs.filter(({ audit }) => audit)
    const about = { token: 'ci', client: '127.0.0.1', repository: 'raw' }
    expect(lines.map(({ level: _, time: __, msg: ___, ...line }) => line)).toEqual([
      {
        ...{ ...about, audit: true, action: 'PUT /repository', path: 'a', status: 201 },
        ...{ sha256: sha256('bytes'), result: 'created' },
      },
      { ...about, audit: true, action: 'PUT /repository', path: 'a', status: 409, code: 'ARTIFACT_IMMUTABLE' },
      { ...about, audit: true, action: 'DELETE /repository', path: 'a?signature=', status: 400, code: 'PATH_INVALID' },
      { ...about, audit: true, action: 'DELETE /repository', path: 'a', status: 204 },
    ])
    const access = await larder.accessLog(4)
    expect(access.map(({ method, outcome, status }) => [method, outcome, status])).toEqual([
      ['PUT', 'upload', 201],
      ['PUT', 'upload', 409],
      ['DELETE', 'upload', 400],
      ['DELETE', 'upload', 204],
    ])
    for (const result of ['created', 'refused', 'deleted']) {
      expect(await larder.metric('larder_uploads_total', { result })).toBe(result === 'refused' ? 2 : 1)
    }
  })
})

describe('H3: every checksum that is sent is held to', () => {
  const body = noise(20_000)
  const base64 = (algorithm: string, bytes = body) => hash(algorithm, bytes).digest('base64')
  const other = noise(10)
  const forms: [string, (bytes: Buffer) => Fields][] = [
    ['X-Checksum-Sha256', (bytes) => ({ 'X-Checksum-Sha256': sha256(bytes) })],
    ['X-Checksum-Sha256 in capitals', (bytes) => ({ 'X-Checksum-Sha256': sha256(bytes).toUpperCase() })],
    ['X-Checksum-Md5', (bytes) => ({ 'X-Checksum-Md5': hash('md5', bytes).digest('hex') })],
    ['Content-MD5', (bytes) => ({ 'Content-MD5': base64('md5', bytes) })],
    ['Repr-Digest', (bytes) => ({ 'Repr-Digest': `sha-512=:AA==:, sha-256=:${base64('sha256', bytes)}:` })],
    ['Content-Digest', (bytes) => ({ 'Content-Digest': `sha-256=:${base64('sha256', bytes)}:` })],
    ['x-amz-checksum-sha256', (bytes) => ({ 'x-amz-checksum-sha256': base64('sha256', bytes) })],
    [
      'SHA-1 beside one that can be checked',
      (bytes) => ({ 'X-Checksum-Sha1': '0'.repeat(40), 'X-Checksum-Sha256': sha256(bytes) }),
    ],
  ]

  it.each(forms)('%s', async (_, fieldsOf) => {
    const larder = await host()
    expect(said(await larder.put('/a', body, fieldsOf(other)))).toEqual([400, 'CHECKSUM_MISMATCH'])
    expect((await larder.get('/a')).status).toBe(404)
    expect(await filesUnder(join(larder.data, 'staging'))).toEqual([])
    expect((await larder.put('/a', body, fieldsOf(body))).status).toBe(201)
  })

  it.each<[string, Fields, RegExp]>([
    ['SHA-1 alone', { 'X-Checksum-Sha1': '0'.repeat(40) }, /X-Checksum-Sha1 alone can't be checked/],
    ['SHA-512 alone', { 'Repr-Digest': 'sha-512=:AA==:' }, /Repr-Digest alone can't be checked/],
    ['a digest that is none', { 'X-Checksum-Sha256': 'abc' }, /X-Checksum-Sha256 is not a digest/],
    ['base64 that is none', { 'Content-MD5': '!' }, /Content-MD5 is not a digest/],
    [
      'two that differ',
      { 'X-Checksum-Sha256': sha256(body), 'Repr-Digest': `sha-256=:${base64('sha256', other)}:` },
      /contradicts another field/,
    ],
    ['a part', { 'Content-Range': 'bytes 0-9/100' }, /Content-Range/],
  ])('%s: 400, in clear words', async (_, fields, words) => {
    const larder = await host()
    const refused = await larder.put('/a', body, { ...fields, Accept: 'application/problem+json' })
    expect([refused.status, refused.header('x-larder-error')]).toEqual([400, 'REQUEST_INVALID'])
    expect(JSON.parse(refused.body.toString()).detail).toMatch(words)
    expect((await larder.get('/a')).status).toBe(404)
  })

  it('a pin of the repository counts too, and later ones for what is there', async () => {
    const larder = await host({ checksums: [{ match: 'a', sha256: sha256(body) }] })
    expect(said(await larder.put('/a', other))).toEqual([400, 'CHECKSUM_MISMATCH'])
    expect((await larder.put('/a', body)).status).toBe(201)
    await larder.reconfigure(undefined, { type: 'hosted', checksums: [{ match: 'a', sha256: sha256(other) }] })
    expect(said(await larder.get('/a'))).toEqual([502, 'INTEGRITY_MISMATCH'])
  })

  it('so does a list that was uploaded before', async () => {
    const larder = await host({ checksums: [{ match: '*.bin', from: '{path}.sha256' }] })
    expect(said(await larder.put('/a.bin', body))).toEqual([400, 'CHECKSUM_MISMATCH'])
    await larder.put('/a.bin.sha256', `${sha256(body)}  a.bin\n`)
    expect(said(await larder.put('/a.bin', other))).toEqual([400, 'CHECKSUM_MISMATCH'])
    expect((await larder.put('/a.bin', body)).status).toBe(201)
  })

  it.each<[string, string, Fields, unknown[]]>([
    ['a page as an archive', '/a.tgz', {}, [415, 'UPLOAD_TYPE_MISMATCH']],
    [
      'one that says so, encoded',
      '/a.tgz',
      { 'Content-Encoding': 'gzip', 'Content-Type': 'text/html' },
      [415, 'UPLOAD_TYPE_MISMATCH'],
    ],
    ['a page as itself', '/a.html', {}, [201, undefined]],
  ])('U4: %s', async (_, path, fields, answer) => {
    const larder = await host()
    expect(said(await larder.put(path, '<!doctype html><title>Log in</title>', fields))).toEqual(answer)
    expect((await larder.get(path)).status).toBe(answer[0] === 201 ? 200 : 404)
  })
})

describe('what was uploaded, by other ways', () => {
  const theirs = 'curl https://jdks.test/base/jdk.tgz\n'
  const rewriting = { rewrite: [{ match: '*.sh' }] }
  const jdks = { jdks: { remote: 'https://jdks.test/base' } }

  it('R2: rewritten where a rule says so, and anew once it was replaced', async () => {
    const larder = await host({ ...rewriting, redeploy: true }, {}, jdks)
    const ours = (text: string) => text.replace('https://jdks.test/base', `${larder.url}/repository/jdks`)
    for (const text of [theirs, `set -e\n${theirs}`]) {
      await larder.put('/a.sh', text)
      for (let i = 0; i < 2; i += 1) expect((await larder.warm('/a.sh')).body.toString()).toBe(ours(text))
      expect((await larder.get('/a.sh?original')).body.toString()).toBe(text)
    }
    await larder.remove('/a.sh')
    expect((await larder.get('/a.sh')).status).toBe(404)
  })

  it('through a group, which takes no upload itself', async () => {
    const others = { all: { type: 'group', members: ['raw', 'spare'] }, spare: { type: 'hosted' } }
    const larder = await host({}, {}, others)
    const all = (path: string) => `${larder.url}/repository/all${path}`
    const spare = `${larder.url}/repository/spare/a`
    const body = noise(20_000)
    await larder.put('/a', body)
    await get(spare, { method: 'PUT', headers: bearer(writeToken), body: noise(20_000) })
    expect((await get(all('/a'))).body.equals(body)).toBe(true)
    const refused = await get(all('/a'), { method: 'PUT', headers: bearer(writeToken), body })
    expect([refused.status, refused.header('allow')]).toEqual([405, 'GET, HEAD'])
    await larder.remove('/a')
    expect((await get(all('/a'))).header('etag')).toBe((await get(spare)).header('etag'))
  })
})

it('H2: one whose body is gone from the disk is trouble, no absence', async () => {
  const larder = await host()
  const body = noise(20_000)
  await larder.put('/a', body)
  await rm(blobFile(larder.data, `sha256:${sha256(body)}`))
  for (let i = 0; i < 2; i += 1) expect(said(await larder.get('/a'))).toEqual([500, 'STORE_FAULT'])
  expect(said(await larder.put('/a', noise(10)))).toEqual([409, 'ARTIFACT_IMMUTABLE'])
  expect((await larder.put('/a', body)).status).toBe(204)
  expect((await larder.get('/a')).body.equals(body)).toBe(true)
})

describe('H4: what is there is not replaced', () => {
  it('the same bytes again are a success that changes nothing, others a 409', async () => {
    const larder = await host()
    await larder.put('/a', 'bytes', { 'Content-Type': 'text/plain' })
    const before = await larder.get('/a')
    const again = await larder.put('/a', 'bytes', { 'Content-Type': 'text/html' })
    expect([again.status, again.header('etag')]).toEqual([204, before.header('etag')])
    expect(said(await larder.put('/a', 'others'))).toEqual([409, 'ARTIFACT_IMMUTABLE'])
    const after = await larder.get('/a')
    for (const name of ['content-type', 'last-modified', 'etag']) expect(after.header(name)).toBe(before.header(name))
    expect(after.body.toString()).toBe('bytes')
  })

  it('unless the repository lets it', async () => {
    const larder = await host({ redeploy: true })
    await larder.put('/a', 'bytes', { 'Content-Type': 'text/plain' })
    expect((await larder.put('/a', 'others')).status).toBe(204)
    expect((await larder.get('/a')).body.toString()).toBe('others')
    expect((await larder.put('/a', 'others', { 'Content-Type': 'text/plain' })).status).toBe(204)
    expect((await larder.get('/a')).header('content-type')).toBe('text/plain')
  })

  const etagOf = (body: string) => `"${sha256(body)}"`
  it.each<[string, Fields, boolean, string, number]>([
    ['If-None-Match: * where something is', { 'If-None-Match': '*' }, true, 'others', 412],
    ['If-None-Match: * with the same bytes', { 'If-None-Match': '*' }, true, 'bytes', 412],
    ['If-None-Match: * where nothing is', { 'If-None-Match': '*' }, false, 'bytes', 201],
    ['If-Match of what is there', { 'If-Match': etagOf('bytes') }, true, 'others', 204],
    ['If-Match of something else', { 'If-Match': etagOf('else') }, true, 'others', 412],
    ['If-Match where nothing is', { 'If-Match': '*' }, false, 'bytes', 412],
    ['If-Match: * where something is', { 'If-Match': '*' }, true, 'others', 204],
    ['If-Unmodified-Since long ago', { 'If-Unmodified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' }, true, 'others', 412],
  ])('%s', async (_, fields, isThere, body, status) => {
    const larder = await host({ redeploy: true })
    if (isThere) await larder.put('/a', 'bytes')
    expect((await larder.put('/a', body, fields)).status).toBe(status)
    const content = status < 300 ? body : isThere ? 'bytes' : ''
    expect((await larder.get('/a')).body.toString()).toBe(content)
  })

  it('of many uploads at once one is taken, and all of it', async () => {
    const larder = await host()
    const bodies = Array.from({ length: 8 }, () => noise(50_000))
    const answers = await Promise.all(bodies.map((body) => larder.put('/a', body)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409, 409, 409])
    const winner = bodies[answers.findIndex(({ status }) => status === 201)]
    expect((await larder.get('/a')).body.equals(winner ?? noise(0))).toBe(true)
    expect((await filesUnder(join(larder.data, 'blobs'))).length).toBe(1)
  })
})

describe('H5: deleting', () => {
  it('is for good, and lets other bytes in', async () => {
    const larder = await host()
    await larder.put('/a', 'bytes')
    expect((await larder.remove('/a')).status).toBe(204)
    expect((await larder.get('/a')).status).toBe(404)
    expect(said(await larder.remove('/a'))).toEqual([404, 'ARTIFACT_UNKNOWN'])
    expect((await larder.put('/a', 'others')).status).toBe(201)
  })

  it('If-Match: only what is meant', async () => {
    const larder = await host()
    await larder.put('/a', 'bytes')
    expect((await larder.remove('/a', { 'If-Match': `"${sha256('x')}"` })).status).toBe(412)
    expect((await larder.remove('/a', { 'If-Match': `"${sha256('bytes')}"` })).status).toBe(204)
  })
})

describe('Expect: 100-continue', () => {
  it('who was refused before he sent anything is not taken for having sent his next request', async () => {
    const larder = await host()
    const headers = { Expect: '100-continue', 'Content-Length': '5' }
    const refused = await get(larder.at('/a'), { method: 'PUT', headers, body: 'bytes' })
    expect([refused.status, refused.header('connection')]).toEqual([401, 'close'])
  })

  it('a body that is sent all the same, or without asking, is read away', async () => {
    const larder = await host()
    const refused = await get(larder.at('/a'), { method: 'PUT', body: noise(100_000) })
    expect([refused.status, refused.header('connection')]).toEqual([401, 'close'])
    expect(await larder.metric('larder_requests_total', { status: '401' })).toBe(1)
  })
})

describe('C1 C10: what is no upload', () => {
  it.each<[string, string, string, Settings, unknown[]]>([
    ['a query', 'PUT', '/a?x', {}, [400, 'PATH_INVALID']],
    ['a query on DELETE', 'DELETE', '/a?x', {}, [400, 'PATH_INVALID']],
    ['a folder', 'PUT', '/a/', {}, [400, 'PATH_INVALID']],
    ['the repository itself', 'PUT', '', {}, [400, 'PATH_INVALID']],
    ['dot segments', 'PUT', '/a/%2e%2e/b', {}, [400, 'PATH_INVALID']],
    ['a path that is blocked', 'PUT', '/secret/a', { block: ['secret/**'] }, [404, 'PATH_NOT_ROUTED']],
    ['a path that is blocked, on DELETE', 'DELETE', '/secret/a', { block: ['secret/**'] }, [404, 'PATH_NOT_ROUTED']],
    ['a path that is not allowed', 'PUT', '/b', { allow: ['a/**'] }, [404, 'PATH_NOT_ROUTED']],
  ])('%s', async (_, method, path, settings, answer) => {
    const larder = await host(settings)
    expect(said(await larder.send(method, path, method === 'PUT' ? { body: 'bytes' } : {}))).toEqual(answer)
  })

  it.each(['PUT', 'DELETE'])('%s to a name that is no repository: 404', async (method) => {
    const larder = await host()
    const headers = bearer(writeToken)
    const url = `${larder.url}/repository/misspelt/a`
    expect(said(await get(url, { method, headers, body: 'x' }))).toEqual([404, 'REPOSITORY_UNKNOWN'])
  })

  it.each([
    ['a hosted repository', undefined, { type: 'hosted' }, ['POST', 'PATCH', 'OPTIONS'], 'GET, HEAD, PUT, DELETE'],
    ['a proxy repository', 'http://127.0.0.1:1', {}, ['PUT', 'DELETE', 'POST'], 'GET, HEAD'],
  ])('C1: the other methods on %s: 405 with what is allowed', async (_, remote, settings, methods, allow) => {
    const larder = await host()
    await larder.reconfigure(remote, settings)
    for (const method of methods) {
      const { status, header } = await larder.send(method, '/a')
      expect([status, header('allow')]).toEqual([405, allow])
    }
  })
})

describe('H6: room', () => {
  it.each([
    ['a length that is told', {}],
    ['one that is not', { 'Transfer-Encoding': 'chunked' }],
  ])('over maxSize, with %s: 507, and what is there stays', async (_, fields) => {
    const larder = await host({ maxSize: '1MiB' })
    const body = noise(700_000)
    expect((await larder.put('/a', body)).status).toBe(201)
    expect(said(await larder.put('/b', noise(400_000), fields))).toEqual([507, 'UPLOAD_NO_ROOM'])
    expect((await larder.put('/c', noise(300_000), fields)).status).toBe(201)
    expect((await larder.get('/a')).body.equals(body)).toBe(true)
    expect((await larder.get('/b')).status).toBe(404)
    expect((await filesUnder(join(larder.data, 'staging'))).length).toBe(0)
  })
})
