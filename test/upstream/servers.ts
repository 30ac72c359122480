import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { onTestFinished } from 'vitest'
import { plainAccess, type RemoteAccess, type UpstreamPolicy } from '../../src/caching/repository.js'
import { createGotUpstream, type GotUpstreamOptions } from '../../src/upstream/got-upstream.js'
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.js'

export const policy: UpstreamPolicy = {
  timeout: { connect: 5_000, headers: 5_000, stall: 5_000 },
  retry: { attempts: 1, budget: 0, resumes: 0 },
  breaker: { failures: 5, openFor: 15_000, maxOpenFor: 300_000 },
  maxRedirects: 5,
  redirects: { allow: [] },
}

export interface Listening {
  readonly port: number
  readonly url: string
}

type Answer = string | ((socket: net.Socket) => void)

export interface RawServer extends Listening {
  /** Each request head as it came, latin1. */
  readonly heads: string[]
  connections(): number
}

/** Answers the n-th request with the n-th answer, the last for all after; bytes exactly as written. */
export async function rawServer(...answers: [Answer, ...Answer[]]): Promise<RawServer> {
  return serveRaw(net.createServer(), 'connection', answers)
}

export async function rawTlsServer(identity: tls.TlsOptions, ...answers: [Answer, ...Answer[]]): Promise<RawServer> {
  const server = tls.createServer(identity)
  const listening = await serveRaw(server, 'secureConnection', answers)
  return { ...listening, url: listening.url.replace('http:', 'https:') }
}

async function serveRaw(server: net.Server, event: string, answers: readonly Answer[]): Promise<RawServer> {
  const heads: string[] = []
  let connections = 0
  server.on(event, (socket: net.Socket) => {
    connections++
    let buffered = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      buffered += data.toString('latin1')
      for (let end = buffered.indexOf('\r\n\r\n'); end >= 0; end = buffered.indexOf('\r\n\r\n')) {
        const answer = answers[Math.min(heads.length, answers.length - 1)] as Answer
        heads.push(buffered.slice(0, end))
        buffered = buffered.slice(end + 4)
        if (typeof answer === 'string') socket.write(answer, 'latin1')
        else answer(socket)
      }
    })
  })
  return { ...(await listen(server)), heads, connections: () => connections }
}

/** Listens on a free loopback port until the test is over. */
export async function listen(server: net.Server): Promise<Listening> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}` }
}

export interface ForwardProxy extends Listening {
  /** Request lines, with `Proxy-Authorization` where there was one. */
  readonly seen: { line: string; authorization: string | undefined }[]
}

/** A small HTTP proxy: CONNECT tunnels and absolute-form requests, all of them to `target`, whatever host they name. */
export async function forwardProxy(
  target: Listening,
  { connectStatus = 200, identity }: { connectStatus?: number; identity?: Identity } = {},
): Promise<ForwardProxy> {
  const seen: ForwardProxy['seen'] = []
  const server = identity === undefined ? http.createServer() : https.createServer(identity)
  server.on('request', (request: http.IncomingMessage, response: http.ServerResponse) => {
    seen.push({ line: `${request.method} ${request.url}`, authorization: request.headers['proxy-authorization'] })
    const path = request.url?.replace(/^http:\/\/[^/]*/, '')
    const onward = http.request({ host: '127.0.0.1', port: target.port, path, method: request.method ?? 'GET' })
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.rawHeaders)
      answer.pipe(response)
    })
    onward.end()
  })
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket) => {
    seen.push({ line: `CONNECT ${request.url}`, authorization: request.headers['proxy-authorization'] })
    socket.on('error', () => {})
    if (connectStatus !== 200) {
      socket.end(`HTTP/1.1 ${connectStatus} No\r\n\r\n`)
      return
    }
    const onward = net.connect(target.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(onward).pipe(socket)
    })
    onward.on('error', () => socket.destroy())
  })
  return { ...(await listen(server)), seen }
}

/** A driver that is closed when the test is over. */
export function upstream(options: Partial<GotUpstreamOptions> = {}): Upstream {
  const driver = createGotUpstream({ egress: { noProxy: [] }, configuredRemotes: () => [], ...options })
  onTestFinished(() => driver.close())
  return driver
}

type Wanted = Partial<UpstreamRequest> & { readonly access?: Partial<RemoteAccess> }

export const request = (url: string, { access, ...more }: Wanted = {}): UpstreamRequest => ({
  method: 'GET',
  remote: { url, access: { ...plainAccess, ...access } },
  target: '/',
  headers: [],
  policy,
  ...more,
})

export async function bytes(response: UpstreamResponse): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export const text = async (response: UpstreamResponse): Promise<string> => (await bytes(response)).toString('latin1')

/** Resolves the given names and no others; `asked` records every look-up. */
export function names(table: Readonly<Record<string, readonly string[]>>): { lookup: LookupFunction; asked: string[] } {
  const asked: string[] = []
  const turns = new Map<string, number>()
  const lookup: LookupFunction = (hostname, options, callback) => {
    asked.push(hostname)
    const addresses = table[hostname]
    if (addresses === undefined) {
      callback(Object.assign(new Error('unknown name'), { code: 'ENOTFOUND' }), '')
      return
    }
    // The n-th look-up gives the n-th address, as a rebinding name server does.
    const turn = turns.get(hostname) ?? 0
    turns.set(hostname, turn + 1)
    const address = addresses[Math.min(turn, addresses.length - 1)] as string
    if (options.all === true) callback(null, [{ address, family: 4 }])
    else callback(null, address, 4)
  }
  return { lookup, asked }
}

export interface Identity {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for `host`, made by openssl; `days: -1` makes one that expired yesterday. */
export function selfSigned(host: string, days = 1): Identity {
  const directory = mkdtempSync(join(tmpdir(), 'larder-certificate-'))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  try {
    writeFileSync(join(directory, 'names'), `subjectAltName=${net.isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`)
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    openssl('req', ...curve, '-keyout', 'key', '-out', 'request', '-subj', `/CN=${host}`)
    const signing = ['-in', 'request', '-signkey', 'key', '-extfile', 'names']
    openssl('x509', '-req', ...signing, '-days', String(days), '-out', 'certificate')
    const read = (name: string) => readFileSync(join(directory, name), 'utf8')
    return { key: read('key'), cert: read('certificate') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}
