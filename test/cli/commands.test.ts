import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { noise } from '../support/stage.js'
import { larder } from './larder-command.js'

/** The command line beside a server of this process: on its host nothing needs to be said but its port. */
async function stage() {
  const { origin, larder: server } = await behindSocket()
  const env = { LARDER_PORT: new URL(server.url).port, LARDER_DATA: server.data }
  const command = (...argv: string[]) => larder(argv, env)
  const asJson = async (...argv: string[]) => JSON.parse((await command(...argv, '--json')).out)
  const put = async (path: string, bytes = 100) => {
    origin.put(path, noise(bytes))
    await server.warm(path)
  }
  return { origin, server, command, asJson, put, env }
}

const ok = { code: 0, err: '' }

describe('larder ls, stat', () => {
  it('list what is stored: everything, by prefix, by glob, so many', async () => {
    const { command, put } = await stage()
    for (const path of ['/a.tgz', '/jdk/b.tgz', '/jdk/c.zip']) await put(path)
    const paths = async (...argv: string[]) => {
      const { code, out } = await command('ls', ...argv)
      expect(code).toBe(0)
      return [...out.matchAll(/raw\/\S+/g)].map(([path]) => path)
    }
    const all = ['raw/a.tgz', 'raw/jdk/b.tgz', 'raw/jdk/c.zip']
    expect(await paths()).toEqual(all)
    expect(await paths('raw')).toEqual(all)
    expect(await paths('raw/jdk/')).toEqual(all.slice(1))
    expect(await paths('--glob', 'raw/**/*.tgz')).toEqual(all.slice(0, 2))
    expect(await paths('--limit', '2')).toEqual(all.slice(0, 2))
    const { out } = await command('ls', 'raw/a', '--json')
    expect(JSON.parse(out)).toMatchObject({ repository: 'raw', path: 'a.tgz', bytes: 100, pinned: false })
  })

  it('show an artifact, as a table and as JSON', async () => {
    const { command, asJson, put } = await stage()
    await put('/a.tgz', 3000)
    const { out } = await command('stat', 'raw/a.tgz')
    expect(out).toMatch(/size: +2\.9 KiB \(3000 bytes\)\nsha256: +[0-9a-f]{64}\n/)
    expect(out).toMatch(/fresh: +for 23h 59m/)
    expect(await asJson('stat', 'raw/a.tgz')).toMatchObject({ path: 'a.tgz', details: [{ size: 3000, fresh: true }] })
    expect(await command('stat', 'raw/b.tgz')).toMatchObject({
      code: 1,
      err: expect.stringContaining('ARTIFACT_UNKNOWN'),
    })
  })
})

describe('larder purge', () => {
  it('K5: removes an artifact: the remote is asked anew', async () => {
    const { origin, server, command, put } = await stage()
    await put('/a.tgz')
    expect(await command('purge', 'raw/a.tgz')).toEqual({ ...ok, out: '1 artifact (100 B) removed\n' })
    await server.get('/a.tgz')
    expect(origin.requests).toHaveLength(2)
  })

  it('K5: --soft keeps it for when the remote is down', async () => {
    const { origin, server, command, put } = await stage()
    await put('/a.tgz')
    expect((await command('purge', '--soft', 'raw/a.tgz')).code).toBe(0)
    await origin.stop()
    expect((await server.get('/a.tgz')).status).toBe(200)
  })

  it.each([
    ['--prefix', 'raw/jdk/', 2],
    ['--glob', 'raw/**/*.zip', 1],
    ['--all', 'raw', 3],
  ])('K5: %s %s', async (way, words, records) => {
    const { asJson, put } = await stage()
    for (const path of ['/a.tgz', '/jdk/b.tgz', '/jdk/c.zip']) await put(path)
    expect(await asJson('purge', way, words)).toEqual({ records, bytes: 100 * records })
  })
})

describe('larder pin, pins, unpin', () => {
  it('K6: a pin is shown, and taken back as it was set', async () => {
    const { command, asJson, put } = await stage()
    await put('/jdk/a.tgz')
    expect(await command('pin', '--prefix', 'raw/jdk/')).toEqual({ ...ok, out: 'pinned\n' })
    expect((await asJson('stat', 'raw/jdk/a.tgz')).pinned).toBe(true)
    expect((await command('pins')).out).toMatch(/prefix +raw\/jdk\//)
    expect((await command('unpin', 'raw/jdk/a.tgz')).code).toBe(1)
    expect(await command('unpin', '--prefix', 'raw/jdk/')).toEqual({ ...ok, out: 'unpinned\n' })
    expect((await asJson('stat', 'raw/jdk/a.tgz')).pinned).toBe(false)
  })
})

describe('larder repositories, stats, block, unblock, reset-breaker', () => {
  it('U7: a blocked repository serves what it has and asks nothing', async () => {
    const { origin, server, command, put } = await stage()
    await put('/a.tgz')
    expect((await command('block', 'raw')).out).toMatch(/raw .* blocked/)
    expect((await server.get('/a.tgz')).status).toBe(200)
    expect((await server.get('/b.tgz')).header('x-larder-error')).toBe('UPSTREAM_BLOCKED')
    expect((await command('repositories')).out).toMatch(/raw +proxy +1 +100 B .*blocked/)
    expect((await command('unblock', 'raw')).out).toMatch(/raw .* in service/)
    origin.put('/b.tgz', noise(10))
    expect((await server.get('/b.tgz')).status).toBe(200)
    expect((await command('reset-breaker', 'raw')).code).toBe(0)
  })

  it('O2: requests by outcome and the hit rate', async () => {
    const { server, command, asJson, put } = await stage()
    await put('/a.tgz')
    await server.get('/a.tgz')
    const { repositories } = await asJson('stats')
    expect(repositories[0]).toMatchObject({ repository: 'raw', requests: 2, hitRate: 0.5, bytesSent: 200 })
    expect((await command('stats')).out).toMatch(/^raw +2 +50\.0 % +1 /m)
  })
})

describe('larder verify, gc', () => {
  it('D4: reads all again; progress for who watches', async () => {
    const { command, put, env } = await stage()
    await put('/a.tgz', 100_000)
    await put('/b.tgz', 10)
    const { code, out } = await command('verify')
    expect([code, out]).toEqual([0, '2 checked, 97.7 KiB; 0 damaged\n'])
    const watched = await larder(['verify'], env, { interactive: true })
    expect(watched.err).toMatch(/\d of 2 checked/)
  })

  it('Ctrl-C cancels it on the server', async () => {
    const { put, env, asJson, server } = await stage()
    await put('/a.tgz', 10_000_000)
    const { code, err } = await larder(['verify', '--rate', '1MiB'], env, { interrupt: true })
    expect([code, err]).toEqual([1, 'larder: verify cancelled\n'])
    expect(server.logs.some(({ kind, state }) => kind === 'verify' && state === 'cancelled')).toBe(true)
    expect((await asJson('gc')).state).toBe('done')
  })
})

it('O5: the server on the same host needs no word about its token', async () => {
  const { server } = await stage()
  const made = server.logs.find(({ msg }) => String(msg).includes('admin token'))
  expect(made?.file).toBe(join(server.data, 'admin-token'))
})
