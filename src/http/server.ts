import { readFileSync } from 'node:fs'
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Logger } from '../log.js'
import type { Artifacts } from './artifacts.js'
import { createBodyDeadline } from './body-deadline.js'
import { guarded, type Refused } from './guard.js'
import { createReset, type Reset } from './reset.js'

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly tls: (KeyPair & { readonly port: number }) | undefined
  /** Where other replicas are listened to, over TLS if their URLs say so. */
  readonly peer: { readonly port: number; readonly secure: boolean } | undefined
  readonly maxConnections: number
  /** Milliseconds after which a client that takes no byte is reset. */
  readonly clientTimeout: number
  /** Told of each connection that is not served. */
  readonly refused: Refused
  readonly log: Logger
}

/** Files in PEM. */
interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** Who answers what comes in. */
interface Answering {
  readonly app: Hono<{ Bindings: HttpBindings }>
  readonly artifacts: Artifacts
  readonly peers: RequestListener
}

/**
 * The listeners: plain HTTP always, TLS of our own beside it where configured (resets must reach clients, C7). One more for
 * replicas: Node takes one connection from each listener at a time, so that behind a hundred clients they would come too late.
 */
export interface Servers {
  readonly reset: Reset
  /** Lets a request take as long for its body as it needs. */
  readonly unhurried: (request: IncomingMessage) => void
  /** Resolves with the URLs once all listen. */
  listen(answering: Answering): Promise<string[]>
  /** Reads certificate and key anew; a bad pair keeps the old one. */
  reloadCertificate(): void
  connections(): number
  /** Stops accepting; idle connections end now, busy ones after their answer, the rest by reset when `grace` ms are over. */
  close(grace: number): Promise<void>
}

/** Bytes of a head; milliseconds a client may idle between requests, and take for a head. */
const limits = {
  maxHeaderSize: 16 * 1024,
  keepAliveTimeout: 75_000,
  headersTimeout: 20_000,
  // Ours to keep: some bodies may take longer (body-deadline.ts).
  requestTimeout: 0,
  connectionsCheckingInterval: 5_000,
}

/** Milliseconds a client may take for the body of a request. */
const bodyTimeout = 60_000

/** Milliseconds a client may take for its TLS handshake. */
const handshakeTimeout = 20_000

export function createServers(options: ServerOptions): Servers {
  const { host, tls, peer, log } = options
  const overTls = (pair: KeyPair) => https.createServer({ ...limits, handshakeTimeout, ...readPair(pair) })
  const plain = http.createServer(limits)
  const secure = tls && overTls(tls)
  const toPeers = peer && (peer.secure && tls ? overTls(tls) : http.createServer(limits))
  const servers = [plain, secure, toPeers].filter((server) => server !== undefined)
  const tlsServers = servers.filter((server) => server instanceof https.Server)
  const reset = createReset(tlsServers)
  const deadline = createBodyDeadline(bodyTimeout, reset)
  const sockets = new Set<Socket>()
  for (const server of servers) {
    server.maxConnections = options.maxConnections
    // The size of a head bounds them. Node would leave out what is beyond a number, without a word.
    server.maxHeadersCount = 0
    server.on('drop', () => options.refused('connections'))
    server.setTimeout(options.clientTimeout, reset)
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
  }

  return {
    reset,
    unhurried: deadline.lift,

    async listen({ app, artifacts, peers }) {
      const fetch = (request: Request, env: HttpBindings) => app.fetch(asGet(request), env)
      const listener = getRequestListener(fetch as Parameters<typeof getRequestListener>[0], { hostname: 'larder' })
      // The adapter answers a backslash by itself, without a trace; the artifact route says why, and logs it.
      const serve: RequestListener = (request, response) => {
        if (request.url?.includes('\\')) artifacts(request, response)
        else listener(request, response)
      }
      for (const server of servers) {
        const served = server === toPeers ? peers : serve
        const watched: RequestListener = (request, response) => {
          deadline.watch(request)
          served(request, response)
        }
        const handle = guarded(watched, reset, options.refused)
        server.on('request', handle)
        server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
          // An upload may be refused before a byte of it is sent.
          if (request.method !== 'PUT') response.writeContinue()
          handle(request, response)
        })
      }
      const urls = [urlOf('http', await listenOn(plain, host, options.port))]
      if (secure && tls) urls.push(urlOf('https', await listenOn(secure, host, tls.port)))
      if (toPeers && peer) await listenOn(toPeers, host, peer.port)
      return urls
    },

    reloadCertificate() {
      if (!tls) return
      try {
        const pair = readPair(tls)
        for (const server of tlsServers) server.setSecureContext(pair)
        log.info('certificate reloaded')
      } catch (error) {
        log.error({ err: error }, 'cannot load the certificate; the old one stays in use')
      }
    },

    connections: () => sockets.size,

    async close(grace) {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.resetAndDestroy()
      }, grace)
      // A connection that turns idle only now is noticed by this.
      const idle = setInterval(() => {
        for (const server of servers) server.closeIdleConnections()
      }, 100)
      await Promise.all(closed)
      clearTimeout(timer)
      clearInterval(idle)
    },
  }
}

/** Hono answers HEAD by a copy of what GET gives; the artifact route has written its answer by then. Node drops the body. */
const asGet = (request: Request): Request =>
  request.method === 'HEAD' ? Object.create(request, { method: { value: 'GET' } }) : request

const readPair = ({ cert, key }: KeyPair) => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
})

const urlOf = (scheme: string, { address, family, port }: AddressInfo) =>
  `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`

function listenOn(server: http.Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}
