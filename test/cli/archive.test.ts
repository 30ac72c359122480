import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract, pack } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { administer, adminToken } from '../support/admin.js'
import type { InProcess } from '../support/in-process.js'
import { filesUnder, noise, type Settings } from '../support/stage.js'
import { larder } from './larder-command.js'

/** A server with its remote, and the command line beside it. */
async function stage(settings: Settings = {}, env: Readonly<Record<string, string>> = {}) {
  const { origin, larder: server } = await behindSocket(settings, env)
  const beside = { LARDER_PORT: new URL(server.url).port, LARDER_DATA: server.data }
  return {
    origin,
    server,
    command: (...argv: string[]) => larder(argv, beside),
    exported: async (...argv: string[]) => (await larder(['export', ...argv], beside)).bytes ?? Buffer.alloc(0),
    imported: (bytes: Uint8Array, ...argv: string[]) => larder(['import', ...argv], beside, { bytesIn: bytes }),
  }
}

interface File {
  readonly name: string
  readonly content: Buffer
}

async function filesOf(archive: Uint8Array): Promise<File[]> {
  const tar = extract()
  Readable.from([archive]).pipe(tar as unknown as NodeJS.WritableStream)
  const files: File[] = []
  for await (const entry of tar)
    files.push({ name: entry.header.name, content: await buffer(entry as unknown as Readable) })
  return files
}

async function archiveOf(files: readonly File[], type: 'file' | 'symlink' = 'file'): Promise<Buffer> {
  const tar = pack()
  for (const { name, content } of files)
    tar.entry({ name, type, ...(type === 'symlink' && { linkname: '/etc/passwd' }) }, content)
  tar.finalize()
  return buffer(tar as unknown as Readable)
}

const told = ['etag', 'last-modified', 'content-type', 'x-checksum-sha256', 'repr-digest', 'date', 'vary'] as const

async function answer(server: InProcess, path: string, headers = {}) {
  const got = await server.get(path, headers)
  return {
    status: got.status,
    body: got.body.toString('hex'),
    ...Object.fromEntries(told.map((name) => [name, got.header(name)])),
  }
}

const staged = async ({ server }: { server: InProcess }) => (await filesUnder(`${server.data}/staging`)).length
const blobs = async ({ server }: { server: InProcess }) => (await filesUnder(`${server.data}/blobs`)).length

describe('larder export, larder import', () => {
  it('carry everything to a server whose remote is dead: same bytes, same fields, same freshness', async () => {
    const from = await stage()
    from.origin.put('/small.txt', noise(100))
    from.origin.put('/empty', '')
    from.origin.put('/large.tgz', noise(300_000))
    from.origin.put('/twin.tgz', from.origin.files.get('/large.tgz')?.body ?? '')
    from.origin.put('/a%20b/c+d?x=1', noise(20_000))
    from.origin.put('/varied', noise(40_000), { headers: { Vary: 'Accept' } })
    const requests = [
      ...['/small.txt', '/empty', '/large.tgz', '/twin.tgz', '/a%20b/c+d?x=1'].map((path) => [path, {}] as const),
      ['/varied', { Accept: 'text/html' }] as const,
      ['/varied', { Accept: 'text/plain' }] as const,
    ]
    for (const [path, headers] of requests) await from.server.warm(path, headers)
    expect((await from.command('pin', '--prefix', 'raw/a')).code).toBe(0)
    const archive = await from.exported()

    const to = await stage({ remote: from.origin.url })
    const ran = await to.imported(archive)
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/^6 imported, .* 0 here already.* 0 skipped\n$/) })
    await from.server.stop()
    await from.origin.stop()
    const wants = requests.map(([path, headers]) => [path, headers] as const)
    for (const [path, headers] of wants) {
      const got = await to.server.get(path, headers)
      expect(got.header('cache-status')).toMatch(/^larder; hit; ttl=/)
      expect(got.status).toBe(200)
    }
    expect((await to.command('pins')).out).toMatch(/prefix +raw\/a/)
    expect(await staged(to)).toBe(0)
    expect(await blobs(to)).toBe(3)
  })

  it('every answer is the same, to the byte', async () => {
    const from = await stage()
    from.origin.put('/small.txt', noise(100))
    from.origin.put('/large.tgz', noise(300_000))
    from.origin.put('/varied', noise(40_000), { headers: { Vary: 'Accept' } })
    const requests = [
      ['/small.txt', {}],
      ['/large.tgz', {}],
      ['/varied', { Accept: 'a/b' }],
      ['/varied', { Accept: 'c/d' }],
    ] as const
    for (const [path, headers] of requests) await from.server.warm(path, headers)
    const to = await stage({ remote: from.origin.url })
    expect((await to.imported(await from.exported())).code).toBe(0)
    for (const [path, headers] of requests) {
      expect(await answer(to.server, path, headers)).toEqual(await answer(from.server, path, headers))
    }
  })

  it('an export holds large bodies once, what was asked for alone, and reads like any tar', async () => {
    const { origin, server, exported } = await stage()
    const body = origin.put('/jdk/a.tgz', noise(50_000))
    for (const path of ['/jdk/b.tgz', '/jdk/c.zip', '/other.tgz']) origin.put(path, body)
    for (const path of ['/jdk/a.tgz', '/jdk/b.tgz', '/jdk/c.zip', '/other.tgz']) await server.warm(path)
    const keys = async (...argv: string[]) => {
      const files = await filesOf(await exported(...argv))
      expect(files.filter(({ name }) => name.startsWith('blobs/'))).toHaveLength(1)
      expect(files.at(0)?.name).toBe('larder-archive.json')
      expect(files.at(-1)?.name).toBe('end.json')
      return files
        .filter(({ name }) => name.startsWith('artifacts/'))
        .map(({ content }) => JSON.parse(content.toString()).key)
    }
    expect(await keys()).toEqual(['raw/jdk/a.tgz', 'raw/jdk/b.tgz', 'raw/jdk/c.zip', 'raw/other.tgz'])
    expect(await keys('--repository', 'raw', '--prefix', 'jdk/')).toHaveLength(3)
    expect(await keys('--glob', '**/*.zip')).toEqual(['raw/jdk/c.zip'])
  })

  it('what is there already is left as it is, and the archive may be sent again', async () => {
    const from = await stage()
    from.origin.put('/a.tgz', noise(50_000))
    from.origin.put('/b.tgz', noise(50_000))
    await from.server.warm('/a.tgz')
    await from.server.warm('/b.tgz')
    const archive = await from.exported()
    const to = await stage({ remote: from.origin.url })
    expect((await to.imported(archive)).out).toMatch(/^2 imported/)
    expect((await to.imported(archive)).out).toMatch(/^0 imported, 0 B; 2 here already/)
    expect((await to.imported(archive, '--force')).out).toMatch(/^0 imported, 0 B; 2 here already/)
    expect(await blobs(to)).toBe(2)
  })

  it('never replaces a newer copy with an older one, unless forced; and twins of it come all the same', async () => {
    const { origin, server, imported, exported } = await stage()
    const old = origin.put('/jvm.tgz', noise(50_000))
    origin.put('/v1.tgz', old)
    await server.warm('/jvm.tgz')
    await server.warm('/v1.tgz')
    const archive = await exported()
    await administer(server, 'POST', '/purge', { repository: 'raw', all: true })
    const fresh = origin.put('/jvm.tgz', noise(60_000))
    await server.warm('/jvm.tgz')
    expect(await imported(archive)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^1 imported, .*; 1 here already/),
    })
    expect((await server.get('/jvm.tgz')).body).toEqual(fresh)
    expect((await server.get('/v1.tgz')).body).toEqual(old)
    expect((await imported(archive, '--force')).out).toMatch(/^1 imported/)
    expect((await server.get('/jvm.tgz')).body).toEqual(old)
  })

  it('D5: of a repository that is not here, nothing comes: each artifact is named, exit code 1', async () => {
    const { origin, server, exported } = await stage()
    origin.put('/a.tgz', noise(50_000))
    await server.warm('/a.tgz')
    const files = await filesOf(await exported())
    const foreign = files.map(({ name, content }) => ({
      name,
      content: Buffer.from(content.toString('latin1').replaceAll('"raw/', '"elsewhere/'), 'latin1'),
    }))
    const to = await stage()
    const ran = await to.imported(await archiveOf(foreign))
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('skipped elsewhere/a.tgz: no repository here has that name')
    expect(await blobs(to)).toBe(0)
  })
})

describe('larder import of what is not whole', () => {
  async function archive() {
    const from = await stage()
    for (const path of ['/a.tgz', '/b.tgz', '/c.tgz']) {
      from.origin.put(path, noise(50_000))
      await from.server.warm(path)
    }
    const bytes = await from.exported()
    return { bytes, files: await filesOf(bytes), to: await stage({ remote: from.origin.url }) }
  }

  it.each([
    ['in a body', 0.5],
    ['behind a file', 1 - 4096 / 160_000],
  ])('cut %s: says where, and keeps what was whole', async (_, part) => {
    const { bytes, to } = await archive()
    const ran = await to.imported(bytes.subarray(0, Math.floor(bytes.length * part)))
    expect(ran.code).toBe(1)
    expect(ran.err).toMatch(
      /the archive is not whole, (in|behind) "(blobs|artifacts|end).*; [1-3] artifacts were imported before \(ARCHIVE_INVALID\)/,
    )
    expect((await to.server.get('/a.tgz')).header('cache-status')).toMatch(/^larder; hit/)
    expect(await staged(to)).toBe(0)
  })

  it('without its end: says so', async () => {
    const { files, to } = await archive()
    const ran = await to.imported(await archiveOf(files.slice(0, -1)))
    expect(ran).toMatchObject({ code: 1, err: expect.stringMatching(/breaks off; 3 artifacts were imported/) })
  })

  it('a flipped byte in a body: that artifact is left out, no other', async () => {
    const { files, to } = await archive()
    const at = files.findLastIndex(({ name }) => name.startsWith('blobs/'))
    files[at]?.content.writeUInt8((files[at]?.content.readUInt8(7) ?? 0) ^ 1, 7)
    const ran = await to.imported(await archiveOf(files))
    expect(ran).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^2 imported/),
      err: expect.stringContaining('skipped raw/c.tgz: its body is damaged'),
    })
    expect(await blobs(to)).toBe(2)
    expect(await staged(to)).toBe(0)
  })

  it.each([
    ['nothing at all', Buffer.alloc(0), 'there is nothing on standard input'],
    ['no tar', noise(5000), 'Invalid tar header'],
    ['a tar of something else', undefined, 'no export of Larder'],
  ])('%s: exit code 1, and says so', async (_, bytes, why) => {
    const to = await stage()
    const ran = await to.imported(bytes ?? (await archiveOf([{ name: 'README', content: Buffer.from('hello') }])))
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining(why) })
  })
})

describe('larder import of what is meant badly', () => {
  const start = { name: 'larder-archive.json', content: Buffer.from('{"format":"larder-archive","version":1}') }
  const end = { name: 'end.json', content: Buffer.from('{}') }
  const record = (changes: object, variant: object = {}) => ({
    name: 'artifacts/00000001.json',
    content: Buffer.from(
      JSON.stringify({
        ...{ key: 'raw/a', version: 1, epoch: 0, remote: 'http://x.test' },
        variants: [
          {
            ...{ status: 200, headers: ['ETag', '"1"'], requestTime: 1, responseTime: 2, selecting: {} },
            body: { digest: `sha256:${'ab'.repeat(32)}`, size: 3 },
            ...variant,
          },
        ],
        ...changes,
      }),
    ),
  })
  const blob = { name: `blobs/sha256/${'ab'.repeat(32)}`, content: Buffer.from('abc') }

  it.each([
    [
      'a path that climbs',
      [start, { name: '../../etc/cron.d/x', content: Buffer.from('x') }],
      'no export has a file of that name',
    ],
    [
      'an absolute path',
      [start, { name: '/etc/passwd', content: Buffer.from('x') }],
      'no export has a file of that name',
    ],
    [
      'a later version',
      [{ ...start, content: Buffer.from('{"format":"larder-archive","version":2}') }],
      'its version is "2"',
    ],
    [
      'a record that is none',
      [start, { name: 'artifacts/00000001.json', content: Buffer.from('{"key":1}') }],
      'not the record',
    ],
    [
      'a huge record',
      [start, { name: 'artifacts/00000001.json', content: Buffer.alloc(2_000_000, 0x20) }],
      'more than 1048576',
    ],
    ['pins that are none', [start, { name: 'pins.json', content: Buffer.from('[1]') }], 'not a list of pins'],
    ['something behind the end', [start, end, end], 'goes on behind its end'],
  ])('%s: refused as a whole', async (_, files, why) => {
    const to = await stage()
    const ran = await to.imported(await archiveOf(files))
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining(why) })
  })

  it('a link: refused', async () => {
    const to = await stage()
    const link = await archiveOf([{ name: 'artifacts/00000001.json', content: Buffer.alloc(0) }], 'symlink')
    const head = (await archiveOf([start])).subarray(0, 1024)
    expect((await to.imported(Buffer.concat([head, link]))).err).toContain('it is no file but a symlink')
  })

  it.each([
    ['dot segments', record({ key: 'raw/../../x' }), 'dot segment'],
    ['a field with a line break', record({}, { headers: ['X-Evil', 'a\r\nSet-Cookie: b=c'] }), 'forbid to store it'],
    ['an error page', record({}, { status: 500 }), 'forbid to store it'],
    ['what is private', record({}, { headers: ['Cache-Control', 'private'] }), 'forbid to store it'],
    ['bytes of another digest', record({}), 'its body is damaged'],
    ['a size that lies', record({}, { body: { digest: `sha256:${'ab'.repeat(32)}`, size: 2 } }), 'its body is damaged'],
  ])('%s: left out', async (_, artifact, why) => {
    const to = await stage()
    const ran = await to.imported(await archiveOf([start, artifact, blob, end]))
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining(why) })
    expect((await to.command('ls')).out).toBe('')
    expect([await staged(to), await blobs(to)]).toEqual([0, 0])
  })

  it('a response of tomorrow is of now: nothing stays fresh for longer than it may, nor newer than all that comes', async () => {
    const to = await stage({ maxAge: '1h' })
    const digest = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    const tomorrow = Date.now() + 86_400_000
    const artifact = record(
      { remote: to.origin.url },
      { requestTime: tomorrow, responseTime: tomorrow, body: { digest, size: 3 } },
    )
    const file = { name: `blobs/${digest.replace(':', '/')}`, content: Buffer.from('abc') }
    expect((await to.imported(await archiveOf([start, artifact, file, end]))).code).toBe(0)
    const { details } = JSON.parse((await to.command('stat', 'raw/a', '--json')).out)
    expect(details[0].ttl).toBeLessThanOrEqual(3600)
  })
})

describe('larder import beside everything else', () => {
  it('K5: what was purged since it began is not stored', async () => {
    const from = await stage()
    from.origin.put('/a.tgz', noise(50_000))
    await from.server.warm('/a.tgz')
    const archive = await from.exported()
    const to = await stage({ remote: from.origin.url })
    const token = await adminToken(to.server)
    async function* halting() {
      yield archive.subarray(0, 30_000)
      await new Promise((resolve) => setTimeout(resolve, 100))
      await administer(to.server, 'POST', '/purge', { repository: 'raw', path: 'a.tgz' })
      yield archive.subarray(30_000)
    }
    const init = {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
      body: halting(),
      duplex: 'half' as const,
    }
    const report = await (await fetch(`${to.server.url}/api/v1/import`, init)).json()
    expect(report).toMatchObject({ imported: 0, skipped: 1, findings: [{ reason: 'it was purged meanwhile' }] })
    expect((await to.command('ls')).out).toBe('')
  })

  it('K7: more than the cap: a clear error, and what came before stays', async () => {
    const from = await stage()
    for (const path of ['/a.tgz', '/b.tgz', '/c.tgz']) {
      from.origin.put(path, noise(500_000))
      await from.server.warm(path)
    }
    const to = await stage({ remote: from.origin.url, maxSize: '1MiB' })
    const ran = await to.imported(await from.exported())
    expect(ran).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no room for a body of 500000 bytes; 2 artifacts were imported before \(NO_ROOM\)/),
    })
    for (const path of ['/a.tgz', '/b.tgz'])
      expect((await to.server.get(path)).header('cache-status')).toMatch(/^larder; hit/)
  })

  it('O5: without a token nothing is read or written', async () => {
    const { server } = await stage()
    const answers = await Promise.all([
      fetch(`${server.url}/api/v1/export`),
      fetch(`${server.url}/api/v1/import`, { method: 'POST', body: noise(100) }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([401, 401])
  })

  it('to a screen, or from a keyboard: exit code 2', async () => {
    const { command } = await stage()
    expect(await command('import')).toMatchObject({
      code: 2,
      err: expect.stringContaining('larder import < larder.tar'),
    })
  })
})
