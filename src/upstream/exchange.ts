import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import got from 'got'
import type { UpstreamPolicy } from '../caching/repository.js'
import { bodyOf, framingOf } from './body.js'
import { proxyRefused } from './by-proxy.js'
import type { Connections, WireRequest } from './connections.js'
import { faultOf, invalidAnswer, timedOut } from './faults.js'
import { type Phase, watchPhases } from './phases.js'
import type { UpstreamResponse } from './upstream.js'

export interface ExchangeRequest extends WireRequest {
  readonly timeout: UpstreamPolicy['timeout']
  readonly signal: AbortSignal | undefined
  /** Asked before a kept-alive connection is used again: a fault refuses it, and nothing is sent. */
  readonly refusalOf: (address: string) => Error | undefined
  /** Called when an exchange that got as far as a request no longer uses its connection. */
  readonly over: () => void
}

export interface Exchange extends UpstreamResponse {
  /** The address connected to; undefined where there is no socket of our own to the remote. */
  readonly address: string | undefined
}

const client = got.extend({ retry: { limit: 0 }, followRedirect: false, decompress: false, throwHttpErrors: false })

/**
 * One request, one answer: no redirects, no retries but where a kept-alive connection turns out to be closed, which says
 * nothing of the remote (RFC 9112 §9.3.1). Rejects with a `LarderError`, or with the signal's reason.
 */
export async function exchange(connections: Connections, request: ExchangeRequest): Promise<Exchange> {
  for (;;) {
    const sending: Sending = { closedBefore: false }
    try {
      return await send(connections, request, sending)
    } catch (error) {
      // Each time one connection fewer is kept.
      if (!sending.closedBefore) throw error
    }
  }
}

interface Sending {
  /** Whether the request was lost on a connection that had served before, without an answer. */
  closedBefore: boolean
}

async function send(connections: Connections, request: ExchangeRequest, sending: Sending): Promise<Exchange> {
  const { origin, signal } = request
  signal?.throwIfAborted()
  const requestTime = Date.now()
  const proxy = connections.proxyOf(origin)
  const host = proxy === undefined ? origin.host : `${origin.host} by way of the egress proxy ${proxy.host}`
  let address: string | undefined
  // The library sees the origin alone, for a URL object re-encodes paths; the true path goes in with the native request.
  const stream = client.stream(origin, {
    method: request.method,
    request: (_url, options) => {
      const sent = connections.request(request, options)
      // The size of a head bounds them. Node would leave out what is beyond a number, a `no-store` perhaps, without a word.
      sent.maxHeadersCount = 0
      sent.once('socket', (socket) => whenConnected(socket, () => (address = socket.remoteAddress)))
      let answered = false
      sent.once('response', () => (answered = true))
      sent.once('error', (error) => {
        sending.closedBefore = sent.reusedSocket && !answered && isClosed(error)
      })
      sent.once('close', () => sending.closedBefore || request.over())
      watchRequest(sent, { ...request, host }, (error) => stream.destroy(error))
      return sent
    },
  })
  const abort = () => stream.destroy()
  signal?.addEventListener('abort', abort)
  const forget = () => signal?.removeEventListener('abort', abort)
  stream.once('close', forget)

  const response = await headOf(stream, host, signal)
  // Without a body it may be over already.
  if (response.destroyed) forget()
  else response.once('close', forget)
  try {
    if (proxy && origin.protocol === 'http:' && response.statusCode === 407) throw proxyRefused(proxy, 407)
    const framing = framingOf(request.method, response, host)
    const body = bodyOf({ stream, response, framing, stall: request.timeout.stall, host, signal })
    return {
      status: response.statusCode ?? 0,
      headers: response.rawHeaders,
      requestTime,
      responseTime: Date.now(),
      framing: framing.kind,
      body,
      discard: body.discard,
      address: proxy === undefined ? address : undefined,
    }
  } catch (error) {
    stream.destroy()
    throw error
  }
}

const isClosed = (error: NodeJS.ErrnoException) => error.code === 'ECONNRESET' || error.code === 'EPIPE'

/** The address has to be noted while there is a connection; it may be gone when the head is looked at. */
function whenConnected(socket: Socket, note: () => void): void {
  if (socket.connecting) socket.once('connect', note)
  else note()
}

function headOf(
  stream: ReturnType<typeof client.stream>,
  host: string,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve)
    // Stays for good: a connection may fail at any time, also when nobody cares any more.
    stream.on('error', (error) => reject(faultOf(error, host)))
    stream.once('close', () => reject(signal?.aborted ? signal.reason : faultOf(undefined, host)))
  })
}

interface Watched extends ExchangeRequest {
  /** How messages name the remote. */
  readonly host: string
}

function watchRequest(sent: ClientRequest, request: Watched, fail: (error: Error) => void): void {
  const { host } = request
  // The library listens once only, and a connection can fail again after that.
  sent.on('error', () => {})
  watchPhases(sent, request.timeout, (phase: Phase) => fail(timedOut(host, phase)))
  sent.once('socket', (socket) => {
    if (socket.connecting || socket.remoteAddress === undefined) return
    const refusal = request.refusalOf(socket.remoteAddress)
    if (refusal !== undefined) fail(refusal)
  })
  sent.once('upgrade', (_response, socket) => {
    socket.destroy()
    fail(invalidAnswer(host, 'it switched protocols unasked'))
  })
}
