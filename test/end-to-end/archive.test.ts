import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { get, sha256Of } from '../support/http.js'
import {
  configuration,
  filesUnder,
  noise,
  type Stage,
  setStage,
  settled,
  temporaryDirectory,
} from '../support/stage.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const mebibyte = 1024 * 1024

interface Files {
  readonly from?: string
  readonly to?: string
}

/** The built command beside the stage's server, its standard input and output being files. */
async function larder(stage: Stage, argv: readonly string[], { from, to }: Files) {
  const cwd = await temporaryDirectory()
  const env = { PATH: process.env.PATH ?? '', LARDER_SERVER: stage.larder.url, LARDER_DATA: stage.larder.data }
  const child: ChildProcess = spawn(process.execPath, [main, ...argv], { cwd, env, stdio: 'pipe' })
  let said = ''
  const hear = (text: Buffer) => {
    said += text.toString()
  }
  child.stderr?.on('data', hear)
  if (to === undefined) child.stdout?.on('data', hear)
  else child.stdout?.pipe(createWriteStream(to))
  child.stdin?.on('error', () => {})
  if (from === undefined) child.stdin?.end()
  else if (child.stdin) createReadStream(from).pipe(child.stdin)
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, said }
}

/** The most memory it ever held, bytes. */
async function peakOf({ larder: { pid } }: Stage): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1])
}

/** A server with a large body, and its archive. */
async function exported(size: number) {
  const stage = await setStage()
  const body = stage.origin.put('/jdk.tgz', noise(size))
  stage.origin.put('/small.txt', 'small')
  for (const path of ['/jdk.tgz', '/small.txt']) await sha256Of(stage.url(path))
  await settled(stage)
  const archive = join(await temporaryDirectory(), 'larder.tar')
  const before = await peakOf(stage)
  const ran = await larder(stage, ['export'], { to: archive })
  expect(ran.code, ran.said).toBe(0)
  const digest = createHash('sha256').update(body).digest('hex')
  return { stage, archive, digest, grown: (await peakOf(stage)) - before }
}

/** A server for the same repository, whose remote is dead. */
async function cutOff(from: Stage): Promise<Stage> {
  const stage = await setStage()
  await stage.larder.writeConfig(configuration(from.origin))
  await from.origin.stop()
  await stage.larder.restart()
  return stage
}

describe('larder export > larder.tar; larder import < larder.tar', () => {
  it('carries 200 MB to a network without a way out, through little memory', async () => {
    const from = await exported(200 * mebibyte)
    const to = await cutOff(from.stage)
    const before = await peakOf(to)
    const ran = await larder(to, ['import'], { from: from.archive })
    expect(ran).toEqual({ code: 0, said: '2 imported, 200.0 MiB; 0 here already, as new or newer; 0 skipped\n' })
    const grown = (await peakOf(to)) - before
    expect(await sha256Of(to.url('/jdk.tgz'))).toBe(from.digest)
    expect((await get(to.url('/small.txt'))).body.toString()).toBe('small')
    for (const bytes of [from.grown, grown]) expect(bytes / mebibyte, 'MiB').toBeLessThan(100)
  }, 180_000)

  it('cut: says where, leaves nothing half, and goes on when it is sent again', async () => {
    const from = await exported(20 * mebibyte)
    const to = await cutOff(from.stage)
    const { size } = await stat(from.archive)
    const whole = await readFile(from.archive)
    await truncate(from.archive, size / 2)
    const cut = await larder(to, ['import'], { from: from.archive })
    expect(cut.code).toBe(1)
    expect(cut.said).toMatch(/the archive is not whole, in "blobs\/sha256\//)
    expect(await filesUnder(join(to.larder.data, 'staging'))).toEqual([])
    await writeFile(from.archive, whole)
    expect((await larder(to, ['import'], { from: from.archive })).code).toBe(0)
    expect(await sha256Of(to.url('/jdk.tgz'))).toBe(from.digest)
  }, 120_000)

  it('K7: refused in the middle, the command says why although it was still sending', async () => {
    const from = await exported(60 * mebibyte)
    const to = await setStage({ maxSize: '10MiB' })
    const ran = await larder(to, ['import'], { from: from.archive })
    expect(ran.code).toBe(1)
    expect(ran.said).toMatch(/no room for a body of 62914560 bytes; 0 artifacts were imported before \(NO_ROOM\)/)
  }, 120_000)

  it('the server killed while it imports: nothing half is served, and the rest comes with the next try', async () => {
    const from = await exported(60 * mebibyte)
    const to = await cutOff(from.stage)
    const importing = larder(to, ['import'], { from: from.archive })
    for (;;) {
      const files = await filesUnder(join(to.larder.data, 'staging'))
      if (files.length > 0) break
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await to.larder.kill()
    expect((await importing).code).toBe(1)
    await to.larder.start()
    expect(await filesUnder(join(to.larder.data, 'staging'))).toEqual([])
    expect((await larder(to, ['import'], { from: from.archive })).code).toBe(0)
    expect(await sha256Of(to.url('/jdk.tgz'))).toBe(from.digest)
  }, 120_000)
})
