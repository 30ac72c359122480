import { LRUCache } from 'lru-cache'
import { derivedKey, originalKey, withoutQueryValues } from '../caching/cache-key.js'
import type { Digest, StoredResponse } from '../caching/record.js'
import { rewriteRule } from '../caching/rewrite-rules.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import { type ArtifactRequest, Ask } from './ask.js'
import { release } from './bodies.js'
import { createCollapse } from './collapse.js'
import { createVersionNames, described, outcomeFields, tagOf } from './derived.js'
import { derivedSource } from './derived-source.js'
import { type Growing, isSuccess, take } from './receive.js'
import { type Artifact, type ArtifactBody, growingArtifact, type Resolution, type Resolve } from './resolution.js'
import type { RewriteOutcome, RewritePlan, Rewriter } from './rewriter.js'

/** Serves artifacts rewritten where a rule of their repository says so; the original stays the stored truth. */
export interface Derivations {
  readonly resolve: Resolve
  /** Resolves when no derived form is in the making. */
  idle(): Promise<void>
  abort(): void
  inFlight(): number
}

export interface DeriveDeps {
  /** Finds originals. */
  readonly resolve: Resolve
  readonly rewriter: Rewriter
  readonly store: ArtifactStore
  readonly metrics: Metrics
  readonly log: Logger
}

/** A derived form in the making. */
interface Derivation {
  readonly growing: Growing
  readonly done: Promise<void>
}

/** One artifact as one client is to get it. */
interface Subject {
  readonly request: ArtifactRequest
  readonly plan: RewritePlan
  readonly original: Artifact
  readonly tag: string | undefined
  /** Of the derived form. */
  readonly key: string
}

/** Originals remembered as not to be rewritten, and for how long (ms). */
const mostGivenUp = 10_000
const givenUpFor = 3_600_000

export function createDerivations(deps: DeriveDeps): Derivations {
  const { resolve, rewriter, store, metrics } = deps
  const flights = createCollapse<Derivation>()
  const versionOf = createVersionNames()
  /** One derivation at a time of each version of an original. */
  const flightOf = ({ key, tag, original }: Subject) => `${key}\n${tag ?? versionOf(original)}`
  const givenUp = new LRUCache<string, true>({ max: mostGivenUp, ttl: givenUpFor })
  const stopping = new AbortController()
  store.onPurge((means) => flights.detach((flight) => means(keyOfFlight(flight))))

  const derive = async (subject: Subject): Promise<Artifact> => {
    const { original } = subject
    if (givenUp.has(flightOf(subject))) return original
    try {
      return await fromStore(subject)
    } catch (error) {
      // What can't be looked up is no miss, and nothing is stored over it; its client is served all the same (K7).
      if (isLarderError(error) && error.code === 'STORE_FAULT') return alone(subject)
      release(original.body)
      throw error
    }
  }

  const fromStore = async (subject: Subject): Promise<Artifact> => {
    const { request, key, original, tag } = subject
    const record = await store.lookup(key)
    const stored = record !== undefined && record.remote === original.digest ? record.variants[0] : undefined
    if (request.method === 'HEAD') return { ...original, ...described(original, tag, stored) }
    const body = stored && (await bodyOf(key, stored))
    if (!body) return make(subject, store.epochOf(key, record))
    release(original.body)
    if (!request.warming) store.use(key, Date.now())
    return { ...original, ...described(original, tag, stored), body }
  }

  /** `undefined` where it is damaged. */
  const bodyOf = async (key: string, stored: StoredResponse): Promise<ArtifactBody | undefined> => {
    const { inline } = stored.body
    if (inline) return { kind: 'inline', bytes: inline }
    const body = await store.open(key, stored)
    return body && { kind: 'stored', body }
  }

  /** By the derivation that is under way, or one begun now; of what may not be stored one for this client alone. */
  const make = (subject: Subject, epoch: number): Artifact => {
    const { original, tag } = subject
    if (original.body.kind === 'passing') return alone(subject)
    const head = described(original, tag, undefined)
    const { flight, collapsed } = flights.join(flightOf(subject), () => begin(subject, epoch))
    if (collapsed) release(original.body)
    return { ...growingArtifact(flight.growing, 'GET'), ...head, status: original.status, age: original.age }
  }

  /** Past the store. */
  const alone = (subject: Subject): Artifact => {
    const { original, tag } = subject
    const head = { ...original, ...described(original, tag, undefined) }
    if (original.body.kind === 'none') return head
    const { body, discard } = sourceOf(subject).of(original).response
    const end = () => {
      discard()
      release(original.body)
    }
    const failed = (error: unknown) => {
      if (isLarderError(error) && error.code === 'REWRITE_FAILED') giveUp(subject, original.digest)
    }
    return { ...head, body: { kind: 'passing', chunks: telling(body, failed), discard: end } }
  }

  const sourceOf = ({ request, plan }: Subject) => derivedSource({ resolve, request, plan, signal: stopping.signal })

  /** By what it will be known as from now on; `digest`: under which the original is stored, if it is. */
  const giveUp = (subject: Subject, digest: Digest | undefined) => {
    const tag = tagOf({ ...subject.original, digest }, subject.plan)
    if (tag !== undefined) givenUp.set(flightOf({ ...subject, tag }), true)
  }

  const begin = (subject: Subject, epoch: number): Derivation => {
    const { request, key } = subject
    const { signal } = stopping
    const source = sourceOf(subject)
    const { response, digest, outcome } = source.of(subject.original)
    const { growing, done } = take(
      // What a pin or a list says is said, and counted, of the original.
      { ...deps, checksums: { pin: () => undefined }, metrics: { ...metrics, fills: metrics.rewrites } },
      {
        ...{ repository: request.repository, key, target: request.target, forwarded: [], headers: [] },
        ...{ source, signal, pace: undefined },
        provenance: async () => ({ remote: await digest(), headers: outcomeFields(outcome()) }),
      },
      epoch,
      response,
    )
    void growing.unstored().then(async (error) => {
      if (error?.code === 'REWRITE_FAILED') giveUp(subject, await digest())
      if (!error) tell(deps.log, key, outcome())
    })
    return { growing, done }
  }

  const rewritten = async (request: ArtifactRequest, plan: RewritePlan): Promise<Resolution> => {
    const resolution = await resolve(request)
    if (resolution.kind !== 'artifact' || !isSuccess(resolution.artifact.status)) return resolution
    const { artifact: original } = resolution
    const key = derivedKey(new Ask(request).key, plan.id)
    return { ...resolution, artifact: await derive({ request, plan, original, key, tag: tagOf(original, plan) }) }
  }

  return {
    resolve(request) {
      const { repository, target, publicUrl } = request
      if (publicUrl === undefined) return resolve(request)
      const rule = rewriteRule(repository, target)
      return rule ? rewritten(request, rewriter.plan(rule, publicUrl)) : resolve(request)
    },
    idle: flights.idle,
    inFlight: () => flights.size,
    abort: () => stopping.abort(new LarderError('SHUTTING_DOWN', 'the server is shutting down')),
  }
}

async function* telling(chunks: AsyncIterable<Uint8Array>, failed: (error: unknown) => void) {
  try {
    yield* chunks
  } catch (error) {
    failed(error)
    throw error
  }
}

const keyOfFlight = (flight: string) => flight.split('\n', 1)[0] as string

function tell(log: Logger, key: string, outcome: RewriteOutcome): void {
  const about = { key: withoutQueryValues(originalKey(key)), ...outcome }
  if (outcome.kind === 'rewritten') log.info(about, 'rewrote the URLs in an artifact')
  else log.warn(about, 'left an artifact as it is that was to be rewritten')
}
