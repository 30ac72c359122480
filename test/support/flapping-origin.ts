import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerOf, type OriginFile } from './origin-answer.js'
import { deliver, type Fault } from './origin-faults.js'
import { type Choices, choices } from './seeded.js'

export interface FlappingFile extends OriginFile {
  readonly framing?: 'chunked'
  /** Bytes per second. */
  readonly rate?: number
}

/** Bodies of a path that went out, but for those that were reset: from their beginning, and from where another one was cut. */
interface Delivered {
  readonly whole: number
  readonly rest: number
}

/** A remote half of whose requests fail before their head, and three in ten of whose bodies are cut. */
export interface FlappingOrigin {
  readonly url: string
  /** How often each path was asked for. */
  readonly requests: ReadonlyMap<string, number>
  readonly delivered: ReadonlyMap<string, Delivered>
  stop(): void
}

/** Heads that are slow come after this many ms. */
const slowHead = 3_000

/** After so many requests no connection is taken for a moment. */
const refusesAfter = 25

/** What befalls a path's requests depends on the seed and their order alone. */
export async function startFlappingOrigin(
  files: ReadonlyMap<string, FlappingFile>,
  seed: number,
): Promise<FlappingOrigin> {
  const requests = new Map<string, number>()
  const delivered = new Map<string, Delivered>()
  const fates = new Map<string, Choices>([...files.keys()].map((path, i) => [path, choices(seed + 7919 * i)]))
  let total = 0

  const note = (path: string, status: number) => {
    const { whole, rest } = delivered.get(path) ?? { whole: 0, rest: 0 }
    if (status === 200) delivered.set(path, { whole: whole + 1, rest })
    if (status === 206) delivered.set(path, { whole, rest: rest + 1 })
  }

  const refuseForAMoment = async () => {
    server.close()
    await sleep(50)
    if (!stopped) server.listen(port, '127.0.0.1')
  }

  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/'
    requests.set(path, (requests.get(path) ?? 0) + 1)
    total += 1
    if (total % refusesAfter === 0) void refuseForAMoment()
    const fate = fates.get(path)
    const file = files.get(path)
    if (!fate || !file) return void response.writeHead(404).end()
    const fault = faultOf(fate)
    if (fault === 'reset') return void request.socket.resetAndDestroy()
    if (fault === 'close') return void request.socket.destroy()
    const answer = answerOf(request.method ?? 'GET', request.headers, file, fault)
    const cut = cutOf(fate, answer.body.length)
    const work = () => {
      // Who was reset may never have got a byte.
      if (cut.reset === undefined && cut.cut !== 0 && !response.destroyed) note(path, answer.status)
      return answer
    }
    const { framing, rate } = file
    const manner = { ...(framing && { framing }), ...(rate !== undefined && { rate }) }
    await deliver(request, response, work, { ...fault, ...cut, ...manner })
  }

  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy())
  })
  server.on('connection', (socket) => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  let stopped = false
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    delivered,
    stop() {
      stopped = true
      server.close()
      server.closeAllConnections()
    },
  }
}

function faultOf(fate: Choices): Fault | 'reset' | 'close' {
  const drawn = fate.below(100)
  if (drawn < 15) return { status: fate.of([500, 502, 503, 504]) }
  if (drawn < 30) return 'reset'
  if (drawn < 40) return 'close'
  return drawn < 50 ? { delayHeaders: slowHead } : {}
}

function cutOf(fate: Choices, length: number): Fault {
  if (fate.below(100) >= 30) return {}
  const at = fate.below(length + 1)
  return fate.of([{ cut: at }, { reset: at }])
}
