import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Repository, RewriteRule } from '../../caching/repository.js'
import type { RewritePlan, Rewriter } from '../../proxy/rewriter.js'
import { type Limits, usualLimits } from './limits.js'
import { type Places, placesOf } from './places.js'
import { rewriting } from './rewriting.js'
import { createTextRewriter } from './text.js'

/** Goes up with each change of what is made of the same original. */
const version = 2

/** Bases whose plans are kept for each rule: the schemes and hosts that builds know us by. */
const basesKept = 64

/** No path that is unpacked is longer; a glob may take its time over one that is. */
const longestPath = 4096

export interface RewriterOptions {
  /** What is configured; another array where it has changed. */
  readonly repositories: () => readonly Repository[]
  readonly limits?: Limits
}

export function createRewriter({ repositories, limits = usualLimits }: RewriterOptions): Rewriter {
  const plansFor = new WeakMap<readonly Repository[], Plans>()
  const plans = (configured: readonly Repository[]): Plans => {
    const known = plansFor.get(configured)
    if (known) return known
    const made = createPlans(placesOf(configured), limits)
    plansFor.set(configured, made)
    return made
  }
  return { plan: (rule, base) => plans(repositories())(rule, base) }
}

type Plans = (rule: RewriteRule, base: string) => RewritePlan

/** Each plan is made once: requests ask for it one by one. */
function createPlans(places: Places, limits: Limits): Plans {
  const byRule = new WeakMap<RewriteRule, LRUCache<string, RewritePlan>>()
  return (rule, base) => {
    const byBase = byRule.get(rule) ?? new LRUCache<string, RewritePlan>({ max: basesKept })
    byRule.set(rule, byBase)
    const known = byBase.get(base)
    if (known) return known
    const plan = createPlan({ places, limits, rule, base })
    byBase.set(base, plan)
    return plan
  }
}

interface PlanFacts {
  readonly places: Places
  readonly limits: Limits
  readonly rule: RewriteRule
  readonly base: string
}

function createPlan({ places, limits, rule, base }: PlanFacts): RewritePlan {
  const fits = (path: string) => {
    const plain = path.replace(/^(?:\.\/+)+/, '')
    return plain.length <= longestPath && rule.in.some(({ matches }) => matches(plain))
  }
  return {
    id: idOf({ places, limits, rule, base }),
    rewrite: (original) =>
      rewriting(original, { text: createTextRewriter(places, base), fits, limits, unwrap: rule.unwrap === true }),
  }
}

/** Zlib's output is its version's and may be its platform's; all else that the bytes depend on is ours. */
function idOf({ places, limits, rule, base }: PlanFacts): string {
  const globs = [rule, ...rule.in].map(({ match }) => match)
  const packer = [process.versions.zlib, process.platform, process.arch]
  const facts = JSON.stringify([version, packer, globs, rule.unwrap === true, base, limits, places.canonical])
  return createHash('sha256').update(facts).digest('hex')
}
