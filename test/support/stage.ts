import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { get, run } from './http.js'
import { type LarderProcess, startLarder } from './larder.js'
import { type Origin, startOrigin } from './origin.js'

export interface Stage {
  readonly origin: Origin
  readonly larder: LarderProcess
  /** The URL of a path of the repository `raw`. */
  url(path: string): string
}

export type Settings = Readonly<Record<string, unknown>>

/** Retries that end soon, so that tests of failures do. */
const impatient = { retry: { attempts: 3, budget: '2s', resumes: 2 } }

/** repositories.yaml with one repository, `raw`, in front of the origin. */
export const configuration = (origin: Origin, settings: Settings = {}): string =>
  JSON.stringify({ repositories: { raw: { remote: origin.url, ...impatient, ...settings } } })

/** An origin and a server in front of it, for as long as the test runs. */
export async function setStage(settings: Settings = {}, env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const stage = await openStage(settings, env)
  onTestFinished(() => closeStage(stage))
  return stage
}

/** As `setStage`; the caller closes it. */
export async function openStage(settings: Settings = {}, env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const origin = await startOrigin()
  const larder = await startLarder({ config: configuration(origin, settings), env }).catch(async (error) => {
    await origin.stop()
    throw error
  })
  return { origin, larder, url: (path) => `${larder.url}/repository/raw${path}` }
}

/** Ends both; throws if the server wrote to stderr, where only Node's own warnings and crashes go. */
export async function closeStage({ origin, larder }: Stage): Promise<void> {
  await larder.dispose()
  await origin.stop()
  if (larder.errors !== '') throw new Error(`on stderr: ${larder.errors}`)
}

/** Resolves when no fill is under way: clients have their last byte before it is published (C7). */
export function settled({ larder }: Pick<Stage, 'larder'>): Promise<void> {
  const idle = async () => /^larder_fills_in_flight 0$/m.test((await get(`${larder.url}/metrics`)).body.toString())
  return until(idle, 'no fill is under way')
}

/** A directory for as long as the test runs. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'larder-files-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Bytes no two of which runs are alike, so that a misplaced piece shows. */
export const noise = (size: number): Buffer => randomBytes(size)

/** Waits for what another process does; for things that have no event to wait for. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(10)) {
    if (await holds()) return
  }
  throw new Error(`waited in vain until ${what}`)
}

/** Every regular file under a directory, by relative path. */
export async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Writes a self-signed certificate for 127.0.0.1 into the directory; `name` tells two apart. */
export async function selfSigned(directory: string, name: string): Promise<Certificate> {
  const cert = join(directory, `${name}.crt`)
  const key = join(directory, `${name}.key`)
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...[...subject, '-keyout', key, '-out', cert],
  ])
  if (made.code !== 0) throw new Error(made.stderr)
  return { cert, key }
}
