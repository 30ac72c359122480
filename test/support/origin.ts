import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Answer, answerOf, type OriginFile, s3ETag } from './origin-answer.js'
import { deliver, type Fault, Gate } from './origin-faults.js'

export type { OriginFile } from './origin-answer.js'
export type { Fault, Gate } from './origin-faults.js'

export interface OriginRequest {
  readonly method: string
  /** The request target, byte for byte. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Hears of each request as it comes, of the answer as it is made up, and when nothing more of it will be sent. */
export type Watch = (request: OriginRequest, fault: Fault) => { answered(answer: Answer): void; over(): void }

interface Plan {
  readonly fault: Fault
  left: number
}

/** A remote storage one can program: an HTTP/1.1 server on a loopback socket that answers as S3 does, or badly as told. */
export class Origin {
  /** By path, or by path and query where only that very target is meant. */
  readonly files = new Map<string, OriginFile>()
  readonly requests: OriginRequest[] = []
  watch: Watch = () => ({ answered() {}, over() {} })
  readonly #plans = new Map<string, Plan[]>()
  readonly #sockets = new Set<Socket>()
  readonly #gates = new Set<Gate>()
  #server: Server | undefined
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Puts a file there and gives its body back. */
  put(path: string, body: Buffer | string, rest: Omit<OriginFile, 'body'> = {}): Buffer {
    const bytes = Buffer.from(body)
    this.files.set(path, { body: bytes, etag: s3ETag(bytes), ...rest })
    return bytes
  }

  /** The next `times` requests for `path` (`'*'`: for anything) get this; plans are used up in the order they were made. */
  plan(path: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#plans.set(path, [...(this.#plans.get(path) ?? []), { fault, left: times }])
  }

  /** From now on answers well again. */
  heal(): void {
    this.#plans.clear()
    for (const gate of this.#gates) gate.letGo()
    this.#gates.clear()
  }

  /** Holds the answers for `path` after so many bytes of body (-1: before the head) until the gate is let go. */
  hold(path: string, afterBytes: number, fault: Fault = {}, times?: number): Gate {
    const gate = new Gate()
    this.#gates.add(gate)
    this.plan(path, { ...fault, gate: { after: afterBytes, gate } }, times)
    return gate
  }

  count(path: string, method?: string): number {
    return this.requestsFor(path, method).length
  }

  requestsFor(path: string, method?: string): OriginRequest[] {
    return this.requests.filter(
      ({ url, method: seen }) =>
        (url === path || url.split('?')[0] === path) && (method === undefined || method === seen),
    )
  }

  /** Listens, on the port it had before if it had one. */
  async start(): Promise<void> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => this.#answer(request, response))
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Dies: every connection is reset and new ones are refused. */
  async stop(): Promise<void> {
    const server = this.#server
    if (!server) return
    this.#server = undefined
    this.heal()
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '/'
    const { method = 'GET', rawHeaders, headers } = request
    const asked = { method, url: target, rawHeaders, headers }
    this.requests.push(asked)
    const path = target.split('?')[0] ?? target
    const fault = this.#take(target) ?? this.#take(path) ?? this.#take('*') ?? {}
    // Worked out once the fault lets it through: a file may change while its answer is held.
    const watched = this.watch(asked, fault)
    const answer = () => {
      const made = answerOf(method, headers, this.files.get(target) ?? this.files.get(path), fault)
      watched.answered(made)
      return made
    }
    deliver(request, response, answer, fault)
      .catch(() => response.destroy())
      .finally(() => watched.over())
  }

  #take(path: string): Fault | undefined {
    const plans = this.#plans.get(path)
    const plan = plans?.[0]
    if (!plans || !plan) return undefined
    plan.left -= 1
    if (plan.left <= 0) plans.shift()
    return plan.fault
  }
}

export async function startOrigin(): Promise<Origin> {
  const origin = new Origin()
  await origin.start()
  return origin
}
