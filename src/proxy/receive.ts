import { withoutQueryValues } from '../caching/cache-key.js'
import { field, type RawHeaders } from '../caching/headers.js'
import type { ByteRange } from '../caching/preconditions.js'
import type { Digest, ResponseHead } from '../caching/record.js'
import { storedHeaders } from '../caching/storable.js'
import { selecting, varyNames } from '../caching/vary.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { StagedBody } from '../storage/staging.js'
import { dated } from './dated.js'
import { faultOf } from './fault.js'
import type { FillDeps, FillJob } from './fill.js'
import { followFill } from './follow.js'
import { type Proof, proofOf } from './proof.js'
import type { BodySource, SourceResponse } from './source.js'

/** A body to store that is coming in. */
export interface Growing {
  readonly head: ResponseHead
  /** The answer it came with, for peers. */
  readonly answer: Omit<SourceResponse, 'body' | 'discard'>
  /** Bytes, where the remote told. */
  readonly size: number | undefined
  /** Whether it is to be stored: there is room for it, as far as is known (K7). */
  kept(): boolean
  /** Whether all of it is here (or nothing more will be): what is left is to publish it. */
  arrived(): boolean
  /** Resolves with the size once it is known, `undefined` where only its last byte will tell; rejects when the fill fails. */
  whole(): Promise<number | undefined>
  /** Bytes that are here. */
  received(): number
  /** Resolves when it is all over: with why it is not stored, `undefined` where it is. Never rejects. */
  unstored(): Promise<LarderError | undefined>
  /** Resolves when it is all over: with the digest under which it is stored, if it is. Never rejects. */
  digest(): Promise<Digest | undefined>
  /** Reads along; `range` lets a range far ahead be fetched out of turn (C5). */
  follow(range: ByteRange | undefined): OpenBody
}

export interface Received {
  readonly growing: Growing
  readonly body: StagedBody
  /** Resolves when others may begin anew with the key: it is published, has failed, or goes on without being stored. */
  readonly done: Promise<void>
}

/** What `take` needs to know of a fill. */
type Taking = Pick<FillJob, 'repository' | 'key' | 'target' | 'forwarded' | 'headers' | 'signal' | 'pace'> & {
  readonly source: BodySource
  /** What only the end of the body tells of it, in the place of what its head told. */
  readonly provenance?: () => Promise<Provenance>
}

interface Provenance {
  /** `undefined` where it is not to be stored. */
  readonly remote: string | undefined
  readonly headers: RawHeaders
}

/** Takes in the body of an answer that may be stored: staged, checked, published. `epoch`: of the key, when it was asked for. */
export function take(deps: Omit<FillDeps, 'replicas'>, job: Taking, epoch: number, response: SourceResponse): Received {
  const { headers, requestTime, responseTime, status, framing, remote } = response
  const names = varyNames(headers)
  const head: ResponseHead = {
    status,
    headers: dated(storedHeaders(headers), responseTime),
    requestTime,
    responseTime,
    selecting: names === '*' ? {} : selecting(names, job.forwarded),
  }
  const size = framing === 'length' ? contentLength(headers) : undefined
  const pin = isSuccess(status) ? deps.checksums.pin(job) : undefined
  const proof = proofOf({ repository: job.repository.name, response, pin, metrics: deps.metrics })
  const body = deps.store.stage(job.key, size, proof.digests)
  let arrived = false
  const concluded = async () => {
    const { remote: from, headers: fields } = (await job.provenance?.()) ?? { remote, headers: head.headers }
    if (from === undefined) return new LarderError('NOT_STORED', 'what it was made of is not stored')
    return publish(deps, job, { epoch, head: { ...head, headers: fields }, body, remote: from })
  }
  const rest = receive(deps, job, response, body, proof).then(async (storable) => {
    arrived = true
    const end = storable ? await concluded() : whyUnstored(body)
    // Not awaited: a failed fill must take no more joiners while its file goes.
    void body.release()
    return end
  })
  const growing: Growing = {
    head,
    answer: { status, headers, requestTime, responseTime, framing, remote },
    size,
    kept: () => body.kept,
    arrived: () => arrived,
    // Of an empty body there is no last byte to withhold: it is known when it has passed its checks (C7).
    whole: async () => size || body.whole(),
    received: () => body.received,
    unstored: async () => errorIn(await rest),
    digest: async () => digestIn(await rest),
    follow: (range) => followFill({ ...job, body, range, first: response, proof }),
  }
  // A body for one client ends with it (C6).
  void body.forsaken.then(() => response.discard())
  return { growing, body, done: Promise.race([rest.then(nothing), body.parted]) }
}

/** Takes the bytes in and checks them (U4). Resolves with whether they are to be stored; followers hear of a failure. */
async function receive(
  { metrics, log }: Pick<FillDeps, 'metrics' | 'log'>,
  job: Taking,
  response: SourceResponse,
  body: StagedBody,
  proof: Proof,
): Promise<boolean> {
  const repository = job.repository.name
  try {
    for await (const chunk of response.body) {
      await body.append(chunk)
      await job.pace?.(chunk.length)
    }
    const proven = await proof.prove(body.received, proof.digests.length > 0 ? await body.digests() : undefined)
    await body.seal()
    const storable = proven || response.framing !== 'close'
    metrics.fills.inc({ repository, result: !body.kept ? 'no-room' : storable ? 'complete' : 'unproven' })
    return storable && body.kept
  } catch (error) {
    body.fail(faultOf(error))
    const fault = faultOf(body.failure)
    // Nobody follows it any more, and it isn't to be stored: this is its end, not a failure.
    const abandoned = fault.code === 'NO_ROOM'
    metrics.fills.inc({ repository, result: abandoned ? 'no-room' : 'failed' })
    const about = { err: fault, code: fault.code, repository, key: withoutQueryValues(job.key) }
    if (!abandoned) log.error(about, 'fill failed')
    return false
  }
}

interface Publishing {
  readonly epoch: number
  readonly remote: string
  readonly head: ResponseHead
  readonly body: StagedBody
}

/** The digest it is stored under, or why it isn't stored. */
async function publish(
  { store, log }: Pick<FillDeps, 'store' | 'log'>,
  { key }: Taking,
  publishing: Publishing,
): Promise<Digest | LarderError> {
  try {
    const digests = await publishing.body.digests()
    const digest: Digest | undefined = digests && `sha256:${digests.sha256}`
    const result = digest ? await store.publish({ ...publishing, key, digest }) : 'no-room'
    if (digest && result === 'stored') return digest
    log.info({ key: withoutQueryValues(key), result }, 'a fetched body is not stored')
    return result === 'purged' || result === 'kept' ? new LarderError('NOT_STORED', whyUnpublished[result]) : noRoom()
  } catch (error) {
    const fault = faultOf(error)
    tellUnstored(log, key, fault)
    return fault
  }
}

const whyUnpublished = {
  purged: 'it was purged while it was fetched',
  kept: 'what was uploaded under that path, when the repository was a hosted one, is there still',
} as const

const nothing = () => {}

const errorIn = (end: Digest | LarderError) => (typeof end === 'string' ? undefined : end)
const digestIn = (end: Digest | LarderError) => (typeof end === 'string' ? end : undefined)

function whyUnstored({ failure, kept }: StagedBody): LarderError {
  if (failure !== undefined) return faultOf(failure)
  return kept ? new LarderError('NOT_STORED', 'nothing proves that its body came whole') : noRoom()
}

const noRoom = () => new LarderError('NO_ROOM', 'there is no room for it')

/** A fault of the disk is told once by who watches the disk, not by each who meets it. */
export function tellUnstored(log: Logger, key: string, fault: LarderError): void {
  const level = fault.code === 'STORE_FAULT' ? 'debug' : 'error'
  log[level]({ err: fault, key: withoutQueryValues(key) }, 'cannot store a response')
}

export const isSuccess = (status: number) => status === 200 || status === 203

/** Bytes a response's head promises, where it does. */
export function contentLength(headers: RawHeaders): number | undefined {
  const value = field(headers, 'content-length')
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}
