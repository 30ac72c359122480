import { pathOf } from '../caching/cache-key.js'
import type { CacheOutcome } from '../caching/cache-status.js'
import { decide, mayServeStale, requestFacts } from '../caching/decide.js'
import { currentAge, type Freshness, freshness, timeToLive } from '../caching/freshness.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import type { CachingPolicy } from '../caching/repository.js'
import { canValidate } from '../caching/validation.js'
import { selectVariant } from '../caching/vary.js'
import { LarderError } from '../errors.js'
import { type ArtifactRequest, Ask } from './ask.js'
import { createObtain, type ObtainDeps } from './obtain.js'
import type { Wanted } from './obtained.js'
import { type Resolution, storedArtifact } from './resolution.js'

/** Answers requests for artifacts: from the store, by a fill, or with the reason why not. */
export interface Proxy {
  /** At once for what is in memory. Trouble is a resolution, not an exception. */
  resolve(request: ArtifactRequest): Resolution | Promise<Resolution>
  /** Resolves when no fill is under way. */
  idle(): Promise<void>
  /** Ends every fill now. */
  abort(): void
  fillsInFlight(): number
}

export function createProxy(deps: ObtainDeps): Proxy {
  const { store } = deps
  const obtain = createObtain(deps)
  const lifeOf = rememberingFreshness()

  const choose = (ask: Ask, record: StoredRecord | undefined): Resolution | Promise<Resolution> => {
    const { caching } = ask.repository
    const stored = record && pick(ask, record)
    const life = stored && lifeOf(stored, ask)
    const facts = requestFacts(ask.request.headers, caching)
    const decision = decide(life && { freshness: life }, Boolean(record?.variants.length), facts, ask.now)
    const current = record?.remote === ask.remote
    const wanted = (): Wanted => ({
      why: decision.action === 'reuse' ? 'stale' : decision.why,
      stored,
      validate: stored && current && canValidate(stored) ? stored : undefined,
      spare: life && mayServeStale(life, caching, ask.now) ? stored : undefined,
      varied: record?.variants[0] ? Object.keys(record.variants[0].selecting) : [],
    })
    if (decision.action === 'reuse' && current && stored) {
      if (decision.revalidate) obtain.revalidate(ask, wanted())
      return serve(ask, stored, decision.ttl > 0 ? hit : stale)
    }
    return facts.directives?.onlyIfCached ? notCached : forward(ask, wanted())
  }

  const forward = async (ask: Ask, wanted: Wanted): Promise<Resolution> => {
    const obtained = await obtain.answer(ask, wanted)
    if (obtained.kind === 'renewed') return choose(ask, await store.lookup(ask.key))
    return obtained.kind === 'stored' ? serve(ask, obtained.stored, obtained.cache) : obtained
  }

  const serve = (ask: Ask, stored: StoredResponse, outcome: CacheOutcome): Resolution | Promise<Resolution> => {
    const life = lifeOf(stored, ask)
    // What was validated on the way is not "from the cache without validation" (C3).
    const age = outcome.outcome === 'revalidated' ? undefined : currentAge(life, ask.now)
    const cache = outcome.fwd === undefined ? unforwarded(outcome, timeToLive(life, ask.now)) : outcome
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
    const body = await store.open(stored.body)
    if (body) {
      return { kind: 'artifact', artifact: storedArtifact(stored, { kind: 'stored', body }, age), cache } as const
    }
    // A record without its blob is a miss (D2).
    await store.drop(ask.key, stored)
    return forward(ask, { ...nothingStored, varied: Object.keys(stored.selecting) })
  }

  return {
    resolve(request) {
      const ask = new Ask(request)
      const record = store.lookup(ask.key)
      return record instanceof Promise ? record.then((found) => choose(ask, found)) : choose(ask, record)
    },
    idle: () => obtain.idle(),
    abort: () => obtain.abort(),
    fillsInFlight: () => obtain.fillsInFlight(),
  }
}

/** The variant that answers the request; the common case of a single one without `Vary` needs no look at its fields. */
function pick(ask: Ask, { variants }: StoredRecord): StoredResponse | undefined {
  const [only] = variants
  if (variants.length === 1 && only && isEmpty(only.selecting)) return only
  return selectVariant(variants, ask.forwarded)
}

function isEmpty(fields: object): boolean {
  for (const _ in fields) return false
  return true
}

const hit: CacheOutcome = { outcome: 'hit' }
const stale: CacheOutcome = { outcome: 'stale' }
/** Written out field by field: one shape for all of them keeps the hit path fast. */
const unforwarded = ({ outcome, collapsed }: CacheOutcome, ttl: number): CacheOutcome => ({ outcome, ttl, collapsed })

const nothingStored = { why: 'uri-miss', stored: undefined, validate: undefined, spare: undefined } as const

const notCached: Resolution = {
  kind: 'trouble',
  error: new LarderError('NOT_CACHED', 'only-if-cached was asked, and it is not'),
  cache: { outcome: 'error' },
}

/** Works a stored response's freshness out once, as long as the policy is the same. */
function rememberingFreshness() {
  const known = new WeakMap<StoredResponse, { readonly policy: CachingPolicy; readonly life: Freshness }>()
  return (stored: StoredResponse, { target, repository: { caching: policy } }: Ask): Freshness => {
    const memo = known.get(stored)
    if (memo?.policy === policy) return memo.life
    const life = freshness(stored, pathOf(target), policy)
    known.set(stored, { policy, life })
    return life
  }
}
