import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { withoutQueryValues } from '../caching/cache-key.js'
import { field, type RawHeaders } from '../caching/headers.js'
import { parseHttpDate } from '../caching/http-date.js'
import { contentRange } from '../caching/integrity.js'
import type { Repository } from '../caching/repository.js'
import { type ErrorCode, isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { Upstream, UpstreamResponse } from '../upstream/upstream.js'
import type { BodySource, SourceRequest } from './source.js'

/** Statuses that may pass if asked again (U2). */
const transientStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])
const transientFaults: ReadonlySet<ErrorCode> = new Set(['UPSTREAM_UNREACHABLE', 'UPSTREAM_TIMEOUT', 'UPSTREAM_CUT'])

export interface RemoteSourceOptions {
  readonly upstream: Upstream
  readonly repository: Repository
  readonly target: string
  readonly metrics: Metrics
  readonly log: Logger
}

/** The repository's remote as a source: transient trouble is retried (U2), cut bodies are resumed (U3). */
export function remoteSource({ upstream, repository, target, metrics, log }: RemoteSourceOptions): BodySource {
  const policy = repository.upstream
  const remote = repository.remotes[0]

  const bytes = metrics.upstreamBytes.labels(repository.name)

  async function* counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      bytes.inc(chunk.length)
      yield chunk
    }
  }

  /** One exchange, counted; a fault is a value, for the caller weighs it as it weighs a status. */
  const attempt = async ({ method, headers, signal }: SourceRequest): Promise<UpstreamResponse | LarderError> => {
    const name = repository.name
    const time = metrics.upstreamHead.startTimer({ repository: name })
    const request = { method, remote, target, headers, policy, ...(signal && { signal }) }
    const result = await upstream.fetch(request).catch(faultOf)
    time()
    const told = result instanceof LarderError ? result.code : `${Math.trunc(result.status / 100)}xx`
    metrics.upstreamRequests.inc({ repository: name, result: told })
    return result instanceof LarderError ? result : { ...result, body: counted(result.body) }
  }

  /** A plain shared cache passes the remote's statuses on; only `artifact` heals them. */
  const isTransient = (status: number) => repository.profile === 'artifact' && transientStatuses.has(status)

  /** What the client hears is a code; the operator needs the reason. */
  const tell = ({ method, signal }: SourceRequest, tried: number, result: UpstreamResponse | LarderError) => {
    if (signal?.aborted) return
    const said = result instanceof LarderError ? { err: result, code: result.code } : { status: result.status }
    log.warn(
      { repository: repository.name, remote, method, target: withoutQueryValues(target), tried, ...said },
      'remote in trouble',
    )
  }

  const persist = async (request: SourceRequest): Promise<UpstreamResponse> => {
    const attempts = request.attempts ?? policy.retry.attempts
    const until = Date.now() + policy.retry.budget
    for (let tried = 1; ; tried += 1) {
      const result = await attempt(request)
      const again = result instanceof LarderError ? transientFaults.has(result.code) : isTransient(result.status)
      const wait = pause(tried, result)
      if (!again || tried >= attempts || Date.now() + wait > until || request.signal?.aborted) {
        if (again || result instanceof LarderError) tell(request, tried, result)
        if (result instanceof LarderError) throw result
        return result
      }
      if (!(result instanceof LarderError)) result.discard()
      metrics.retries.inc({ repository: repository.name })
      await sleep(wait, undefined, { signal: request.signal }).catch(() => {})
    }
  }

  /** The rest of a body from byte `position` on, or `undefined` where this can't be the same body. */
  const resume = async (request: SourceRequest, first: UpstreamResponse, position: number) => {
    const validator = strongValidator(first.headers)
    const taken = await request.taken?.()
    if (!validator && taken === undefined) return undefined
    const conditions = validator ? ['Range', `bytes=${position}-`, 'If-Range', validator] : []
    const headers = [...unconditional(request.headers), ...conditions]
    // However few attempts the head was worth: where bytes are out already, no stored copy can step in.
    const response = await persist({ ...request, headers, attempts: policy.retry.attempts })
    const size = response.status === 206 ? sizeIfContinued(first, response, position) : undefined
    if (size !== undefined) return { body: response.body, size }
    const again = response.status === 200 && saysSameVersion(first, response) && tellsItsEnd(first, response)
    if (again && taken !== undefined) return { body: skipEqual(response.body, position, taken), size: undefined }
    response.discard()
    return undefined
  }

  async function* healing(request: SourceRequest, first: UpstreamResponse, dropped: AbortSignal) {
    let received = 0
    let rest: { readonly body: AsyncIterable<Uint8Array>; readonly size: number | undefined } | undefined
    for (let resumes = 0; ; resumes += 1) {
      try {
        for await (const chunk of (rest ?? first).body) {
          received += chunk.length
          yield chunk
        }
        if (rest?.size === undefined || received === rest.size) return
        throw new LarderError('UPSTREAM_CUT', `a part ended at byte ${received} of ${rest.size}`)
      } catch (error) {
        const fault = faultOf(error)
        const signal = request.signal ? AbortSignal.any([request.signal, dropped]) : dropped
        if (resumes >= policy.retry.resumes || !transientFaults.has(fault.code) || signal.aborted) throw fault
        metrics.resumes.inc({ repository: repository.name })
        if (resumes > 0) await sleep(pause(resumes, fault), undefined, { signal }).catch(() => {})
        rest = await resume({ ...request, signal }, first, received)
        if (!rest) throw fault
      }
    }
  }

  return {
    async open(request) {
      const response = await persist(request)
      if (request.method !== 'GET' || response.status !== 200) return response
      const dropped = new AbortController()
      const discard = () => {
        dropped.abort()
        response.discard()
      }
      return { ...response, body: healing(request, response, dropped.signal), discard }
    },
  }
}

const faultOf = (error: unknown): LarderError =>
  isLarderError(error)
    ? error
    : new LarderError('UPSTREAM_CUT', 'the exchange with the remote failed', { cause: error })

/** Milliseconds before the next try: what the remote asked for, else 100 ms doubling, with jitter. */
function pause(tried: number, result: UpstreamResponse | LarderError): number {
  const asked = result instanceof LarderError ? undefined : retryAfter(result.headers)
  return asked === undefined ? 100 * 2 ** (tried - 1) * (0.5 + Math.random()) : asked * 1000
}

/** `Retry-After` in seconds (RFC 9110 §10.2.3); a date counts from now. */
export function retryAfter(headers: RawHeaders): number | undefined {
  const value = field(headers, 'retry-after')?.trim()
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const date = parseHttpDate(value)
  return date === undefined ? undefined : Math.max(0, (date - Date.now()) / 1000)
}

/** What `If-Range` may carry: a strong ETag, else a date a second or more before the answer's own (RFC 9110 §8.8.2.2, §13.1.5). */
function strongValidator(headers: RawHeaders): string | undefined {
  const etag = field(headers, 'etag')
  if (etag?.startsWith('"')) return etag
  const modified = field(headers, 'last-modified')
  const changed = modified === undefined ? undefined : parseHttpDate(modified)
  const date = parseHttpDate(field(headers, 'date') ?? '')
  return changed !== undefined && date !== undefined && date - changed >= 1000 ? modified : undefined
}

/** The request once more without conditions and ranges: a resumption brings its own. */
function unconditional(headers: RawHeaders): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!/^(?:if-|range$)/i.test(name)) kept.push(name, headers[i + 1] as string)
  }
  return kept
}

/** An equal beginning isn't enough where the head tells of another version: the one sent out would belie the bytes. */
const saysSameVersion = (first: UpstreamResponse, again: UpstreamResponse) =>
  ['etag', 'last-modified'].every((name) => field(first.headers, name) === field(again.headers, name))

/** Without a length only the last chunk proved the end of the first body; a closed connection would prove nothing. */
const tellsItsEnd = (first: UpstreamResponse, again: UpstreamResponse) =>
  again.framing !== 'close' || first.framing !== 'chunked'

/** The size of the whole, where a 206 goes on exactly where the first answer was cut, and to its end. */
function sizeIfContinued(first: UpstreamResponse, rest: UpstreamResponse, position: number): number | undefined {
  const range = contentRange(field(rest.headers, 'content-range'))
  const length = field(first.headers, 'content-length')
  const size = length === undefined ? range?.size : Number(length)
  const sameVersion = field(rest.headers, 'etag') === field(first.headers, 'etag')
  const sameSize = range?.size === undefined || range.size === size
  return range?.start === position && range.end + 1 === size && sameSize && sameVersion ? size : undefined
}

/** The body from `position` on, once its first `position` bytes proved equal to those taken; throws if they aren't. */
async function* skipEqual(body: AsyncIterable<Uint8Array>, position: number, sha256: string) {
  const hash = createHash('sha256')
  let skipped = 0
  for await (const chunk of body) {
    const prefix = chunk.subarray(0, position - skipped)
    if (prefix.length > 0) {
      hash.update(prefix)
      skipped += prefix.length
      if (skipped === position && hash.digest('hex') !== sha256) {
        throw changed(position)
      }
    }
    if (chunk.length > prefix.length) yield chunk.subarray(prefix.length)
  }
  if (skipped < position) throw changed(position)
}

const changed = (position: number) =>
  new LarderError('UPSTREAM_INVALID', `the remote's body changed while it was fetched, before byte ${position}`)
