import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Ends a connection so that the client can't take what it has for the whole: by RST, under TLS too (C7). */
export type Reset = (socket: Socket | null) => void

/**
 * A TLS socket has no `resetAndDestroy` of its own, so the raw ones below are kept, found again by the client's address
 * and port.
 */
export function createReset(tlsServers: readonly Server[]): Reset {
  const below = new WeakMap<Socket, Socket>()
  for (const server of tlsServers) {
    const raw = new Map<string, Socket>()
    server.on('connection', (socket: Socket) => {
      const peer = peerOf(socket)
      raw.set(peer, socket)
      socket.once('close', () => raw.get(peer) === socket && raw.delete(peer))
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      const rawSocket = raw.get(peerOf(socket))
      if (rawSocket) below.set(socket, rawSocket)
    })
  }
  return (socket) => {
    if (!socket) return
    const target = below.get(socket) ?? socket
    if ('encrypted' in target) target.destroy()
    else target.resetAndDestroy()
  }
}

const peerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`
