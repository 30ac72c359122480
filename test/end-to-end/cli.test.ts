import { spawn } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { get, run } from '../support/http.js'
import { noise, type Stage, setStage, settled, temporaryDirectory } from '../support/stage.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** The built command as a process of its own, in an empty directory. */
const larder = (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  ran(process.execPath, [main, ...argv], env)

async function ran(program: string, argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const cwd = await temporaryDirectory()
  const child = spawn(program, argv, {
    ...{ cwd, env: { PATH: process.env.PATH ?? '', ...env } },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out, err }
}

/** As on the server's own host: the token is where the server has put it. */
const beside = (stage: Stage) => ({ LARDER_SERVER: stage.larder.url, LARDER_DATA: stage.larder.data })

async function warm(stage: Stage, path: string, bytes: number): Promise<Buffer> {
  const body = stage.origin.put(path, noise(bytes))
  await get(stage.url(path))
  await settled(stage)
  return body
}

/** The files of all blobs. */
async function blobFiles(data: string): Promise<string[]> {
  const names = await readdir(join(data, 'blobs'), { recursive: true, withFileTypes: true })
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe('the command line against a running server', () => {
  it('an operator looks, pins, purges, and blocks', async () => {
    const stage = await setStage()
    await warm(stage, '/jdk/a.tgz', 100_000)
    await warm(stage, '/jdk/b.tgz', 10)
    const command = (...argv: string[]) => larder(argv, beside(stage))
    expect((await command('ls', 'raw/jdk/')).out.match(/raw\/\S+/g)).toEqual(['raw/jdk/a.tgz', 'raw/jdk/b.tgz'])
    expect(JSON.parse((await command('stat', 'raw/jdk/a.tgz', '--json')).out)).toMatchObject({ bytes: 100_000 })
    expect((await command('pin', '--glob', 'raw/jdk/a*')).code).toBe(0)
    await stage.larder.restart()
    expect((await command('pins')).out).toMatch(/glob +raw\/jdk\/a\*/)
    expect((await command('purge', 'raw/jdk/a.tgz')).out).toBe('1 artifact (97.7 KiB) removed\n')
    expect((await command('block', 'raw')).code).toBe(0)
    expect((await get(stage.url('/jdk/a.tgz'))).header('x-larder-error')).toBe('UPSTREAM_BLOCKED')
    expect((await command('unblock', 'raw')).code).toBe(0)
    expect((await get(stage.url('/jdk/a.tgz'))).status).toBe(200)
    expect((await command('stats')).out).toMatch(/^raw /m)
  })

  it('K5: what was purged stays so after kill -9', async () => {
    const stage = await setStage()
    await warm(stage, '/a.tgz', 100_000)
    expect((await larder(['purge', '--all', 'raw'], beside(stage))).code).toBe(0)
    await stage.larder.kill()
    await stage.larder.start()
    expect((await larder(['ls'], beside(stage))).out).toBe('')
    await get(stage.url('/a.tgz'))
    expect(stage.origin.requests).toHaveLength(2)
  })

  it('D4: verify names what is damaged and exits with 1; it is fetched anew', async () => {
    const stage = await setStage()
    const body = await warm(stage, '/jdk/a.tgz', 100_000)
    await warm(stage, '/jdk/b.tgz', 200_000)
    const [file = ''] = await blobFiles(stage.larder.data)
    const bytes = await readFile(file)
    bytes[50_000] = (bytes[50_000] as number) ^ 1
    await writeFile(file, bytes)
    const path = bytes.length === body.length ? '/jdk/a.tgz' : '/jdk/b.tgz'
    const { code, out, err } = await larder(['verify'], beside(stage))
    expect([code, err]).toEqual([1, expect.stringContaining('1 damaged')])
    expect(out).toMatch(new RegExp(`digest +raw${path}\n2 checked, .*; 1 damaged\n`))
    expect(await larder(['verify'], beside(stage))).toMatchObject({ code: 0 })
    const sound = stage.origin.requests.length
    expect((await get(stage.url(path))).status).toBe(200)
    expect(stage.origin.requests).toHaveLength(sound + 1)
  })

  it('D8: a reader that has enough ends the listing without a word', async () => {
    const stage = await setStage()
    for (const name of ['a', 'b', 'c']) await warm(stage, `/${name}`, 10)
    const env = beside(stage)
    const words = `LARDER_SERVER=${env.LARDER_SERVER} LARDER_DATA=${env.LARDER_DATA} ${process.execPath} ${main} ls | head -1`
    const { stdout, stderr } = await run('sh', ['-c', words])
    expect(stdout.toString()).toContain('raw/a')
    expect(stderr.toString()).toBe('')
  })

  it('O5: the wrong token is refused, and not shown', async () => {
    const stage = await setStage()
    const file = join(await temporaryDirectory(), 'token')
    await writeFile(file, 'not-the-token-of-this-server\n')
    const { code, out, err } = await larder(['ls', '--token-file', file], beside(stage))
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('refuses the token')
    expect(err + JSON.stringify(stage.larder.logs)).not.toContain('not-the-token')
  })
})

describe('larder check', () => {
  const config = (remotes: Readonly<Record<string, string>>) =>
    JSON.stringify({
      repositories: Object.fromEntries(Object.entries(remotes).map(([name, remote]) => [name, { remote }])),
    })

  async function configFile(text: string): Promise<string> {
    const file = join(await temporaryDirectory(), 'repositories.yaml')
    await writeFile(file, text)
    return file
  }

  it('O4: good: says so, and starts nothing', async () => {
    const LARDER_CONFIG = await configFile(config({ raw: 'https://remote.test' }))
    const { code, out } = await larder(['check'], { LARDER_CONFIG })
    expect([code, out]).toEqual([0, expect.stringContaining('configuration is good')])
    expect(out).toContain('https://remote.test')
  })

  it('O4: bad: every fault of environment, file and tokens, and exit code 1', async () => {
    const LARDER_CONFIG = await configFile('repositories: { raw: { remote: nowhere, retries: 3 } }')
    const { code, out, err } = await larder(['check'], { LARDER_CONFIG, LARDER_PORT: 'http', LARDER_PROT: '1' })
    expect([code, out]).toEqual([1, ''])
    for (const fault of ['LARDER_PORT', 'LARDER_PROT', `${LARDER_CONFIG}:1`, 'retries']) expect(err).toContain(fault)
    const { faults } = JSON.parse((await larder(['check', '--json'], { LARDER_CONFIG })).out)
    expect(faults).toContainEqual(expect.objectContaining({ path: 'repositories.raw.remote', line: 1 }))
  })

  it('--remotes asks every remote, and names those that cannot be reached', async () => {
    const { origin } = await setStage()
    origin.put('/a.tgz', noise(10))
    const LARDER_CONFIG = await configFile(config({ raw: origin.url, dead: 'http://127.0.0.1:1' }))
    const { code, out, err } = await larder(['check', '--remotes', '--path', 'raw/a.tgz'], { LARDER_CONFIG })
    expect([code, err]).toEqual([1, 'larder: 1 of 2 remotes cannot be reached\n'])
    expect(out).toMatch(/^raw +http:\/\/127\.0\.0\.1:\d+\/a\.tgz +127\.0\.0\.1 +206 +\d+ +no +yes/m)
    expect(out).toMatch(/^dead .*UPSTREAM_UNREACHABLE/m)
    expect((await larder(['check', '--path', 'other/a.tgz'], { LARDER_CONFIG })).code).toBe(2)
  })
})

describe('larder doctor, as installed', () => {
  it('reads the file it judges itself: Node takes no options from it', async () => {
    const directory = await temporaryDirectory()
    const at = (name: string) => join(directory, name)
    await writeFile(at('other.cjs'), `require('node:fs').writeFileSync(${JSON.stringify(at('ran'))}, '')`)
    await writeFile(at('.env'), `NODE_OPTIONS=--require=${at('other.cjs')}\nGO_BUCKET_URL=https://elsewhere.test/go\n`)
    await writeFile(at('repositories.yaml'), 'presets: [heroku-go]\npublicUrl: https://larder.test\n')
    const doctor = (file: string) =>
      ran(main, ['doctor', '--env-file', file], { LARDER_CONFIG: at('repositories.yaml') })
    expect(await doctor(at('.env'))).toMatchObject({
      code: 1,
      out: expect.stringContaining('.env:2: GO_BUCKET_URL leads to elsewhere.test'),
    })
    const byNode = [main, 'doctor', at('.env')]
    expect((await ran(process.execPath, byNode, { LARDER_CONFIG: at('repositories.yaml') })).code).toBe(1)
    expect(await readdir(directory)).not.toContain('ran')
    expect(await doctor(at('nothing'))).toMatchObject({ code: 2, err: expect.stringContaining('does not exist') })
  })
})
