import type { ClientRequest } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { UpstreamPolicy } from '../caching/repository.js'
import { deadline } from '../deadline.js'

export type Phase = 'the name look-up' | 'the connection' | 'the TLS handshake' | 'the response'

/**
 * Watches a request up to its head: name, connection and TLS get `timeout.connect` each, the head `timeout.headers`.
 * The client library's own timers start only with a socket, which a tunnel through a proxy provides when all is over.
 */
export function watchPhases(
  request: ClientRequest,
  timeout: UpstreamPolicy['timeout'],
  expired: (phase: Phase) => void,
): void {
  let met = () => {}
  let ended = false
  const enter = (phase: Phase) => {
    if (ended) return
    met()
    met = deadline(phase === 'the response' ? timeout.headers : timeout.connect, () => expired(phase))
  }
  const end = () => {
    ended = true
    met()
  }
  enter('the connection')
  request.once('socket', (socket) => followSocket(socket, isIP(request.host) !== 0, enter))
  request.once('response', end)
  request.once('close', end)
}

function followSocket(socket: Socket, isAddress: boolean, enter: (phase: Phase) => void): void {
  const connected = () => {
    if (socket instanceof TLSSocket && !socket.authorized) {
      enter('the TLS handshake')
      socket.once('secureConnect', () => enter('the response'))
    } else {
      enter('the response')
    }
  }
  if (!socket.connecting) {
    connected()
    return
  }
  enter(isAddress ? 'the connection' : 'the name look-up')
  socket.once('lookup', () => enter('the connection'))
  socket.once('connect', connected)
}
