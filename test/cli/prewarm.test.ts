import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { behindSocket } from '../proxy/origin.js'
import { noise, temporaryDirectory } from '../support/stage.js'
import { larder } from './larder-command.js'

async function stage() {
  const { origin, larder: server } = await behindSocket()
  const env = { LARDER_PORT: new URL(server.url).port, LARDER_DATA: server.data }
  const directory = await temporaryDirectory()
  const file = async (name: string, text: string) => {
    const path = join(directory, name)
    await writeFile(path, text)
    return path
  }
  const prewarm = (argv: readonly string[], how: Parameters<typeof larder>[2] = {}) =>
    larder(['prewarm', ...argv], env, how)
  const put = (...paths: string[]) => {
    for (const path of paths) origin.put(path, noise(20_000))
  }
  return { origin, server, env, file, prewarm, put }
}

describe('larder prewarm', () => {
  it('a line for each, and the sum; exit 0, and nothing is fetched twice', async () => {
    const { origin, put, prewarm } = await stage()
    put('/a', '/b')
    const { code, out, err } = await prewarm(['raw/{a,b}'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^\[1\/2\] {2}fetched +19\.5 KiB {2}raw\/[ab]\n\[2\/2\] {2}fetched/)
    expect(out).toContain('2 ready: 2 fetched (39.1 KiB), 0 were here')
    expect((await prewarm(['raw/{a,b}'])).out).toContain('2 ready: 0 fetched (0 B), 2 were here')
    expect(origin.requests).toHaveLength(2)
  })

  it('some failed: exit 1, each named with its reason', async () => {
    const { put, prewarm } = await stage()
    put('/a')
    const { code, out, err } = await prewarm(['raw/a', 'raw/missing', 'nope/x'])
    expect(code).toBe(1)
    expect(out).toContain('1 ready, 2 failed')
    expect(err).toContain('raw/missing: the remote answered 404 (UPSTREAM_ABSENT)')
    expect(err).toContain('nope/x: no repository or alias is named "nope" (REPOSITORY_UNKNOWN)')
  })

  it('--json: an object a line, the sum last', async () => {
    const { put, prewarm } = await stage()
    put('/a')
    const { out } = await prewarm(['raw/a', 'raw/missing', '--json'])
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.slice(0, -1)).toContainEqual(expect.objectContaining({ event: 'item', item: 'raw/a', how: 'fetched' }))
    expect(lines.at(-1)).toMatchObject({ event: 'end', state: 'done', ready: 1, failed: 1, bytes: 20_000 })
  })

  it('bars for who watches, with failures above them', async () => {
    const { origin, prewarm } = await stage()
    origin.put('/a', noise(400_000))
    origin.plan('/a', { rate: 400_000 })
    const { code, out, err } = await prewarm(['raw/a', 'raw/missing'], { interactive: true })
    expect(code).toBe(1)
    expect(err).toMatch(/of 390\.6 KiB .*\/s .*raw\/a/)
    expect(err).toMatch(/all .*2\/2 .*1 failed/)
    expect(err).toContain('FAILED  raw/missing')
    expect(out).toMatch(/^1 ready, 1 failed/)
  })

  it('--dry-run lists what would be asked for, and asks for nothing but lists', async () => {
    const { origin, prewarm } = await stage()
    expect(await prewarm(['raw/{a,b}', '--dry-run'])).toEqual({ code: 0, out: 'raw/a\nraw/b\n', err: '' })
    expect(origin.requests).toHaveLength(0)
  })

  it('file, list, standard input, flags and arguments together', async () => {
    const { origin, file, prewarm } = await stage()
    const digest = 'a'.repeat(64)
    origin.put('/v1/SHASUMS', `${digest}  one-1.0.tgz\n${digest}  one-2.0.tgz\n`)
    origin.put('/v2/SHASUMS', `${digest}  two-1.0.tgz\n${digest}  two-2.0.tgz\n`)
    const list = await file('list.txt', '# a list\nraw/listed\n\n')
    await file('beside.txt', 'raw/beside\n')
    const yaml = await file(
      'prewarm.yaml',
      'concurrency: 2\nrate: 20MiB\nitems: [raw/item]\nfrom:\n  - list: beside.txt\n  - { shasums: raw/v1/SHASUMS, latest: 1 }\n',
    )
    const flags = ['--list', list, '--shasums', 'raw/v2/SHASUMS', '--version', '1.*', '--dry-run']
    const { code, out, err } = await prewarm(['-f', yaml, ...flags, 'raw/word', '-'], { input: 'raw/typed\n' })
    expect([code, err]).toEqual([0, ''])
    expect(out.trimEnd().split('\n').sort()).toEqual([
      ...['raw/beside', 'raw/item', 'raw/listed', 'raw/typed'],
      ...['raw/v1/one-2.0.tgz', 'raw/v2/two-1.0.tgz', 'raw/word'],
    ])
  })

  it('Ctrl-C cancels it on the server', async () => {
    const { origin, server, prewarm, put } = await stage()
    put('/a')
    const gate = origin.hold('/a', 100)
    const { code, err } = await prewarm(['raw/a'], { interrupt: true })
    expect([code, err]).toEqual([1, expect.stringContaining('cancelled')])
    gate.letGo()
    expect(server.logs.some(({ kind, state }) => kind === 'warm' && state === 'cancelled')).toBe(true)
  })

  it.each([
    ['nothing', [], 'what is to be made ready?'],
    ['filters without a list', ['raw/a', '--latest', '2'], 'filters need a list'],
    ['a rate that is none', ['raw/a', '--rate', '20'], 'rate: is not accepted, expected a size a second'],
    ['too many at a time', ['raw/a', '--concurrency', '100'], 'concurrency'],
    ['an item that is none', ['raw/a b'], 'items.0: is not accepted'],
    ['a list that is not there', ['--list', '/nowhere'], '/nowhere: does not exist'],
    ['a file that is not there', ['-f', '/nowhere'], '/nowhere: does not exist'],
  ])('%s: exit 2, and says what is wrong', async (_, argv, message) => {
    const { code, out, err } = await larder(['prewarm', ...argv], { LARDER_TOKEN_FILE: await tokenFile() })
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
  })

  it('every fault of a prewarm.yaml with its line: exit 2', async () => {
    const path = join(await temporaryDirectory(), 'prewarm.yaml')
    await writeFile(
      path,
      'item: [raw/a]\nfrom:\n  - { inventory: raw/a, s3: raw/b }\n  - { list: a, latest: 1 }\nrate: 5\n',
    )
    const { code, err } = await larder(['prewarm', '-f', path], { LARDER_TOKEN_FILE: await tokenFile() })
    expect(code).toBe(2)
    for (const fault of [
      `${path}:1:1: item: is not a setting of this version (did you mean items?)`,
      `${path}:3:5: from[0]: names no source or several, expected one of inventory, shasums, maven, buildpack, s3`,
      `${path}:4:5: from[1]: has a list, expected nothing beside it`,
      `${path}:5:7: rate: is a number, expected a size a second of at least 1MiB, such as 20MiB`,
    ]) {
      expect(err).toContain(fault)
    }
  })
})

async function tokenFile(): Promise<string> {
  const file = join(await temporaryDirectory(), 'token')
  await writeFile(file, 'a-token-of-twenty-characters\n')
  return file
}
