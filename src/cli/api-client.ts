import { ConfigError } from '../config/config-error.js'
import { loadTokens, madeAdminToken } from '../config/tokens.js'
import { readEvents, type ServerEvent } from './server-events.js'
import { CommandFailed, NotUnderstood, Refused, type Terminal, Unreachable } from './terminal.js'

/** A running server's API. Throws `CommandFailed` where it can't be reached or says no. */
export interface ApiClient {
  get<T>(path: string, query?: Query): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  delete<T>(path: string, query?: Query): Promise<T>
  /** Server-sent events behind the one with the id `after`, until the server ends them. Throws as `get` does. */
  events(path: string, after: string): AsyncIterable<ServerEvent>
  /** The bytes of an answer; throws where they break off. */
  download(path: string, query?: Query): AsyncIterable<Uint8Array>
  /** As `post`, of bytes as they come. */
  upload<T>(path: string, query: Query, bytes: AsyncIterable<Uint8Array>): Promise<T>
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface Sent {
  readonly query?: Query
  /** To be sent as JSON. */
  readonly body?: unknown
  readonly bytes?: AsyncIterable<Uint8Array>
  readonly fields?: Readonly<Record<string, string>>
}

export interface Connection {
  readonly server?: string | undefined
  readonly tokenFile?: string | undefined
}

/** A port of 0, or a Service that Kubernetes tells of, says nothing of where the server on this host listens. */
const localServer = ({ LARDER_PORT: port = '' }: NodeJS.ProcessEnv) =>
  `http://127.0.0.1:${/^[1-9]\d*$/.test(port) ? port : 8080}`

export function connectApi(connection: Connection, { env }: Terminal): ApiClient {
  const server = connection.server || env.LARDER_SERVER || localServer(env)
  if (!/^https?:\/\/[^/]/.test(server) || !URL.canParse(server)) {
    throw new NotUnderstood(`"${server}" is not a server's URL, expected one such as http://larder.example:8080`)
  }
  const token = adminToken(connection.tokenFile || env.LARDER_TOKEN_FILE || env.LARDER_ADMIN_TOKEN_FILE, env)
  const base = `${server.replace(/\/+$/, '')}/api/v1`

  const lost = (error: unknown): Unreachable =>
    new Unreachable(`cannot reach ${server} (${reasonOf(error)}); does it run there? --server names another`)

  const send = async (
    method: string,
    path: string,
    { query = {}, body, bytes, fields = {} }: Sent,
  ): Promise<Response> => {
    const url = new URL(base + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`)
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...fields,
    }
    const init = {
      method,
      headers,
      redirect: 'error',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(bytes && { body: bytes, duplex: 'half' as const }),
    } as const
    const response = await fetch(url, init).catch((error: unknown) => {
      throw lost(error)
    })
    if (response.ok) return response
    throw refusal(server, response.status, await response.json().catch(() => undefined))
  }

  const call = async <T>(method: string, path: string, options: Sent = {}) => {
    const response = await send(method, path, options)
    const text = await response.text().catch((error: unknown) => {
      throw lost(error)
    })
    const answer = parsed(text)
    if (answer === undefined) throw refusal(server, response.status, undefined)
    return answer as T
  }

  return {
    get: (path, query = {}) => call('GET', path, { query }),
    post: (path, body) => call('POST', path, { body }),
    delete: (path, query = {}) => call('DELETE', path, { query }),
    upload: (path, query, bytes) =>
      call('POST', path, { query, bytes, fields: { 'Content-Type': 'application/x-tar' } }),
    async *download(path, query = {}) {
      const { body } = await send('GET', path, { query })
      try {
        if (body) yield* body
      } catch (error) {
        throw lost(error)
      }
    },
    async *events(path, after) {
      const { body } = await send('GET', path, { fields: { 'Last-Event-ID': after } })
      try {
        if (body) yield* readEvents(body)
      } catch (error) {
        throw lost(error)
      }
    },
  }
}

function adminToken(named: string | undefined, env: NodeJS.ProcessEnv): string {
  const file = named ?? madeAdminToken(env.LARDER_DATA || './data')
  try {
    return loadTokens(file)[0]?.secret ?? ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const advice = named === undefined ? '\nName the file that holds it with --token-file or LARDER_TOKEN_FILE.' : ''
    throw new CommandFailed(`an admin token is needed, and there is none:\n${error.message}${advice}`)
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (!(cause instanceof Error)) return String(error)
  return (cause as NodeJS.ErrnoException).code ?? cause.message
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal(server: string, status: number, answer: unknown): CommandFailed {
  const { code, detail } = (answer ?? {}) as { code?: string; detail?: string }
  if (code === undefined) return new CommandFailed(`${server} answered ${status}, and not as a Larder does`)
  if (code === 'UNAUTHORIZED') return new Refused(code, `${server} refuses the token: ${detail}`)
  return new Refused(code, `${detail} (${code})`)
}
