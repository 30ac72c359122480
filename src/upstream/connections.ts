import http, { type ClientRequest, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import tls, { type SecureContext } from 'node:tls'
import type { RawHeaders } from '../caching/headers.js'
import type { RemoteAccess } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import { TunnelAgent, throughProxy } from './by-proxy.js'
import type { ProxyChoice } from './egress.js'

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
  /** The egress proxy on the way to `target`; `undefined` where there is none. */
  proxyOf(target: URL): URL | undefined
  close(): void
}

/** Sockets idle for longer are given up; S3 closes them after a few seconds without a word. */
const idleTimeout = 4_000

/** `highWaterMark`: bytes read ahead of a slow reader per connection; net.Socket takes it, Node's types omit it. */
const sockets = { keepAlive: true, maxFreeSockets: 64, highWaterMark: 256 * 1024, timeout: idleTimeout }

export interface Identity {
  /** The complete list of trusted authorities, PEM; Node's own where undefined. */
  readonly ca: readonly string[] | undefined
  readonly clientCertificate: RemoteAccess['clientCertificate']
  readonly proxyFor: ProxyChoice
}

/** Connections made as one and the same: none of them serves a request that trusts others or shows another certificate. */
export function createConnections({ ca, clientCertificate, proxyFor }: Identity): Connections {
  // Made once: parsing the whole list of roots for each connection would cost more than the handshake.
  const trust = secureContext({ ca })
  const identity = clientCertificate === undefined ? trust : secureContext({ ca, ...clientCertificate })
  const secure = { ...sockets, secureContext: identity, rejectUnauthorized: true }
  const pool = (secureContext: SecureContext) => ({
    http: new http.Agent(sockets),
    https: new https.Agent({ ...secure, secureContext }),
  })
  const direct = { open: pool(identity), guarded: pool(identity) }
  const toProxy = pool(trust)
  const tunnels = new Map<string, TunnelAgent>()

  function tunnel(proxy: URL): TunnelAgent {
    const known = tunnels.get(proxy.href)
    if (known !== undefined) return known
    const agent = new TunnelAgent(proxy, trust, secure)
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
    proxyOf: proxyFor,
    close() {
      for (const { http, https } of [direct.open, direct.guarded, toProxy]) {
        http.destroy()
        https.destroy()
      }
      for (const agent of tunnels.values()) agent.destroy()
    },
  }
}

function secureContext(options: {
  readonly ca: readonly string[] | undefined
  readonly cert?: string
  readonly key?: string
}): SecureContext {
  const { ca, ...certificate } = options
  try {
    return tls.createSecureContext({ ...certificate, ...(ca && { ca: [...ca] }) })
  } catch (cause) {
    throw new LarderError('UPSTREAM_TLS', 'the authorities or the client certificate set for it are unusable', {
      cause,
    })
  }
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
