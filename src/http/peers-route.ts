import type { RequestListener, ServerResponse } from 'node:http'
import type { FillHead } from '../proxy/fill.js'
import type { UnderWay } from '../proxy/replicas.js'
import { type BufferPool, ClientGone, pump, write } from './pump.js'
import type { Reset } from './reset.js'

export interface PeersRouteDeps {
  readonly underWay: (id: string) => UnderWay | undefined
  /** Whether what a peer shows lets it follow that fill. */
  readonly isPass: (id: string, shown: string) => boolean
  readonly pool: BufferPool
  readonly reset: Reset
  /** Milliseconds between two signs of life while the remote lets wait for its answer. */
  readonly beat: number
}

const written = /^\/internal\/v1\/fills\/([0-9a-f]{64})$/

/**
 * `GET /internal/v1/fills/<id>`: what a fill that is under way here comes to, for a replica that asks for the same. The head
 * of the answer goes out at once, and says no more than that there is one; then a line of JSON as soon as the remote has
 * answered; behind it, where a body is to be stored, its bytes as they come in. A reset says that there will be no more.
 * Blanks in front of the line mean nothing: a remote may take its time, and who follows would take that for our silence.
 */
export function createPeersRoute({ underWay, isPass, pool, reset, beat }: PeersRouteDeps): RequestListener {
  const follow = async (response: ServerResponse, head: Promise<FillHead>): Promise<void> => {
    const beating = setInterval(() => response.write(' '), beat).unref()
    response.once('close', () => clearInterval(beating))
    const answer = await head.catch(() => undefined)
    clearInterval(beating)
    if (answer?.kind !== 'growing') return void response.end(`${JSON.stringify(told(answer))}\n`)
    const { growing } = answer
    const body = growing.follow(undefined)
    response.once('close', () => body.close())
    try {
      const { selecting } = growing.head
      await write(response, `${JSON.stringify({ kind: 'growing', ...growing.answer, selecting })}\n`)
      await pump({ response, body, range: { start: 0, end: undefined }, pool, begin() {}, sent() {} })
      response.end()
    } catch (error) {
      if (!(error instanceof ClientGone)) reset(response.socket)
    } finally {
      body.close()
    }
  }

  return (request, response) => {
    const [, id = ''] = written.exec(request.url ?? '') ?? []
    const [, shown = ''] = /^Larder-Peer ([0-9a-f]{64})$/.exec(request.headers.authorization ?? '') ?? []
    // Without a pass nothing is told, not even whether there is such a fill.
    if (!isPass(id, shown)) return void response.writeHead(401, unknown).end()
    const fill = request.method === 'GET' ? underWay(id) : undefined
    response.writeHead(200, ['Content-Type', 'application/octet-stream', 'Cache-Control', 'no-store'])
    // Said, for a 404 is what anything else would answer that a wrong URL leads to.
    if (!fill) return void response.end(`${JSON.stringify(told(undefined))}\n`)
    if (request.headers['larder-unhurried'] === undefined) fill.hurry()
    response.flushHeaders()
    void follow(response, fill.head())
  }
}

const unknown = ['Content-Length', '0', 'WWW-Authenticate', 'Larder-Peer']

/** What is refused only to requests like that one is nothing for others. */
const told = (answer: FillHead | undefined) =>
  answer?.kind === 'refused' && isForAll(answer)
    ? { kind: 'refused', status: answer.status, headers: answer.headers }
    : { kind: 'over' }

const isForAll = ({ selecting = {} }: Extract<FillHead, { kind: 'refused' }>) => Object.keys(selecting).length === 0
