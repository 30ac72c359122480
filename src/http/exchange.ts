import type { IncomingMessage, ServerResponse } from 'node:http'
import { withoutQueryValues } from '../caching/cache-key.js'
import type { CacheOutcome } from '../caching/cache-status.js'
import { cacheStatus } from '../caching/cache-status.js'
import type { LarderError } from '../errors.js'
import type { Access } from './access.js'
import { errorAnswer } from './on-error.js'
import type { Reset } from './reset.js'

export interface ExchangeDeps {
  readonly via: string
  readonly record: (access: Access) => void
  readonly reset: Reset
  readonly nextRequestId: () => string
}

/** Ids that may be taken over from the client and written to logs and headers as they are. */
const harmlessId = /^[\w.:-]{1,64}$/

/** One request on the artifact route and its raw response: answered once, recorded once. */
export class Exchange {
  readonly requestId: string
  repository: string | undefined
  #cache: CacheOutcome = { outcome: 'error' }
  #bytes = 0
  #code: string | undefined
  #abortedBy: Access['abortedBy']
  #recorded = false
  readonly #startedAt = performance.now()
  /** Asked for now: a connection that was reset no longer knows. */
  readonly #client: string
  readonly #deps: ExchangeDeps

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    deps: ExchangeDeps,
  ) {
    this.#deps = deps
    this.#client = request.socket.remoteAddress ?? ''
    const given = request.headers['x-request-id']
    this.requestId = typeof given === 'string' && harmlessId.test(given) ? given : deps.nextRequestId()
  }

  get left(): boolean {
    return this.response.destroyed || this.response.socket === null || this.response.socket.destroyed
  }

  leaving(): AbortSignal {
    const controller = new AbortController()
    if (this.left) controller.abort()
    else this.response.once('close', () => controller.abort())
    return controller.signal
  }

  /** Writes the head: `steady` fields, those of this answer, and what every answer carries (C3). `age` in seconds. */
  begin(
    status: number,
    steady: readonly string[],
    cache: CacheOutcome,
    age?: number,
    own: readonly string[] = [],
  ): void {
    this.#cache = cache
    const fields = steady.concat(own, ['X-Request-Id', this.requestId, 'Cache-Status', cacheStatus(cache)])
    if (age !== undefined) fields.push('Age', String(Math.floor(age)))
    this.response.writeHead(status, fields)
  }

  /** Ends the answer with its last bytes, or its only ones. */
  end(bytes?: Uint8Array | string): void {
    this.#bytes += bytes?.length ?? 0
    this.response.end(bytes)
    this.#record()
  }

  sent(bytes: number): void {
    this.#bytes += bytes
  }

  fail(error: LarderError, cache: CacheOutcome): void {
    if (this.left) {
      this.abandoned()
      return
    }
    this.#code = error.code
    const { status, headers, body } = errorAnswer(error, this.request)
    this.begin(status, ['Via', this.#deps.via, ...headers], cache)
    this.end(this.request.method === 'HEAD' ? undefined : body)
  }

  /** The body can't be completed after bytes went out: the client must not take it for whole (C7). */
  cut(code: string): void {
    this.#code = code
    this.#abortedBy ??= 'us'
    this.#deps.reset(this.response.socket)
    this.#record()
  }

  /** The client left before the end. */
  abandoned(): void {
    this.#abortedBy ??= 'client'
    this.#record()
  }

  #record(): void {
    if (this.#recorded) return
    this.#recorded = true
    const { request, response } = this
    this.#deps.record({
      requestId: this.requestId,
      client: this.#client,
      method: request.method ?? '',
      repository: this.repository,
      path: pathForLog(request.url ?? ''),
      status: response.statusCode,
      outcome: this.#cache.outcome,
      collapsed: this.#cache.collapsed === true,
      bytes: this.#bytes,
      startedAt: this.#startedAt,
      code: this.#code,
      abortedBy: this.#abortedBy,
    })
  }
}

/** Of an absolute-form target the path alone: its authority may hold a password. */
const pathForLog = (url: string) =>
  withoutQueryValues(url.startsWith('/') ? url : url.replace(/^[^/?#]*:\/\/[^/?#]*/, ''))
