import type { CacheOutcome } from '../caching/cache-status.js'
import { currentAge, timeToLive } from '../caching/freshness.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { isRouted } from '../caching/routing.js'
import { isLarderError, LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { Bulletin } from '../storage/bulletin.js'
import { type ArtifactRequest, Ask } from './ask.js'
import { type Availability, createAvailability } from './availability.js'
import { createChecksums } from './checksums.js'
import { createDerivations } from './derive.js'
import type { Foresight } from './foresight.js'
import * as foresight from './foresight.js'
import { createGroups } from './group.js'
import { damaged, foreseeUpload, isRefusal, unreadable, uploadedAt } from './hosted.js'
import { judge } from './judge.js'
import { rememberingFreshness } from './lives.js'
import { createObtain, type Obtain, type ObtainDeps } from './obtain.js'
import type { Obtained, Wanted } from './obtained.js'
import { notRouted, type Resolution, storedArtifact } from './resolution.js'
import type { Rewriter } from './rewriter.js'
import { createUploads, type Uploads } from './upload.js'
import { createWarming, type Warming } from './warm.js'

/** Answers requests for artifacts: from the store, by a fill, or with the reason why not. */
export interface Proxy {
  /** At once for what is in memory. Trouble is a resolution, not an exception. */
  resolve(request: ArtifactRequest): Resolution | Promise<Resolution>
  /** What `resolve` would do now; neither a use nor a question to the remote. Rejects with `STORE_FAULT`. */
  foresee(request: ArtifactRequest): Promise<Foresight & { readonly known: ReturnType<Obtain['known']> }>
  /** What writes to hosted repositories. */
  readonly uploads: Uploads
  /** Resolves when no fill is under way, nor an upload or a derivation. */
  idle(): Promise<void>
  /** Ends every fill now. */
  abort(): void
  fillsInFlight(): number
  /** What makes artifacts ready ahead of time; fills are shared with clients. */
  readonly warming: Warming
  /** Breakers and blocks, to be seen and changed by an operator (U7). */
  readonly availability: Pick<Availability, 'remotes' | 'reset' | 'isBlocked' | 'block'>
}

type ProxyDeps = Omit<ObtainDeps, 'checksums' | 'availability'> & {
  readonly bulletin: Bulletin
  readonly repositories: () => readonly Repository[]
  readonly rewriter: Rewriter
  /** What our own URLs begin with for whoever is no client: a warm-up. `undefined` where only requests tell. */
  readonly publicUrl: () => string | undefined
}

export function createProxy(deps: ProxyDeps): Proxy {
  const { store, metrics, log } = deps
  const checksums = createChecksums({ resolve: (request) => resolve(request), metrics, log })
  const availability = createAvailability(deps)
  const obtain = createObtain({ ...deps, checksums, availability })
  const lifeOf = rememberingFreshness()

  const choose = (ask: Ask, record: StoredRecord | undefined): Resolution | Promise<Resolution> => {
    if (record && !ask.request.warming) store.use(ask.key, ask.now)
    if (isHosted(ask)) return serveUpload(ask, record)
    const { decision, reused, onlyIfCached, wanted } = judge(ask, record, lifeOf)
    if (decision.action === 'reuse' && reused) {
      if (decision.revalidate) obtain.revalidate(ask, wanted())
      return serve(ask, reused, decision.ttl > 0 ? hit : stale)
    }
    return onlyIfCached ? notCached : forward(ask, wanted())
  }

  const serveUpload = (ask: Ask, record: StoredRecord | undefined) => {
    const found = uploadedAt(ask, record)
    return isRefusal(found) ? found : serve(ask, found, hit)
  }

  const foresee = async (ask: Ask): Promise<Foresight> => {
    if (!isRouted(ask.repository.routing, ask.target)) return foresight.notRouted
    if (isHosted(ask)) return foreseeUpload(store, ask)
    const { decision, reused, wanted } = judge(ask, await store.lookup(ask.key), lifeOf)
    const ttlOf = (stored: StoredResponse) => timeToLive(lifeOf(stored, ask), ask.now)
    if (decision.action === 'reuse' && reused) {
      // Where its body turns out damaged, that is what a request would find.
      const body = reused.body.inline ?? (await store.open(ask.key, reused))
      if (body && 'close' in body) body.close()
      if (body) return foresight.reuse(decision.ttl, decision.revalidate && obtain.mayRevalidate(ask))
      const other: Wanted = { ...nothingStored, stored: reused, varied: Object.keys(reused.selecting) }
      return foresight.ofOutlook(obtain.outlook(ask, other), other, ttlOf)
    }
    return foresight.ofOutlook(obtain.outlook(ask, wanted()), wanted(), ttlOf)
  }

  const forward = (ask: Ask, wanted: Wanted): Resolution | Promise<Resolution> => {
    if (!ask.request.storedOnly) return deliver(ask, obtain.answer(ask, wanted))
    return wanted.spare ? serve(ask, wanted.spare, stale) : notCached
  }

  const deliver = async (ask: Ask, obtaining: Promise<Obtained>): Promise<Resolution> => {
    const obtained = await obtaining
    if (obtained.kind === 'renewed') return lookUp(ask)
    return obtained.kind === 'stored' ? serve(ask, obtained.stored, obtained.cache) : obtained
  }

  const serve = (ask: Ask, stored: StoredResponse, outcome: CacheOutcome): Resolution | Promise<Resolution> => {
    const life = lifeOf(stored, ask)
    // What was validated on the way is not "from the cache without validation" (C3).
    const age = outcome.outcome === 'revalidated' ? undefined : currentAge(life, ask.now)
    const ttl = isHosted(ask) ? Number.POSITIVE_INFINITY : timeToLive(life, ask.now)
    const cache = outcome.fwd === undefined ? unforwarded(outcome, ttl) : outcome
    const { inline } = stored.body
    if (ask.request.method === 'HEAD') {
      return { kind: 'artifact', artifact: storedArtifact(stored, { kind: 'none' }, age), cache }
    }
    if (inline) {
      return { kind: 'artifact', artifact: storedArtifact(stored, { kind: 'inline', bytes: inline }, age), cache }
    }
    return serveBlob(ask, stored, cache, age)
  }

  const serveBlob = async (ask: Ask, stored: StoredResponse, cache: CacheOutcome, age: number | undefined) => {
    let body: OpenBody | undefined
    try {
      body = await store.open(ask.key, stored)
    } catch (error) {
      return passStore(ask, error)
    }
    if (body) {
      const whole = isHosted(ask) || ask.request.storedOnly ? body : obtain.readOn(ask, stored, body)
      const artifact = storedArtifact(stored, { kind: 'stored', body: whole }, age)
      return { kind: 'artifact', artifact, cache } as const
    }
    if (isHosted(ask)) return damaged()
    // Named, so that it is not found again where it could not be dropped.
    return forward(ask, { ...nothingStored, stored, varied: Object.keys(stored.selecting) })
  }

  const lookUp = (ask: Ask): Resolution | Promise<Resolution> => {
    try {
      const record = store.lookup(ask.key)
      if (!(record instanceof Promise)) return choose(ask, record)
      return record.then(
        (found) => choose(ask, found),
        (error) => passStore(ask, error),
      )
    } catch (error) {
      return passStore(ask, error)
    }
  }

  /** What can't be read is no miss, and nothing is stored over it; its client is served all the same (K7). */
  const passStore = (ask: Ask, error: unknown): Promise<Resolution> => {
    if (!isLarderError(error) || error.code !== 'STORE_FAULT') throw error
    if (isHosted(ask)) return Promise.resolve(unreadable(error))
    return deliver(ask, obtain.bypass(ask, { ...nothingStored, stored: undefined, varied: [] }))
  }

  const uploads = createUploads({ store, checksums, metrics })

  const resolve = (request: ArtifactRequest) => lookUp(new Ask(request))

  // Outside of `resolve`, which fetches lists of checksums for us too: they are no client's business.
  const routed = (request: ArtifactRequest) =>
    isRouted(request.repository.routing, request.target) ? resolve(request) : notRouted

  const derivations = createDerivations({ ...deps, resolve: routed })
  const ofGroup = createGroups(derivations.resolve)
  const answer = (request: ArtifactRequest) =>
    request.repository.type === 'group' ? ofGroup(request) : derivations.resolve(request)

  return {
    resolve: answer,
    foresee: async (request) => {
      const ask = new Ask(request)
      return { ...(await foresee(ask)), known: obtain.known(ask) }
    },
    warming: createWarming(answer, deps.publicUrl),
    uploads,
    availability,
    async idle() {
      await Promise.all([obtain.idle(), uploads.idle()])
      await derivations.idle()
    },
    abort() {
      obtain.abort()
      derivations.abort()
    },
    fillsInFlight: () => obtain.fillsInFlight() + derivations.inFlight(),
  }
}

const isHosted = ({ repository }: Ask) => repository.type === 'hosted'

const hit: CacheOutcome = { outcome: 'hit' }
const stale: CacheOutcome = { outcome: 'stale' }
/** Written out field by field: one shape for all of them keeps the hit path fast. */
const unforwarded = ({ outcome, collapsed }: CacheOutcome, ttl: number): CacheOutcome => ({ outcome, ttl, collapsed })

const nothingStored = { why: 'uri-miss', validate: undefined, spare: undefined } as const

const notCached: Resolution = {
  kind: 'trouble',
  error: new LarderError('NOT_CACHED', 'only-if-cached was asked, and it is not'),
  cache: { outcome: 'error' },
}
