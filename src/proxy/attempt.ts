import { pathOf } from '../caching/cache-key.js'
import { field } from '../caching/headers.js'
import type { Remote, Repository } from '../caching/repository.js'
import { beginsPage, namesArchive, saysPage } from '../caching/type-guard.js'
import { type ErrorCode, LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { Upstream } from '../upstream/upstream.js'
import { faultOf } from './fault.js'
import type { SourceRequest, SourceResponse } from './source.js'

/** What one exchange came to; a fault is a value, for it is weighed as a status is. */
export type Result = SourceResponse | LarderError

export const isFault = (result: Result): result is LarderError => result instanceof LarderError

const transientStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])
const transientFaults: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_CUT',
  'UPSTREAM_OVERLOADED',
  'TYPE_MISMATCH',
])

/** Whether it may pass if asked again (U2). A plain shared cache passes the remote's statuses on; only `artifact` heals them. */
export const isTransient = (result: Result, { profile }: Repository): boolean =>
  isFault(result) ? transientFaults.has(result.code) : profile === 'artifact' && transientStatuses.has(result.status)

export interface AttemptOptions {
  readonly upstream: Upstream
  readonly repository: Repository
  readonly target: string
  readonly metrics: Metrics
}

export type Attempt = (request: SourceRequest, remote: Remote) => Promise<Result>

/** One exchange with one remote, counted, and a body looked at where it begins. Never rejects. */
export function attempting({ upstream, repository, target, metrics }: AttemptOptions): Attempt {
  const { name, upstream: policy } = repository
  const bytes = metrics.upstreamBytes.labels(name)
  const guards = repository.integrity.typeGuard && namesArchive(pathOf(target))

  async function* counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      bytes.inc(chunk.length)
      yield chunk
    }
  }

  const exchange = async ({ method, headers, signal }: SourceRequest, remote: Remote): Promise<SourceResponse> => {
    const time = metrics.upstreamHead.startTimer({ repository: name })
    const sent = upstream.fetch({ method, remote, target, headers, policy, ...(signal && { signal }) })
    const answer = await sent.finally(time)
    const response = { ...answer, body: counted(answer.body), remote: remote.url }
    const isWhole = answer.status === 200 || answer.status === 203
    const guarded = isWhole && guards
    const readable = method === 'GET' && field(answer.headers, 'content-encoding') === undefined
    // What can't be looked into is judged by its head.
    if (guarded && !readable && saysPage(answer.headers)) mismatched(response)
    if (method === 'HEAD') return response
    return isWhole || answer.status === 206 ? begun(response, guarded && readable) : response
  }

  return async (request, remote) => {
    const result = await exchange(request, remote).catch(faultOf)
    const said = isFault(result) ? result.code : `${Math.trunc(result.status / 100)}xx`
    const told = request.signal?.aborted ? 'aborted' : said
    metrics.upstreamRequests.inc({ repository: name, result: told })
    return result
  }
}

/**
 * The response once the first bytes of its body are here: one that breaks off before is asked for anew as if there had been
 * no answer (U3), and a page does not pass for an archive (U4). Clients miss nothing: they get the head with the first byte.
 */
async function begun(response: SourceResponse, looksInside: boolean): Promise<SourceResponse> {
  const chunks = response.body[Symbol.asyncIterator]()
  const beginning: Uint8Array[] = []
  for (let isPage: boolean | undefined; isPage === undefined; ) {
    const { value, done } = await chunks.next()
    if (value) beginning.push(value)
    isPage = looksInside ? beginsPage(Buffer.concat(beginning), done === true) : false
    if (isPage) return mismatched(response)
  }
  return { ...response, body: continued(beginning, chunks) }
}

function mismatched(response: SourceResponse): never {
  response.discard()
  throw new LarderError('TYPE_MISMATCH', 'the remote sent a page where the path names an archive')
}

async function* continued(beginning: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>) {
  try {
    yield* beginning
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}
