import { type ClientRequest, type IncomingMessage, request as plainly } from 'node:http'
import { request as securely } from 'node:https'
import { deadline } from '../deadline.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { PeerAnswer, Peers } from '../proxy/peers.js'
import { splitAnswer } from './answer.js'
import { passFor } from './passes.js'

export interface HttpPeersOptions {
  readonly secret: () => string
  /** PEM; instead of the public roots. */
  readonly ca?: readonly string[]
  /** Milliseconds within which a peer says whether it has the fill. */
  readonly patience: number
  /** Milliseconds without a byte after which a peer that had one is given up. */
  readonly stall: number
  readonly log: Logger
}

/** What a follower says that is in no hurry. */
const unhurried = { 'Larder-Unhurried': 'true' }

/** Follows fills of peers over `/internal/v1/fills/<id>`. */
export function createHttpPeers({ secret, ca, patience, stall, log }: HttpPeersOptions): Peers {
  const ask = (url: string, id: string, isHurried: boolean): ClientRequest => {
    const target = new URL(`internal/v1/fills/${id}`, url.endsWith('/') ? url : `${url}/`)
    const headers = { Authorization: `Larder-Peer ${passFor(secret(), id)}`, ...(!isHurried && unhurried) }
    // A connection for each: what follows a fill is worth one, and a peer that hangs holds nobody else up.
    const options = { headers, agent: false, ...(ca && { ca: [...ca] }) }
    return target.protocol === 'https:' ? securely(target, options) : plainly(target, options)
  }

  /** By a request of its own, of which nothing more is wanted: who follows has sent his. */
  const hurry = async (url: string, id: string, signal: AbortSignal): Promise<void> => {
    try {
      const response = await answered(ask(url, id, true), patience, signal)
      response.destroy()
    } catch (error) {
      log.debug({ err: error, peer: url }, 'cannot hurry a peer')
    }
  }

  return {
    async follow(url, id, { hurried }, signal) {
      signal.throwIfAborted()
      try {
        const request = ask(url, id, hurried.aborted)
        if (!hurried.aborted) {
          const hurryToo = () => void hurry(url, id, signal)
          hurried.addEventListener('abort', hurryToo, { once: true })
          request.once('close', () => hurried.removeEventListener('abort', hurryToo))
        }
        const response = await answered(request, patience, signal)
        const { statusCode: status } = response
        const answer = status === 200 ? await answerIn(response, stall) : undefined
        if (answer) return answer
        response.destroy()
        const why = status === 401 ? 'does not take our secret: theirs is another one' : 'says what means nothing here'
        log.warn({ peer: url, status }, `a peer ${why}; fetching without it`)
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ err: error, peer: url }, 'a peer does not answer; fetching without it')
      }
      return undefined
    },
  }
}

/** The head of the answer, within `patience` ms. */
function answered(request: ClientRequest, patience: number, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const leave = () => request.destroy(signal.reason)
    const met = deadline(patience, () => request.destroy(new Error(`no answer within ${patience} ms`)))
    signal.addEventListener('abort', leave, { once: true })
    request.once('close', () => signal.removeEventListener('abort', leave))
    request.on('error', reject)
    request.once('response', (response) => {
      met()
      resolve(response)
    })
    request.once('close', met)
    request.end()
  })
}

async function answerIn(response: IncomingMessage, stall: number): Promise<PeerAnswer | undefined> {
  const answer = await splitAnswer(unstalled(response, stall))
  if (!answer) response.destroy()
  if (answer?.kind !== 'growing') return answer
  return {
    ...answer,
    response: { ...answer.response, body: brokenOff(answer.response.body), discard: () => response.destroy() },
  }
}

/** A stopped process keeps its connections, and sends nothing. Only while a byte is waited for: who reads may be slow. */
async function* unstalled(response: IncomingMessage, stall: number): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]()
  const next = async () => {
    return chunks.next().finally(deadline(stall, () => response.destroy(new Error(`no byte for ${stall} ms`))))
  }
  for (let part = await next(); !part.done; part = await next()) yield part.value
}

async function* brokenOff(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw new LarderError('UPSTREAM_CUT', 'a peer broke off', { cause: error })
  }
}
