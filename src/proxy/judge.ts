import { pathOf } from '../caching/cache-key.js'
import { contradictsPin } from '../caching/checksum-rules.js'
import { type Decision, decide, mayServeStale, requestFacts } from '../caching/decide.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import { isRemoteOf } from '../caching/repository.js'
import { canValidate } from '../caching/validation.js'
import { selectVariant } from '../caching/vary.js'
import type { Ask } from './ask.js'
import type { LifeOf } from './lives.js'
import type { Wanted } from './obtained.js'

/** How a request may be answered by what is stored. */
interface Judgement {
  readonly decision: Decision
  /** What answers by itself. */
  readonly reused: StoredResponse | undefined
  readonly onlyIfCached: boolean
  wanted(): Wanted
}

export function judge(ask: Ask, record: StoredRecord | undefined, lifeOf: LifeOf): Judgement {
  const { caching } = ask.repository
  const found = record && pick(ask, record)
  const stored = found && !isWrong(ask, found) ? found : undefined
  const life = stored && lifeOf(stored, ask)
  const facts = requestFacts(ask.request.headers, caching)
  const decision = ask.request.validated
    ? validation
    : decide(life && { freshness: life }, !found && Boolean(record?.variants.length), facts, ask.now)
  const current = record !== undefined && isRemoteOf(ask.repository, record.remote)
  const wanted = (): Wanted => ({
    why: decision.action === 'reuse' ? 'stale' : decision.why,
    stored,
    validate: stored && current && canValidate(stored) ? stored : undefined,
    spare: life && mayServeStale(life, caching, ask.now) ? stored : undefined,
    varied: record?.variants[0] ? Object.keys(record.variants[0].selecting) : [],
  })
  const reused = decision.action === 'reuse' && current && stored ? stored : undefined
  return { decision, reused, onlyIfCached: facts.directives?.onlyIfCached === true, wanted }
}

const validation: Decision = { action: 'validate', why: 'request' }

/** A copy that a pin of today forbids is none (U4). */
const isWrong = ({ target, repository: { integrity } }: Ask, { body }: StoredResponse): boolean =>
  integrity.checksums.length > 0 && contradictsPin(pathOf(target), integrity, body.digest)

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
