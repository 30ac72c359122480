import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { LarderError } from '../errors.js'
import { basic } from './credentials.js'
import { faultOf } from './faults.js'
import { bareHost, portOf } from './host.js'

/** How long a proxy may sit on a CONNECT, ms; a bound for those whose client has gone, the timeouts rule the others. */
const connectTimeout = 30_000

export interface ProxyAgents {
  readonly http: http.Agent
  readonly https: https.Agent
}

/** Plain http through a proxy: a request to the proxy that names the whole URL (RFC 9112 §3.2.2). */
export function throughProxy(
  proxy: URL,
  agents: ProxyAgents,
  options: RequestOptions & { headers: readonly string[] },
): ClientRequest {
  const headers = [...options.headers, ...proxyAuthorization(proxy)]
  const target = { ...options, headers, host: bareHost(proxy), port: portOf(proxy) }
  return proxy.protocol === 'https:'
    ? https.request({ ...target, agent: agents.https })
    : http.request({ ...target, agent: agents.http })
}

/** An agent whose connections are tunnels through a proxy (RFC 9110 §9.3.6). */
export class TunnelAgent extends https.Agent {
  constructor(
    private readonly proxy: URL,
    /** Whom to trust where the proxy itself is spoken to by TLS. */
    private readonly proxyContext: SecureContext,
    options: https.AgentOptions,
  ) {
    super(options)
  }

  override createConnection(
    options: https.RequestOptions & { readonly lookup?: LookupFunction },
    callback: (error: Error | null, tunnel?: Duplex) => void,
  ): undefined {
    const host = String(options.host)
    const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${options.port}`
    const request = this.#connect(authority, options.lookup)
    const fail = (error: unknown) => callback(faultOf(error, `the egress proxy ${this.proxy.host}`))
    request.once('connect', (response: IncomingMessage, socket: Socket) => {
      socket.removeAllListeners()
      if (response.statusCode === 200) {
        callback(null, super.createConnection({ ...options, socket } as https.RequestOptions) ?? undefined)
      } else {
        socket.destroy()
        fail(proxyRefused(this.proxy, response.statusCode))
      }
    })
    request.once('timeout', () => request.destroy(Object.assign(new Error('no tunnel'), { code: 'ETIMEDOUT' })))
    request.once('error', fail)
    request.end()
  }

  #connect(authority: string, lookup: LookupFunction | undefined): ClientRequest {
    const options = {
      method: 'CONNECT',
      host: bareHost(this.proxy),
      port: portOf(this.proxy),
      path: authority,
      headers: ['Host', authority, ...proxyAuthorization(this.proxy)],
      timeout: connectTimeout,
      agent: false,
      ...(lookup && { lookup }),
    } as const
    if (this.proxy.protocol === 'http:') return http.request(options)
    return https.request({ ...options, secureContext: this.proxyContext } as https.RequestOptions)
  }
}

/** 407 is the proxy's alone (RFC 9110 §15.5.8); to a CONNECT, tinyproxy says 401 where it means that. */
export function proxyRefused({ host }: URL, status: number | undefined): LarderError {
  return status === 407 || status === 401
    ? new LarderError('UPSTREAM_UNAUTHORIZED', `the egress proxy ${host} does not accept the credentials set for it`)
    : new LarderError('UPSTREAM_UNREACHABLE', `the egress proxy ${host} refuses the tunnel: ${status}`)
}

function proxyAuthorization({ username, password }: URL): string[] {
  if (username === '' && password === '') return []
  return ['Proxy-Authorization', basic(decoded(username), decoded(password))]
}

/** A `%` that encodes nothing stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
