import { createHash } from 'node:crypto'
import { chmod, chown, mkdir, open as openFile, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { curl, get, open } from '../support/http.js'
import { startLarder } from '../support/larder.js'
import { startOrigin } from '../support/origin.js'
import { configuration, noise, type Stage, settled, until } from '../support/stage.js'

const mebibyte = 1024 * 1024
const size = 300_000

const isRoot = process.getuid?.() === 0
const nobody = 65534

/** The server as someone whom permissions bind: root reads everything. */
async function setStage(): Promise<Stage> {
  const origin = await startOrigin()
  onTestFinished(() => origin.stop())
  const larder = await startLarder({ config: configuration(origin), user: isRoot ? nobody : undefined })
  onTestFinished(() => larder.dispose())
  return { origin, larder, url: (path) => `${larder.url}/repository/raw${path}` }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

const blobOf = ({ larder }: Stage, bytes: Buffer) =>
  join(larder.data, 'blobs', 'sha256', sha256(bytes).slice(0, 2), sha256(bytes))

async function stored(stage: Stage, path: string, bytes: Buffer): Promise<string> {
  stage.origin.put(path, bytes)
  await get(stage.url(path))
  await settled(stage)
  return blobOf(stage, bytes)
}

/** One with something in it, the server's own. */
async function directory(path: string): Promise<void> {
  const within = join(path, 'within')
  await mkdir(within, { recursive: true })
  if (isRoot) for (const made of [path, within]) await chown(made, nobody, nobody)
}

async function flip(file: string): Promise<void> {
  const handle = await openFile(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, 1000)
  byte.writeUInt8(byte.readUInt8(0) ^ 1)
  await handle.write(byte, 0, 1, 1000)
  await handle.close()
}

/** Through the API, as `larder verify` does it; resolves with what it found. */
async function verify({ larder }: Stage): Promise<unknown> {
  const token = (await readFile(join(larder.data, 'admin-token'), 'utf8')).trim().split(' ').at(-1)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const tasks = `${larder.url}/api/v1/tasks`
  const begun = await get(tasks, { method: 'POST', headers, body: JSON.stringify({ kind: 'verify' }) })
  const { id } = JSON.parse(begun.body.toString()) as { id: string }
  let task: { state?: string } = {}
  await until(async () => {
    task = JSON.parse((await get(`${tasks}/${id}`, { headers })).body.toString())
    return task.state !== 'running'
  }, 'the task has ended')
  return task
}

const told = ({ larder }: Stage) => larder.logs.filter(({ msg }) => String(msg).startsWith('a stored body is damaged'))

const counted = async ({ larder }: Stage, reason: string) =>
  (await get(`${larder.url}/metrics`)).body
    .toString()
    .includes(`larder_damaged_bodies_total{repository="raw",reason="${reason}"} 1`)

/** What curl gets is right, `requests` came in all, what lies on the disk is right again, and the log names it once. */
async function expectHealed(stage: Stage, bytes: Buffer, reason: string, requests = 2) {
  const { origin, url } = stage
  for (let i = 0; i < 2; i += 1) {
    const { code, stdout } = await curl('-f', url('/a.bin'))
    expect([code, stdout.equals(bytes)]).toEqual([0, true])
    await settled(stage)
    expect(origin.count('/a.bin')).toBe(requests)
  }
  expect(sha256(await readFile(blobOf(stage, bytes)))).toBe(sha256(bytes))
  expect(told(stage)).toMatchObject([{ key: 'raw/a.bin', digest: `sha256:${sha256(bytes)}`, reason }])
  expect(await counted(stage, reason)).toBe(true)
}

describe('D4: a stored body that is damaged on the disk', () => {
  it.each([
    ['deleted', 'gone', (file: string) => rm(file)],
    ['cut short', 'size', (file: string) => truncate(file, size - 1)],
    ['emptied', 'size', (file: string) => truncate(file, 0)],
    ['grown', 'size', (file: string) => truncate(file, size + 1)],
    ['replaced by a directory', 'unreadable', (file: string) => rm(file).then(() => directory(file))],
    [
      'not readable any more (wrong owner, or mode)',
      'unreadable',
      (file: string) => (isRoot ? chown(file, 0, 0).then(() => chmod(file, 0o600)) : chmod(file, 0)),
    ],
  ])('%s: fetched anew and replaced, the log names it', async (_, reason, damage) => {
    const stage = await setStage()
    const bytes = noise(size)
    await damage(await stored(stage, '/a.bin', bytes))
    await expectHealed(stage, bytes, reason)
  })

  it('flipped in one byte: found by verify, then fetched anew', async () => {
    const stage = await setStage()
    const bytes = noise(size)
    await flip(await stored(stage, '/a.bin', bytes))
    await stored(stage, '/b.bin', noise(size))
    const damaged = { repository: 'raw', path: 'a.bin', sha256: sha256(bytes), reason: 'digest' }
    expect(await verify(stage)).toMatchObject({ state: 'done', progress: { checked: 2 }, findings: [damaged] })
    await expectHealed(stage, bytes, 'digest')
  })

  /** A client that has had its first byte when the rest is cut off. */
  async function cutWhileSent(stage: Stage, bytes: Buffer, before = () => {}) {
    const file = await stored(stage, '/a.bin', bytes)
    const client = await open(stage.url('/a.bin'))
    client.pause()
    await client.firstByte
    before()
    await truncate(file, mebibyte)
    return client
  }

  it('in the middle of being sent: the rest comes from the remote, by one range; the next client heals it', async () => {
    const stage = await setStage()
    const bytes = noise(64 * mebibyte)
    const client = await cutWhileSent(stage, bytes)
    client.resume()
    const { ended, body } = await client.finished
    expect([ended, body.equals(bytes)]).toEqual(['end', true])
    const ranges = stage.origin.requestsFor('/a.bin').map(({ headers }) => headers.range)
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)])
    await stage.larder.log(({ reason }) => reason === 'size')
    await expectHealed(stage, bytes, 'size', 3)
  })

  it('in the middle of being sent, and the remote has another: a reset, never a short or a mixed body', async () => {
    const stage = await setStage()
    const [bytes, renewed] = [noise(64 * mebibyte), noise(64 * mebibyte)]
    const client = await cutWhileSent(stage, bytes, () => void stage.origin.put('/a.bin', renewed))
    client.resume()
    const { ended, body } = await client.finished
    expect([ended, body.length < bytes.length, body.equals(bytes.subarray(0, body.length))]).toEqual([
      'broken',
      true,
      true,
    ])
    await stage.larder.log(({ reason }) => reason === 'size')
    expect((await get(stage.url('/a.bin'))).body.equals(renewed)).toBe(true)
  })

  it('asked for by many at once, and by range: one more fetch, one line, all right', async () => {
    const stage = await setStage()
    const bytes = noise(size)
    await truncate(await stored(stage, '/a.bin', bytes), 17)
    const ranges = Array.from({ length: 20 }, (_, i) => `bytes=${i * 1000}-${size - 1}`)
    const answers = await Promise.all(ranges.map((range) => get(stage.url('/a.bin'), { headers: { range } })))
    expect(answers.map(({ status, ended, body }, i) => [status, ended, body.equals(bytes.subarray(i * 1000))])).toEqual(
      ranges.map(() => [206, 'end', true]),
    )
    await expectHealed(stage, bytes, 'size')
  })

  it('and the remote is gone: an honest error, and after its return the artifact', async () => {
    const stage = await setStage()
    const bytes = noise(size)
    await truncate(await stored(stage, '/a.bin', bytes), 17)
    await stage.origin.stop()
    const { status, body } = await get(stage.url('/a.bin'))
    expect([status, body.length]).toEqual([502, 0])
    await stage.origin.start()
    expect((await get(stage.url('/a.bin'))).body.equals(bytes)).toBe(true)
  })
})
