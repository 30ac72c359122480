import http, { type ClientRequest, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import tls from 'node:tls'
import { HttpsProxyAgent } from 'hpagent'
import type { RawHeaders } from '../caching/headers.js'
import type { ProxyChoice } from './egress.js'
import { bareHost, portOf } from './host.js'

/** One request as it is to go on the wire. */
export interface WireRequest {
  readonly method: 'GET' | 'HEAD'
  readonly origin: URL
  /** Path and query, sent byte for byte. */
  readonly path: string
  readonly headers: RawHeaders
  /** A redirect's hop: its connections are not shared with those made to configured remotes. */
  readonly guarded: boolean
  readonly lookup: LookupFunction
}

export interface Connections {
  /** `base`: options the client library wants to see on the request. */
  request(wire: WireRequest, base: RequestOptions): ClientRequest
  isProxied(target: URL): boolean
  close(): void
}

/** Sockets idle for longer are given up; S3 closes them after a few seconds without a word. */
const idleTimeout = 4_000

/** Also bounds how long a proxy may sit on a CONNECT whose client has gone. */
const tunnelIdleTimeout = 30_000

/** `highWaterMark`: bytes read ahead of a slow reader per connection; net.Socket takes it, Node's types omit it. */
const sockets = { keepAlive: true, maxFreeSockets: 64, highWaterMark: 256 * 1024 }

export function createConnections(ca: readonly string[] | undefined, proxyFor: ProxyChoice): Connections {
  // Made once: parsing the whole list of roots for each connection would cost more than the handshake.
  const secureContext = tls.createSecureContext(ca === undefined ? {} : { ca: [...ca] })
  const secure = { ...sockets, secureContext, rejectUnauthorized: true }
  const pool = () => ({
    http: new http.Agent({ ...sockets, timeout: idleTimeout }),
    https: new https.Agent({ ...secure, timeout: idleTimeout }),
  })
  const direct = { open: pool(), guarded: pool() }
  const toProxy = pool()
  const tunnels = new Map<string, HttpsProxyAgent>()

  function tunnel(proxy: URL): HttpsProxyAgent {
    const known = tunnels.get(proxy.href)
    if (known !== undefined) return known
    const proxyRequestOptions = ca === undefined ? {} : { ca: [...ca] }
    const agent = new HttpsProxyAgent({ ...secure, timeout: tunnelIdleTimeout, proxy, proxyRequestOptions })
    tunnels.set(proxy.href, agent)
    return agent
  }

  return {
    request(wire, base) {
      const { origin, method, lookup, guarded } = wire
      const proxy = proxyFor(origin)
      const options = { ...base, method, lookup, path: wire.path, headers: withHost(wire) }
      const agents = guarded ? direct.guarded : direct.open
      if (origin.protocol === 'https:') {
        return https.request(origin, { ...options, agent: proxy === undefined ? agents.https : tunnel(proxy) })
      }
      if (proxy === undefined) return http.request(origin, { ...options, agent: agents.http })
      return throughProxy(proxy, toProxy, { ...options, path: `http://${origin.host}${wire.path}` })
    },
    isProxied: (target) => proxyFor(target) !== undefined,
    close() {
      for (const { http, https } of [direct.open, direct.guarded, toProxy]) {
        http.destroy()
        https.destroy()
      }
      for (const agent of tunnels.values()) agent.destroy()
    },
  }
}

/** Plain http through a proxy: a request to the proxy that names the whole URL (RFC 9112 §3.2.2). */
function throughProxy(
  proxy: URL,
  agents: { readonly http: http.Agent; readonly https: https.Agent },
  options: RequestOptions & { headers: readonly string[] },
): ClientRequest {
  const headers = [...options.headers, ...proxyAuthorization(proxy)]
  const target = { ...options, headers, host: bareHost(proxy), port: portOf(proxy) }
  return proxy.protocol === 'https:'
    ? https.request({ ...target, agent: agents.https })
    : http.request({ ...target, agent: agents.http })
}

function proxyAuthorization({ username, password }: URL): string[] {
  if (username === '' && password === '') return []
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  return ['Proxy-Authorization', `Basic ${credentials.toString('base64')}`]
}

/** Given as a flat list, Node writes header fields exactly so: spelling, order and repetitions kept; Host is then ours to add. */
function withHost({ origin, headers }: WireRequest): readonly string[] {
  const fields = ['Host', origin.host]
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.toLowerCase() !== 'host') fields.push(name, headers[i + 1] as string)
  }
  return fields
}
