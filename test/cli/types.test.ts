import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { administer, adminToken } from '../support/admin.js'
import { get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { noise, until } from '../support/stage.js'
import { blobFile } from '../support/store-audit.js'
import { larder } from './larder-command.js'

/** Nobody answers there; nobody is to be asked. */
const remote = 'http://127.0.0.1:9'

const repositories = {
  jvm: { remote, blocked: true },
  own: { type: 'hosted', maxSize: '1GiB', block: ['secret/**'] },
  all: { type: 'group', members: ['own', 'jvm'], block: ['hidden/**'] },
}

/** A server with a repository of each type, and the command line beside it. */
async function stage(changed: Readonly<Record<string, object>> = repositories) {
  const server = await startLarder({ config: JSON.stringify({ repositories: changed }) })
  onTestFinished(() => server.dispose())
  const beside = () => ({ LARDER_SERVER: server.url, LARDER_DATA: server.data })
  const command = (...argv: string[]) => larder(argv, beside())
  const imported = (bytes: Uint8Array | undefined, ...argv: string[]) =>
    larder(['import', ...argv], beside(), bytes && { bytesIn: bytes })
  return { server, command, imported, put: (path: string, body: Buffer) => put(server, path, body) }
}

async function put(server: LarderProcess, path: string, body: Buffer, fields: Readonly<Record<string, string>> = {}) {
  const headers = { Authorization: `Bearer ${await adminToken(server)}`, ...fields }
  const { status } = await get(`${server.url}/repository/own/${path}`, { method: 'PUT', headers, body })
  return status
}

const digestOf = (body: Buffer) => `sha256:${createHash('sha256').update(body).digest('hex')}` as const

describe('repositories of each type', () => {
  it('are listed with where their artifacts come from', async () => {
    const { command, put, server } = await stage()
    await put('a', noise(100))
    const { out } = await command('repositories')
    expect(out).toMatch(/jvm +proxy +0 .*blocked +http:\/\/127.0.0.1:9/)
    expect(out).toMatch(/own +hosted +1 +100 B +1.0 GiB +in service +uploads/)
    expect(out).toMatch(/all +group +0 .*in service +own, jvm/)
    const { repositories: states } = (await administer(server, 'GET', '/repositories')) as {
      repositories: { name: string; type: string; members: string[] }[]
    }
    expect(states.map(({ name, type, members }) => [name, type, members])).toEqual([
      ['jvm', 'proxy', []],
      ['own', 'hosted', []],
      ['all', 'group', ['own', 'jvm']],
    ])
  })

  it('check says it, too', async () => {
    const { server } = await stage()
    const { out } = await larder(['check'], { LARDER_CONFIG: server.configFile })
    expect(out).toMatch(/own +hosted +uploads/)
    expect(out).toMatch(/all +group +own, jvm/)
    const strayed = await larder(['check', '--path', 'own/a'], { LARDER_CONFIG: server.configFile })
    expect([strayed.code, strayed.err]).toEqual([2, expect.stringContaining('that has a remote')])
  })

  it.each<[string, string[], RegExp]>([
    ['purge of what was uploaded', ['purge', 'own/a'], /remove it by DELETE \/repository\/own\/<path>/],
    ['softly', ['purge', '--soft', '--all', 'own'], /remove it by DELETE/],
    ['purge of a group', ['purge', '--all', 'all'], /name one of its members, own, jvm/],
    ['ls of a group', ['ls', 'all/'], /name one of its members, own, jvm/],
    ['stat in a group', ['stat', 'all/a'], /name one of its members/],
    ['pin in a group', ['pin', 'all/a'], /name one of its members/],
    ['export of a group', ['export', '--repository', 'all'], /name one of its members/],
    ['block of a hosted repository', ['block', 'own'], /own is a hosted repository: it asks no remote/],
    ['reset-breaker of a hosted repository', ['reset-breaker', 'own'], /asks no remote/],
    ['block of a group', ['block', 'all'], /name one of its members, own, jvm/],
  ])('%s is refused, and says what to do', async (_, argv, words) => {
    const { command, put, server } = await stage()
    await put('a', noise(100))
    const { code, err } = await command(...argv)
    expect([code, err]).toEqual([1, expect.stringMatching(words)])
    expect((await get(`${server.url}/repository/own/a`)).status).toBe(200)
  })

  it('ls of everything passes groups over; stat and pin of an upload work', async () => {
    const { command, put } = await stage()
    await put('a', noise(100))
    expect((await command('ls')).out).toMatch(/100 B .* own\/a\n/)
    expect((await command('stat', 'own/a')).out).toMatch(/remote: +none: it was uploaded\n.*fresh: +for ever/s)
    expect((await command('pin', 'own/a')).code).toBe(0)
  })
})

describe('larder explain', () => {
  it.each<[string, string, RegExp]>([
    ['an upload', 'own/a', /never stale.*stored from: +upload.*A GET is a hit: it was uploaded, and nobody is asked/s],
    ['what was not uploaded', 'own/b', /A GET gets 404: nothing was uploaded there/],
    ['what is not routed', 'own/secret/a', /the routing rules of the repository exclude the path/],
    ['what a member has', 'all/a', /own: A GET is a hit.*jvm: A GET gets 503.*\nown answers\. A GET is a hit/s],
    ['a member that can not be asked', 'all/b', /own: A GET gets 404.*\njvm answers\. A GET gets 503/s],
    ['what the group does not route', 'all/hidden/a', /\nA GET gets 404: the routing rules/],
  ])('%s', async (_, words, sentence) => {
    const { command, put } = await stage()
    await put('a', noise(100))
    const { code, out } = await command('explain', words)
    expect([code, out]).toEqual([0, expect.stringMatching(sentence)])
  })
})

describe('export and import', () => {
  it('an upload goes where a hosted repository of its name is, and is one there', async () => {
    const one = await stage()
    const bodies = { small: noise(100), large: noise(300_000) }
    const type = { 'Content-Type': 'application/gzip', 'Content-Encoding': 'zstd' }
    for (const [path, body] of Object.entries(bodies)) expect(await put(one.server, path, body, type)).toBe(201)
    const { bytes } = await one.command('export', '--repository', 'own')
    const two = await stage()
    expect((await two.imported(bytes)).code).toBe(0)
    for (const [path, body] of Object.entries(bodies)) {
      const [here, there] = await Promise.all(
        [one, two].map(({ server }) => get(`${server.url}/repository/own/${path}`)),
      )
      expect(there?.body.equals(body)).toBe(true)
      for (const name of ['etag', 'last-modified', 'content-type', 'content-encoding', 'x-checksum-sha256'])
        expect(there?.header(name)).toBe(here?.header(name))
      expect(await put(two.server, path, body)).toBe(204)
      expect(await put(two.server, path, noise(10))).toBe(409)
    }
  })

  it('what is there stays, unless it is forced', async () => {
    const one = await stage()
    await one.put('a', Buffer.from('theirs'))
    const { bytes } = await one.command('export')
    const two = await stage()
    await two.put('a', Buffer.from('ours'))
    const served = async () => (await get(`${two.server.url}/repository/own/a`)).body.toString()
    expect((await two.imported(bytes)).out).toMatch(/^0 imported, .*; 1 here already/)
    expect(await served()).toBe('ours')
    await two.imported(bytes, '--force')
    expect(await served()).toBe('theirs')
  })

  it('what was uploaded is no proxy repository’s', async () => {
    const one = await stage()
    await one.put('a', noise(100))
    const { bytes } = await one.command('export')
    const two = await stage({ own: { remote, blocked: true } })
    const { code, err, out } = await two.imported(bytes)
    expect([code, err + out]).toEqual([
      1,
      expect.stringContaining('it was uploaded, and the repository here is no hosted one'),
    ])
  })
})

describe('D4: larder verify', () => {
  it('keeps a damaged upload and serves it no more, until it is uploaded again', async () => {
    const { server, command, put } = await stage()
    const body = noise(300_000)
    await put('a', body)
    const file = blobFile(server.data, digestOf(body))
    const bytes = await readFile(file)
    bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000)
    await writeFile(file, bytes)
    const { code, out } = await command('verify')
    expect([code, out]).toEqual([1, expect.stringMatching(/own\/a/)])
    await server.log(({ msg }) => msg === 'an uploaded body is damaged; upload it again, or delete it')
    for (const method of ['GET', 'HEAD']) {
      const { status, header } = await get(`${server.url}/repository/own/a`, { method })
      expect([status, header('x-larder-error')]).toEqual([500, 'STORE_FAULT'])
    }
    expect((await command('explain', 'own/a')).out).toMatch(/its body is damaged.*A GET gets 500/s)
    expect(await put('a', noise(10))).toBe(409)
    expect(await put('a', body)).toBe(204)
    expect((await get(`${server.url}/repository/own/a`)).body.equals(body)).toBe(true)
  })
})

describe('larder prewarm', () => {
  it('an upload is there, and what is not says so', async () => {
    const { command, put } = await stage()
    await put('a', noise(100))
    expect(await command('prewarm', 'own/a')).toMatchObject({ code: 0 })
    const { code, out, err } = await command('prewarm', 'own/a', 'own/b')
    expect([code, out + err]).toEqual([1, expect.stringMatching(/own\/b.*ARTIFACT_UNKNOWN|ARTIFACT_UNKNOWN.*own\/b/)])
  })
})

it('H2: a repository that is not configured any more keeps its uploads', async () => {
  const { server, put } = await stage()
  const body = noise(300_000)
  await put('a', body)
  await server.writeConfig(JSON.stringify({ repositories: { jvm: { remote } } }))
  await server.restart()
  await administer(server, 'POST', '/tasks', { kind: 'gc' })
  await until(async () => {
    const { tasks } = (await administer(server, 'GET', '/tasks')) as { tasks: { state: string }[] }
    return tasks.every(({ state }) => state === 'done')
  }, 'it is cleaned up')
  await server.writeConfig(JSON.stringify({ repositories }))
  await server.restart()
  expect((await get(`${server.url}/repository/own/a`)).body.equals(body)).toBe(true)
})
