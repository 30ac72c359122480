import { pathOf } from '../caching/cache-key.js'
import { type Freshness, freshness } from '../caching/freshness.js'
import type { StoredResponse } from '../caching/record.js'
import type { CachingPolicy } from '../caching/repository.js'
import type { Ask } from './ask.js'

export type LifeOf = (stored: StoredResponse, ask: Ask) => Freshness

/** Works a stored response's freshness out once, as long as the policy is the same. */
export function rememberingFreshness(): LifeOf {
  const known = new WeakMap<StoredResponse, { readonly policy: CachingPolicy; readonly life: Freshness }>()
  return (stored, { target, repository: { caching: policy } }) => {
    const memo = known.get(stored)
    if (memo?.policy === policy) return memo.life
    const life = freshness(stored, pathOf(target), policy)
    known.set(stored, { policy, life })
    return life
  }
}
