import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/**
 * How a body ended: as its framing says, or not. By what it broke off Node can't tell for sure: libuv reports a reset that
 * comes together with data as a plain end of file. `rawEnding` can.
 */
export type Ending = 'end' | 'broken'

export interface RequestOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** PEM; instead of the public roots. */
  readonly ca?: string
  /** Gets the chunks, which are then not kept. */
  readonly take?: (chunk: Buffer) => void
}

/** An exchange whose head is here and whose body may still be coming. */
export interface Exchange {
  readonly status: number
  readonly rawHeaders: readonly string[]
  /** A field by its lower-case name; lines are joined by a comma. */
  header(name: string): string | undefined
  /** Resolves with the first byte of the body (or its end). */
  readonly firstByte: Promise<void>
  /** Bytes of body so far. */
  received(): number
  /** Takes no bytes from the socket until `resume`. */
  pause(): void
  resume(): void
  /** Leaves. */
  destroy(): void
  /** Resolves when no more bytes will come, however that was. */
  readonly finished: Promise<{ readonly body: Buffer; readonly ended: Ending }>
}

export interface Received extends Exchange {
  readonly body: Buffer
  readonly ended: Ending
}

/** Sends a request on a connection of its own, its path as it stands; resolves at the head. */
export function open(url: string, options: RequestOptions = {}): Promise<Exchange> {
  const [, scheme, hostname, port, path] = /^(https?):\/\/([^:/]+):(\d+)(.*)$/.exec(url) ?? []
  if (!hostname) throw new Error(`not a URL with a port: ${url}`)
  const send = scheme === 'https' ? httpsRequest : httpRequest
  const { method = 'GET', headers = {}, body, ca, take } = options
  return new Promise((resolve, reject) => {
    const request = send({ hostname, port, path, method, headers, agent: false, ...(ca ? { ca } : {}) })
    request.on('error', reject)
    request.on('response', (response) => resolve(exchange(response, take)))
    request.end(body)
  })
}

/** `open`, then waits for the end of the body. */
export async function get(url: string, options: RequestOptions = {}): Promise<Received> {
  const opened = await open(url, options)
  return { ...opened, ...(await opened.finished) }
}

function exchange(response: IncomingMessage, take: RequestOptions['take']): Exchange {
  const chunks: Buffer[] = []
  let received = 0
  let first = () => {}
  const firstByte = new Promise<void>((resolve) => {
    first = resolve
  })
  response.on('data', (chunk: Buffer) => {
    if (take) take(chunk)
    else chunks.push(chunk)
    received += chunk.length
    first()
  })
  response.on('error', () => {})
  const finished = new Promise<{ body: Buffer; ended: Ending }>((resolve) => {
    response.on('close', () => {
      first()
      resolve({ body: Buffer.concat(chunks), ended: response.complete ? 'end' : 'broken' })
    })
  })
  return {
    status: response.statusCode ?? 0,
    rawHeaders: response.rawHeaders,
    header: (name) => {
      const value = response.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    firstByte,
    received: () => received,
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    destroy: () => void response.destroy(),
    finished,
  }
}

const withoutProxies = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', LC_ALL: 'C' }

export interface Run {
  /** The exit code. */
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a program to its end in an environment without proxy settings, but for those in `more`. */
export function run(
  program: string,
  args: readonly string[],
  cwd?: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const env = { ...withoutProxies, ...more }
    const options = { encoding: 'buffer', maxBuffer: 1 << 30, timeout: 60_000, env, cwd } as const
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') return reject(error)
      resolve({ code: child.exitCode ?? -1, stdout, stderr: stderr.toString() })
    })
    child.stdin?.end()
  })
}

export const curl = (...args: string[]): Promise<Run> => run('curl', ['-q', '-sS', ...args])

export const wget = (args: readonly string[], cwd: string): Promise<Run> => run('wget', ['--no-config', ...args], cwd)

/** A line of bash, as buildpacks have them; a pipe fails where any part of it does. */
export const bash = (script: string, cwd: string): Promise<Run> => run('bash', ['-o', 'pipefail', '-c', script], cwd)

/**
 * How the kernel tells a plain reader of the socket that a GET's connection is over: FIN, RST, or (under TLS) a proper
 * close. Only RST is an error to every client (C7).
 */
export async function rawEnding(url: string): Promise<'fin' | 'reset' | 'closed'> {
  const { protocol, hostname, port, pathname } = new URL(url)
  const request = `printf 'GET ${pathname} HTTP/1.1\\r\\nHost: ${hostname}\\r\\nConnection: close\\r\\n\\r\\n'`
  if (protocol === 'http:') {
    const { stderr } = await bash(`exec 3<>/dev/tcp/${hostname}/${port}; ${request} >&3; cat <&3 >/dev/null`, '/')
    return stderr.includes('reset') ? 'reset' : 'fin'
  }
  const { stderr, stdout } = await bash(`${request} | openssl s_client -quiet -connect ${hostname}:${port}`, '/')
  const said = stderr + stdout.subarray(-200).toString('latin1')
  return said.includes('errno=104') ? 'reset' : said.includes('unexpected eof') ? 'fin' : 'closed'
}

/** The SHA-256 (hex) of a body that is not kept; throws where it does not end as it should. */
export async function sha256Of(url: string): Promise<string> {
  const hash = createHash('sha256')
  const opened = await open(url, { take: (chunk) => void hash.update(chunk) })
  const { ended } = await opened.finished
  if (opened.status !== 200 || ended !== 'end') throw new Error(`${opened.status}, ended by ${ended}`)
  return hash.digest('hex')
}
