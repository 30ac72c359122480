import { createHash, type Hash } from 'node:crypto'
import { field, type RawHeaders } from '../caching/headers.js'
import { expectation, violated } from '../caching/integrity.js'
import type { ByteRange } from '../caching/preconditions.js'
import type { Digest, StoredRecord, StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { storable, storedHeaders } from '../caching/storable.js'
import { conditionalHeaders, freshened, matches304 } from '../caching/validation.js'
import { pathOf } from '../caching/cache-key.js'
import { selecting, selectVariant, varyNames } from '../caching/vary.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { StagedBody } from '../storage/staging.js'
import type { Logger } from '../log.js'
import { followFill } from './follow.js'
import type { BodySource, SourceResponse } from './source.js'

/** One exchange with a body source for one key: fetch or validate, check, publish the blob, then its record. */
export interface Fill {
  /** The remote's answer, as soon as it is known; rejects with `LarderError` when there is none. */
  readonly head: Promise<FillHead>
  /** Settles (never rejects) when nothing of it is under way any more, publishing included. */
  readonly done: Promise<void>
}

export type FillHead =
  /** A body to store is coming in; anyone may follow it. */
  | { readonly kind: 'growing'; readonly growing: Growing }
  /** 304: the stored response is good again. */
  | { readonly kind: 'validated'; readonly stored: StoredResponse }
  /** Someone else stored it just before. */
  | { readonly kind: 'stored'; readonly stored: StoredResponse }
  /** The answer may not be shared: whoever takes it first has it to himself. */
  | { readonly kind: 'unshared'; readonly response: SourceResponse; readonly why: string }
  /** A status that brings no artifact; its body is gone. */
  | { readonly kind: 'refused'; readonly status: number; readonly headers: RawHeaders }

export type ResponseHead = Omit<StoredResponse, 'body'>

export interface Growing {
  readonly head: ResponseHead
  /** Bytes, where the remote told. */
  readonly size: number | undefined
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

/** The running digest of the body, from the moment one is taken in. */
interface Progress {
  sha256?: Hash
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
    taken: () => progress.sha256?.copy().digest('hex'),
    ...(job.attempts !== undefined && { attempts: job.attempts }),
  })

function validated(deps: FillDeps, job: FillJob, stored: StoredResponse, response: SourceResponse): Begun {
  const next = freshened(stored, { ...response, requestHeaders: job.forwarded })
  const rest = deps.store.freshen(job.key, stored, next).catch((error) => {
    deps.log.error({ err: error, key: job.key }, 'cannot store a validation')
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
  const verdict = storable({ headers: job.headers }, response, pathOf(target), repository.caching)
  if (verdict.store) return grow(deps, job, record?.epoch ?? 0, response, progress)
  if (repository.profile === 'rfc9111' || isSuccess(response.status)) {
    return { head: { kind: 'unshared', response, why: verdict.why }, rest: nothing }
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
    headers: storedHeaders(headers),
    requestTime,
    responseTime,
    selecting: names === '*' ? {} : selecting(names, job.forwarded),
  }
  const size = response.framing === 'length' ? contentLength(headers) : undefined
  const body = deps.store.stage(size)
  progress.sha256 = createHash('sha256')
  const received = receive(deps, job, response, body, progress.sha256)
  const rest = received
    .then((digest) => digest && publish(deps, job, { epoch, head, digest, body }))
    .finally(() => body.release())
  const growing: Growing = {
    head,
    size,
    whole: async () => size ?? body.whole(),
    follow: (range) => followFill({ body, range, head, source: job.source, headers: job.headers }),
  }
  return { head: { kind: 'growing', growing }, rest }
}

/** Takes the body in and checks it (U4). Resolves with its digest if it is to be stored; followers hear of a failure. */
async function receive(
  { metrics, log }: FillDeps,
  job: FillJob,
  response: SourceResponse,
  body: StagedBody,
  sha256: Hash,
): Promise<Digest | undefined> {
  const expected = expectation(response)
  const md5 = expected.md5 === undefined ? undefined : createHash('md5')
  const repository = job.repository.name
  const bytes = metrics.upstreamBytes.labels(repository)
  try {
    for await (const chunk of response.body) {
      sha256.update(chunk)
      md5?.update(chunk)
      bytes.inc(chunk.length)
      await body.append(chunk)
    }
    const hex = sha256.digest('hex')
    const broken = violated(expected, { length: body.received, sha256: hex, ...(md5 && { md5: md5.digest('hex') }) })
    if (broken) throw new LarderError('INTEGRITY_MISMATCH', `the body is not what its head promised: ${broken}`)
    await body.seal()
    const proven = response.framing !== 'close' || expected.md5 !== undefined || expected.sha256 !== undefined
    metrics.fills.inc({ repository, result: proven ? 'complete' : 'unproven' })
    return proven ? `sha256:${hex}` : undefined
  } catch (error) {
    const fault = isLarderError(error) ? error : new LarderError('INTERNAL', 'a fill failed', { cause: error })
    body.fail(fault)
    metrics.fills.inc({ repository, result: 'failed' })
    log.error({ err: fault, code: fault.code, repository, key: job.key }, 'fill failed')
    return undefined
  }
}

interface Received {
  readonly epoch: number
  readonly head: ResponseHead
  readonly digest: Digest
  readonly body: StagedBody
}

async function publish({ store, log }: FillDeps, job: FillJob, received: Received): Promise<void> {
  try {
    const { key, repository } = job
    const published = await store.publish({ ...received, key, remote: repository.remotes[0] })
    if (!published) log.info({ key }, 'not stored: the key was removed while it was fetched')
  } catch (error) {
    log.error({ err: error, key: job.key }, 'cannot store a response')
  }
}

/** Bytes a response's head promises, where it does. */
export function contentLength(headers: RawHeaders): number | undefined {
  const value = field(headers, 'content-length')
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
