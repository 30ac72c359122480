import { pathOf } from '../caching/cache-key.js'
import { contradictsPin } from '../caching/checksum-rules.js'
import type { RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import { isRemoteOf, type Repository } from '../caching/repository.js'
import { storable } from '../caching/storable.js'
import { conditionalHeaders, freshened, matches304 } from '../caching/validation.js'
import { selectVariant } from '../caching/vary.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { StagedBody } from '../storage/staging.js'
import { absentFor } from './absence.js'
import type { Checksums } from './checksums.js'
import { redated } from './dated.js'
import { faultOf } from './fault.js'
import { isChosen, refusedBy } from './joining.js'
import { hurriable, type Pace } from './pace.js'
import { type Growing, isSuccess, take, tellUnstored } from './receive.js'
import type { Ours, Replicas, UnderWay } from './replicas.js'
import type { RemoteSource, SourceRequest, SourceResponse } from './source.js'

/** One exchange with a body source for one key: fetch or validate, check, publish the blob, then its record. */
export interface Fill {
  /** The remote's answer, as soon as it is known; rejects with `LarderError` when there is none. */
  readonly head: Promise<FillHead>
  /** Settles (never rejects) when there is nothing more to join: publishing is over too, or the body is not to be stored (K7). */
  readonly done: Promise<void>
  /** From now on at full speed, whatever its pace. */
  hurry(): void
}

export type FillHead =
  /** A body to store is coming in; anyone may follow it. */
  | { readonly kind: 'growing'; readonly growing: Growing }
  /** 304: the stored response is good again. */
  | { readonly kind: 'validated'; readonly stored: StoredResponse }
  /** Someone else stored it just before. */
  | { readonly kind: 'stored'; readonly stored: StoredResponse }
  /** The answer may not be shared: whoever takes it first has it to himself. `lasting`: nor may what others get. */
  | { readonly kind: 'unshared'; readonly response: SourceResponse; readonly lasting: boolean }
  | FillRefused

/** A status that brings no artifact; its body is gone. */
interface FillRefused {
  readonly kind: 'refused'
  readonly status: number
  readonly headers: RawHeaders
  /** ms since the epoch, where another replica remembers it. */
  readonly until?: number
  /** Whom it is told: requests with these fields; all, where there are none. */
  readonly selecting?: StoredResponse['selecting']
}

export interface FillJob {
  readonly repository: Repository
  readonly key: string
  readonly target: string
  /** The fields the client's request passes on, without ours. */
  readonly forwarded: RawHeaders
  /** The whole of what is sent upstream but validators. */
  readonly headers: RawHeaders
  readonly source: RemoteSource
  /** Stands for this fill on all replicas. */
  readonly flight: string
  /** When the stored response that could not answer came (ms since the epoch); 0 for none. A newer one is used. */
  readonly seen: number
  /** The stored response to validate. */
  readonly validate: StoredResponse | undefined
  /** The client's wish that counts (C12). */
  readonly noStore: boolean
  readonly attempts: number | undefined
  readonly signal: AbortSignal
  readonly pace: Pace | undefined
}

export interface FillDeps {
  readonly store: ArtifactStore
  readonly replicas: Replicas
  readonly checksums: Checksums
  readonly metrics: Metrics
  readonly log: Logger
}

export function startFill(deps: FillDeps, job: FillJob): Fill {
  let settle = () => {}
  const done = new Promise<void>((resolve) => {
    settle = resolve
  })
  const { pace, hurried, hurry } = hurriable(job.pace, job.signal)
  // Who follows looks for a validation where all do: in the store.
  const told = async () => {
    const known = await head
    if (known.kind === 'validated') await done
    return known
  }
  const head: Promise<FillHead> = begin(deps, { ...job, pace }, { head: told, hurried, hurry }).then(
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
  return { head, done, hurry }
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

/** Unless another replica has the same fill under way, the source is asked. */
async function begin(deps: FillDeps, job: FillJob, here: UnderWay, again = false): Promise<Begun> {
  const { stored, epoch } = await look(deps, job)
  if (stored) return { head: { kind: 'stored', stored }, rest: nothing }
  // A fill that began before a purge is another one (K5).
  const claim = await deps.replicas.claim(`${job.flight}\n${epoch}`, here, job.signal)
  switch (claim.kind) {
    case 'alone':
      return fetched(deps, job, epoch)
    case 'refused':
      return { head: claim, rest: nothing }
    case 'growing': {
      if (!isChosen(claim, job)) {
        claim.response.discard()
        return fetched(deps, job, epoch)
      }
      const progress: Progress = {}
      const response = job.source.adopt(requestOf(job, progress, undefined), claim.response)
      return classify(deps, job, epoch, response, progress)
    }
    case 'ours':
      return letGo(claim, job, fetchedUnlessStored(deps, job))
    case 'over':
      // It left what it brought, or word that there is nothing, or its place to us.
      return again ? fetchedUnlessStored(deps, job) : begin(deps, job, here, true)
  }
}

/** What another replica brought meanwhile is used. */
async function fetchedUnlessStored(deps: FillDeps, job: FillJob): Promise<Begun> {
  const { stored, epoch } = await look(deps, job)
  return stored ? { head: { kind: 'stored', stored }, rest: nothing } : fetched(deps, job, epoch)
}

/** Ends the claim when there is nothing more to follow. */
async function letGo(claim: Ours, { repository, forwarded }: FillJob, beginning: Promise<Begun>): Promise<Begun> {
  try {
    const begun = await beginning
    const { head } = begun
    if (head.kind === 'refused') claim.absent(head.status, absentFor(repository, forwarded, head.status))
    void begun.rest.finally(claim.end)
    return begun
  } catch (error) {
    claim.end()
    throw error
  }
}

/** Looks up once more, for another fill may have ended since. */
async function look(deps: FillDeps, { key, target, repository, forwarded, seen }: FillJob) {
  const record = await deps.store.lookUpAnew(key)
  const epoch = deps.store.epochOf(key, record)
  const current = record && isRemoteOf(repository, record.remote)
  const newer = current && selectVariant(record.variants, forwarded)
  const isRight = newer && !contradictsPin(pathOf(target), repository.integrity, newer.body.digest)
  return { epoch, stored: isRight && newer.responseTime > seen ? newer : undefined }
}

/** Asks the source, and decides what its answer is. */
async function fetched(deps: FillDeps, job: FillJob, epoch: number): Promise<Begun> {
  const progress: Progress = {}
  const response = await job.source.open(requestOf(job, progress, job.validate))
  if (response.status !== 304 || !job.validate) return classify(deps, job, epoch, response, progress)
  response.discard()
  if (matches304(job.validate, response.headers)) return validated(deps, job, job.validate, response)
  return classify(deps, job, epoch, await job.source.open(requestOf(job, progress, undefined)), progress)
}

const requestOf = (job: FillJob, progress: Progress, stored: StoredResponse | undefined): SourceRequest => ({
  method: 'GET',
  headers: stored ? [...job.headers, ...conditionalHeaders(stored)] : job.headers,
  signal: job.signal,
  taken: async () => (await progress.body?.digests())?.sha256,
  ...(job.attempts !== undefined && { attempts: job.attempts }),
})

function validated(deps: FillDeps, job: FillJob, stored: StoredResponse, response: SourceResponse): Begun {
  const next = redated(freshened(stored, { ...response, requestHeaders: job.forwarded }))
  const rest = deps.store.freshen(job.key, stored, next).catch((error) => {
    tellUnstored(deps.log, job.key, faultOf(error))
  })
  return { head: { kind: 'validated', stored: next }, rest }
}

function classify(deps: FillDeps, job: FillJob, epoch: number, response: SourceResponse, progress: Progress): Begun {
  const { repository, target } = job
  const { store } = storable({ headers: job.headers }, response, pathOf(target), repository.caching)
  if (store && !job.noStore) {
    const { growing, body, done } = take(deps, job, epoch, response)
    progress.body = body
    return { head: { kind: 'growing', growing }, rest: done }
  }
  if (repository.profile === 'rfc9111' || isSuccess(response.status)) {
    // An error passes, and what only this client's fields forbid is no matter of the key.
    const lasting =
      response.status < 400 && !storable({ headers: [] }, response, pathOf(target), repository.caching).store
    return { head: { kind: 'unshared', response, lasting }, rest: nothing }
  }
  response.discard()
  const { status, headers } = response
  return { head: { kind: 'refused', status, headers, selecting: refusedBy(status, job) }, rest: nothing }
}
