import type { RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../caching/headers.js'
import type { Reset } from './reset.js'

/** Why a connection is not served: there are too many of them, or too many requests wait on it. */
export type Refused = (reason: 'connections' | 'pipelining') => void

/** Requests of one connection that may wait for the answers to earlier ones: each of them holds kilobytes. */
const mostWaiting = 100

/** Lets through to `listener` what is fit to be routed at all. */
export function guarded(listener: RequestListener, reset: Reset, refused: Refused): RequestListener {
  const waiting = new WeakMap<Socket, number>()

  /** Node stops reading where answers pile up, but not where the first of them is still awaited. */
  const isOneTooMany = (socket: Socket, response: ServerResponse): boolean => {
    const before = waiting.get(socket) ?? 0
    waiting.set(socket, before + 1)
    response.once('socket', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1))
    return before >= mostWaiting
  }

  return (request, response) => {
    const { socket } = request
    if (response.socket === null && isOneTooMany(socket, response)) {
      // What came together with the one too many is still parsed.
      if (socket.destroyed) return
      refused('pipelining')
      reset(socket)
    } else if (namesSeveralHosts(request.rawHeaders)) {
      response.writeHead(400, ['Connection', 'close', 'X-Larder-Error', 'REQUEST_INVALID', 'Content-Length', '0']).end()
    } else {
      listener(request, response)
    }
  }
}

/** RFC 9112 §3.2: a front may have gone by another of them. Node refuses only a request that has none. */
function namesSeveralHosts(fields: RawHeaders): boolean {
  let hosts = 0
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}
