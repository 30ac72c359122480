import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { join, startConnectProxy } from './connect-proxy.js'
import { type Origin, type OriginFile, type OriginRequest, startOrigin } from './origin.js'
import type { Certificate } from './stage.js'

/** What stands in for the internet: hosts that are reached by https through an egress proxy and not otherwise. */
export interface Internet {
  /** URL of the egress proxy. */
  readonly proxy: string
  /** Places somebody wanted to reach that are not part of it. */
  readonly strangers: readonly string[]
  /** The host of that name; all hosts of a bucket are one. */
  host(name: string): Origin
  put(url: string, body: Buffer | string, rest?: Omit<OriginFile, 'body'>): void
  /** What its hosts were asked for, by host in order. */
  requests(): readonly InternetRequest[]
  /** From now on nobody is reached. */
  cut(): Promise<void>
  stop(): Promise<void>
}

interface InternetRequest extends OriginRequest {
  readonly host: string
}

const endpoints = ['s3', 's3.us-east-1', 's3.dualstack.us-east-1']
const endpoint = /\.s3(?:\.dualstack)?(?:\.us-east-1)?\.amazonaws\.com$/

/** A bucket has the same objects at each of its endpoints. */
const known = (host: string): string => host.replace(endpoint, '.s3.amazonaws.com')

/** The names a certificate for these hosts has to have. */
export const namesOf = (hosts: readonly string[]): string[] =>
  hosts.flatMap((host) =>
    endpoint.test(host)
      ? endpoints.map((each) => `DNS:${host.replace(endpoint, `.${each}.amazonaws.com`)}`)
      : [`DNS:${host}`],
  )

export async function startInternet(hosts: readonly string[], certificate: Certificate): Promise<Internet> {
  const origins = new Map<string, Origin>()
  for (const host of new Set(hosts.map(known))) origins.set(host, await startOrigin())
  const front = await startFront(certificate, (name) => origins.get(known(name)))
  const proxy = await startConnectProxy((place) => {
    const [, name = ''] = /^(.*):443$/.exec(place) ?? []
    return origins.has(known(name)) ? front.port : undefined
  })
  const host = (name: string): Origin => {
    const origin = origins.get(known(name))
    if (!origin) throw new Error(`${name} is no part of this internet`)
    return origin
  }
  return {
    proxy: proxy.url,
    strangers: proxy.refused,
    host,
    put(url, body, rest) {
      const { host: name, pathname } = new URL(url)
      host(name).put(pathname, body, rest)
    },
    requests: () => [...origins].flatMap(([name, { requests }]) => requests.map((each) => ({ ...each, host: name }))),
    cut: () => proxy.stop(),
    async stop() {
      await proxy.stop()
      await front.stop()
      await Promise.all([...origins.values()].map((origin) => origin.stop()))
    },
  }
}

/** Ends TLS for all hosts. */
async function startFront({ cert, key }: Certificate, find: (name: string) => Origin | undefined) {
  const sockets = new Set<Socket>()
  const identity = { cert: await readFile(cert), key: await readFile(key) }
  const server = createServer(identity, (socket: TLSSocket) => {
    const origin = find(String(socket.servername))
    if (!origin) return void socket.destroy()
    join(socket, connect(Number(new URL(origin.url).port), '127.0.0.1'), sockets)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
