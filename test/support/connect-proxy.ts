import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** An egress proxy for https that leads where it is told. */
export interface ConnectProxy {
  readonly url: string
  /** Places somebody wanted to reach in vain, as `host:port`. */
  readonly refused: readonly string[]
  stop(): Promise<void>
}

/** `lead`: the port of this machine that stands for a `host:port`. */
export async function startConnectProxy(lead: (place: string) => number | undefined): Promise<ConnectProxy> {
  const refused: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    refused.push(String(request.url))
    response.writeHead(403).end()
  })
  server.on('connect', ({ url = '' }, socket: Socket) => {
    const port = lead(url)
    if (port === undefined) {
      refused.push(url)
      return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    }
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    join(socket, connect(port, '127.0.0.1'), sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused,
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Makes one connection of two; both are among `all` while they are open. */
export function join(one: Socket, other: Socket, all: Set<Socket>): void {
  one.pipe(other).pipe(one)
  for (const [socket, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    all.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      all.delete(socket)
      peer.destroySoon()
    })
  }
}
