import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { run } from './http.js'

const script = fileURLToPath(new URL('radosgw.sh', import.meta.url))

/** A real S3-compatible server of our own. */
export interface Radosgw {
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Makes a private bucket; `path` begins with a slash. */
  makeBucket(path: string): Promise<void>
  /** Stores an object; `path` is bucket and key, percent-encoded but for letters, digits, `-._~` and slashes. */
  put(path: string, body: Buffer): Promise<void>
  dispose(): Promise<void>
}

/** Ask `missing(...radosgwPrograms)` before. Takes half a minute. */
export async function startRadosgw(): Promise<Radosgw> {
  const home = await mkdtemp(join(tmpdir(), 'larder-radosgw-'))
  const dispose = async () => {
    await run('bash', [script, 'down', home])
    await rm(home, { recursive: true, force: true })
  }
  const [monitors, gateway] = [await freePorts(20), await freePorts(1)]
  const env = { ...process.env, MON_PORT: `${monitors}`, S3_PORT: `${gateway}` }
  const started = await promisify(execFile)('bash', [script, 'up', home], { env, timeout: 240_000 }).catch(
    async (error) => {
      await dispose()
      throw error
    },
  )
  const [url = '', accessKeyId = '', secretAccessKey = ''] = [...started.stdout.matchAll(/=(\S+)/g)].map(
    ([, value]) => value as string,
  )

  async function send(...args: string[]) {
    // This curl signs what it is told the digest is, and the path as it stands: it has to be in canonical form.
    const signed = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', `${accessKeyId}:${secretAccessKey}`]
    const fields = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD']
    const sent = await run('curl', ['-q', '-sS', '--fail-with-body', '--path-as-is', ...signed, ...fields, ...args])
    if (sent.code !== 0) throw new Error(`${args.join(' ')}: ${sent.stdout} ${sent.stderr}`)
  }

  return {
    ...{ url, accessKeyId, secretAccessKey, dispose },
    makeBucket: (path) => send('-X', 'PUT', `${url}${path}`),
    async put(path, body) {
      const file = join(home, 'upload')
      await writeFile(file, body)
      await send('-T', file, `${url}${path}`)
    },
  }
}

export const radosgwPrograms = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'ceph', 'curl'] as const

export type RadosgwProgram = (typeof radosgwPrograms)[number]

/** The first of so many ports in a row that are free now, outside the range of those given to clients. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 18_000 + Math.floor(Math.random() * 10_000)
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
}

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
