import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkTarget, splitArtifactPath } from '../caching/cache-key.js'
import type { CacheOutcome } from '../caching/cache-status.js'
import type { Repository } from '../caching/repository.js'
import { isRewritable } from '../caching/rewrite-rules.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Proxy as ArtifactProxy } from '../proxy/proxy.js'
import { whyNot } from '../proxy/refusal.js'
import type { Resolution } from '../proxy/resolution.js'
import type { Admit } from './auth.js'
import { Exchange, type ExchangeDeps } from './exchange.js'
import type { PublicUrl } from './public-url.js'
import type { Send } from './send.js'
import { type UploadRoutes, writtenBy } from './uploads.js'
import { createWantedForm } from './wanted-form.js'

export interface ArtifactsDeps extends ExchangeDeps {
  readonly proxy: ArtifactProxy
  readonly find: (nameOrAlias: string) => Repository | undefined
  readonly admit: Admit
  readonly send: Send
  readonly change: UploadRoutes
  readonly publicUrl: PublicUrl
  readonly log: Logger
}

/** Bytes of a request target (C10); longer ones are refused before anything is done with them. */
const maxTarget = 8 * 1024

const failing: CacheOutcome = { outcome: 'error' }

/** `/repository/<name>/<path>`: GET and HEAD, and PUT and DELETE of hosted repositories; on the raw request and response: their bytes and spelling count (C2, C10). */
export type Artifacts = (request: IncomingMessage, response: ServerResponse) => void

export function createArtifacts(deps: ArtifactsDeps): Artifacts {
  const { proxy, find, admit, send, change, publicUrl, log, via } = deps

  const wantedForm = createWantedForm(publicUrl, log)

  const answer = (exchange: Exchange): void | Promise<void> => {
    const { request } = exchange
    const { method, url = '' } = request
    if (url.length > maxTarget)
      throw new LarderError('URL_TOO_LONG', `the URL has ${url.length} bytes, more than ${maxTarget}`)
    const split = splitArtifactPath(url)
    if (!split) throw new LarderError('PATH_INVALID', 'expected /repository/<name>/<path>')
    const repository = find(split.name)
    exchange.repository = repository?.name
    if (repository?.type === 'hosted' && writtenBy.has(method)) return change(exchange, repository, split.target)
    const headers = admit(request)
    if (!repository && writtenBy.has(method)) throw unknown(split.name)
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed(method, repository)
    checkTarget(split.target)
    if (!repository) throw unknown(split.name)
    if (request.headers.via?.includes(via))
      throw new LarderError('LOOP_DETECTED', 'the request came through here before')
    const resolution = proxy.resolve({
      ...{ repository, method, headers, target: split.target },
      ...(isRewritable(repository, split.target) && wantedForm(request, split.target)),
      leaving: () => exchange.leaving(),
    })
    return resolution instanceof Promise
      ? resolution.then((resolved) => deliver(exchange, resolved, repository))
      : deliver(exchange, resolution, repository)
  }

  const deliver = (exchange: Exchange, resolution: Resolution, repository: Repository): void | Promise<void> => {
    const { cache } = resolution
    if (resolution.kind === 'artifact') return send(exchange, resolution.artifact, cache)
    return exchange.fail(whyNot(resolution, repository), cache)
  }

  const failed = (exchange: Exchange, error: unknown) => {
    if (!isLarderError(error))
      log.error({ err: error, requestId: exchange.requestId }, 'an artifact request failed unforeseen')
    const fault = isLarderError(error) ? error : new LarderError('INTERNAL', 'an unforeseen fault', { cause: error })
    if (exchange.response.headersSent) exchange.cut(fault.code)
    else exchange.fail(fault, failing)
  }

  const take: Artifacts = (request, response) => {
    const exchange = new Exchange(request, response, deps)
    try {
      answer(exchange)?.catch((error) => failed(exchange, error))
    } catch (error) {
      failed(exchange, error)
    }
  }

  return (request, response) => {
    if (response.socket) take(request, response)
    // Pipelined: Node gives the connection to one response after another (RFC 9112 §9.3.2), and 'socket' says when.
    else response.once('socket', () => queueMicrotask(() => take(request, response)))
  }
}

const unknown = (name: string) => new LarderError('REPOSITORY_UNKNOWN', `no repository or alias is named "${name}"`)

function notAllowed(method: string | undefined, repository: Repository | undefined): LarderError {
  const allow = repository?.type === 'hosted' ? 'GET, HEAD, PUT, DELETE' : 'GET, HEAD'
  return new LarderError('METHOD_NOT_ALLOWED', `${method} on a ${repository?.type ?? 'proxy'} repository`, { allow })
}
