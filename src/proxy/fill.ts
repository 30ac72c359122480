import { pathOf, withoutQueryValues } from '../caching/cache-key.js'
import { field, type RawHeaders } from '../caching/headers.js'
import { type Expectation, expectation, promisedDigests, violated } from '../caching/integrity.js'
import type { ByteRange } from '../caching/preconditions.js'
import type { ResponseHead, StoredRecord, StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { storable, storedHeaders } from '../caching/storable.js'
import { conditionalHeaders, freshened, matches304 } from '../caching/validation.js'
import { selecting, selectVariant, varyNames } from '../caching/vary.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { StagedBody } from '../storage/staging.js'
import { dated, redated } from './dated.js'
import { followFill } from './follow.js'
import type { BodySource, SourceResponse } from './source.js'

/** One exchange with a body source for one key: fetch or validate, check, publish the blob, then its record. */
export interface Fill {
  /** The remote's answer, as soon as it is known; rejects with `LarderError` when there is none. */
  readonly head: Promise<FillHead>
  /** Settles (never rejects) when nothing of it is under way any more, publishing included. */
  readonly done: Promise<void>
}

type FillHead =
  /** A body to store is coming in; anyone may follow it. */
  | { readonly kind: 'growing'; readonly growing: Growing }
  /** 304: the stored response is good again. */
  | { readonly kind: 'validated'; readonly stored: StoredResponse }
  /** Someone else stored it just before. */
  | { readonly kind: 'stored'; readonly stored: StoredResponse }
  /** The answer may not be shared: whoever takes it first has it to himself. `lasting`: nor may what others get. */
  | { readonly kind: 'unshared'; readonly response: SourceResponse; readonly lasting: boolean }
  /** A status that brings no artifact; its body is gone. */
  | { readonly kind: 'refused'; readonly status: number; readonly headers: RawHeaders }

export interface Growing {
  readonly head: ResponseHead
  /** Bytes, where the remote told. */
  readonly size: number | undefined
  /** Whether all of it is here (or nothing more will be): what is left is to publish it. */
  arrived(): boolean
  /** Resolves with the size once it is known; rejects when the fill fails. */
  whole(): Promise<number>
  /** Reads along; `range` lets a range far ahead be fetched out of turn (C5). */
  follow(range: ByteRange | undefined): OpenBody
}

export interface FillJob {
  readonly repository: Repository
  readonly key: string
  readonly target: string
  /** The fields the client's request passes on, without ours. */
  readonly forwarded: RawHeaders
  /** The whole of what is sent upstream but validators. */
  readonly headers: RawHeaders
  readonly source: BodySource
  /** When the stored response that could not answer came (ms since the epoch); 0 for none. A newer one is used. */
  readonly seen: number
  /** The stored response to validate. */
  readonly validate: StoredResponse | undefined
  /** The client's wish that counts (C12). */
  readonly noStore: boolean
  readonly attempts: number | undefined
  readonly signal: AbortSignal
}

export interface FillDeps {
  readonly store: ArtifactStore
  readonly metrics: Metrics
  readonly log: Logger
}

export function startFill(deps: FillDeps, job: FillJob): Fill {
  let settle = () => {}
  const done = new Promise<void>((resolve) => {
    settle = resolve
  })
  const head = begin(deps, job).then(
    ({ head, rest }) => {
      rest.finally(settle)
      return head
    },
    (error) => {
      settle()
      throw error
    },
  )
  head.catch(() => {})
  return { head, done }
}

interface Begun {
  readonly head: FillHead
  /** What goes on behind the head. */
  readonly rest: Promise<void>
}

/** The body, from the moment one is taken in. */
interface Progress {
  body?: StagedBody
}

const nothing = Promise.resolve()

/** Looks up once more (another fill may have ended since), asks the source, and decides what its answer is. */
async function begin(deps: FillDeps, job: FillJob): Promise<Begun> {
  const record = await deps.store.lookup(job.key)
  const newer = record?.remote === job.repository.remotes[0] && selectVariant(record.variants, job.forwarded)
  if (newer && newer.responseTime > job.seen) {
    return { head: { kind: 'stored', stored: newer }, rest: nothing }
  }
  const progress: Progress = {}
  const response = await ask(job, progress, job.validate)
  if (response.status !== 304 || !job.validate) return classify(deps, job, record, response, progress)
  response.discard()
  if (matches304(job.validate, response.headers)) return validated(deps, job, job.validate, response)
  return classify(deps, job, record, await ask(job, progress, undefined), progress)
}

const ask = (job: FillJob, progress: Progress, stored: StoredResponse | undefined): Promise<SourceResponse> =>
  job.source.open({
    method: 'GET',
    headers: stored ? [...job.headers, ...conditionalHeaders(stored)] : job.headers,
    signal: job.signal,
    taken: async () => (await progress.body?.digests())?.sha256,
    ...(job.attempts !== undefined && { attempts: job.attempts }),
  })

function validated(deps: FillDeps, job: FillJob, stored: StoredResponse, response: SourceResponse): Begun {
  const next = redated(freshened(stored, { ...response, requestHeaders: job.forwarded }))
  const rest = deps.store.freshen(job.key, stored, next).catch((error) => {
    deps.log.error({ err: error, key: withoutQueryValues(job.key) }, 'cannot store a validation')
  })
  return { head: { kind: 'validated', stored: next }, rest }
}

function classify(
  deps: FillDeps,
  job: FillJob,
  record: StoredRecord | undefined,
  response: SourceResponse,
  progress: Progress,
): Begun {
  const { repository, target } = job
  const { store } = storable({ headers: job.headers }, response, pathOf(target), repository.caching)
  if (store && !job.noStore) return grow(deps, job, record?.epoch ?? 0, response, progress)
  if (repository.profile === 'rfc9111' || isSuccess(response.status)) {
    // An error passes, and what only this client's fields forbid is no matter of the key.
    const lasting =
      response.status < 400 && !storable({ headers: [] }, response, pathOf(target), repository.caching).store
    return { head: { kind: 'unshared', response, lasting }, rest: nothing }
  }
  response.discard()
  return { head: { kind: 'refused', status: response.status, headers: response.headers }, rest: nothing }
}

export const isSuccess = (status: number) => status === 200 || status === 203

function grow(deps: FillDeps, job: FillJob, epoch: number, response: SourceResponse, progress: Progress): Begun {
  const { headers, requestTime, responseTime, status } = response
  const names = varyNames(headers)
  const head: ResponseHead = {
    status,
    headers: dated(storedHeaders(headers), responseTime),
    requestTime,
    responseTime,
    selecting: names === '*' ? {} : selecting(names, job.forwarded),
  }
  const size = response.framing === 'length' ? contentLength(headers) : undefined
  const expected = expectation(response)
  const body = deps.store.stage(size, promisedDigests(expected))
  progress.body = body
  let arrived = false
  const rest = receive(deps, job, response, body, expected).then(async (proven) => {
    arrived = true
    if (proven) await publish(deps, job, { epoch, head, body })
    // Not awaited: a failed fill must take no more joiners while its file goes.
    body
      .release()
      .catch((error) => deps.log.error({ err: error, key: withoutQueryValues(job.key) }, 'cannot remove a staged file'))
  })
  const growing: Growing = {
    head,
    size,
    arrived: () => arrived,
    // Of an empty body there is no last byte to withhold: it is known when it has passed its checks (C7).
    whole: async () => size || body.whole(),
    follow: (range) => followFill({ body, range, head, source: job.source, headers: job.headers }),
  }
  return { head: { kind: 'growing', growing }, rest }
}

/** Takes the body in and checks it (U4). Resolves with whether it is to be stored; followers hear of a failure. */
async function receive(
  { metrics, log }: FillDeps,
  job: FillJob,
  response: SourceResponse,
  body: StagedBody,
  expected: Expectation,
): Promise<boolean> {
  const repository = job.repository.name
  try {
    for await (const chunk of response.body) await body.append(chunk)
    const hasPromise = promisedDigests(expected).length > 0
    const broken = violated(expected, { length: body.received, ...(hasPromise && (await body.digests())) })
    if (broken) throw new LarderError('INTEGRITY_MISMATCH', `the body is not what its head promised: ${broken}`)
    await body.seal()
    const proven = response.framing !== 'close' || hasPromise
    metrics.fills.inc({ repository, result: proven ? 'complete' : 'unproven' })
    return proven
  } catch (error) {
    const fault = isLarderError(error) ? error : new LarderError('INTERNAL', 'a fill failed', { cause: error })
    body.fail(fault)
    metrics.fills.inc({ repository, result: 'failed' })
    log.error({ err: fault, code: fault.code, repository, key: withoutQueryValues(job.key) }, 'fill failed')
    return false
  }
}

interface Received {
  readonly epoch: number
  readonly head: ResponseHead
  readonly body: StagedBody
}

async function publish({ store, log }: FillDeps, job: FillJob, received: Received): Promise<void> {
  try {
    const { key, repository } = job
    const { sha256 } = await received.body.digests()
    const published = await store.publish({
      ...received,
      key,
      remote: repository.remotes[0],
      digest: `sha256:${sha256}`,
    })
    if (!published) log.info({ key: withoutQueryValues(key) }, 'not stored: the key was removed while it was fetched')
  } catch (error) {
    log.error({ err: error, key: withoutQueryValues(job.key) }, 'cannot store a response')
  }
}

/** Bytes a response's head promises, where it does. */
export function contentLength(headers: RawHeaders): number | undefined {
  const value = field(headers, 'content-length')
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
