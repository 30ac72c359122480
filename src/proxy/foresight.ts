import type { CacheOutcome } from '../caching/cache-status.js'
import type { StoredResponse } from '../caching/record.js'
import type { ErrorCode } from '../errors.js'
import { forwarded, type Wanted } from './obtained.js'
import type { Outlook } from './outlook.js'

/** What a request would come to now, as far as that can be told without asking the remote. */
export interface Foresight {
  readonly action:
    | 'not-routed'
    /** From the store; the remote hears nothing of it. */
    | 'hit'
    /** A stale copy at once. */
    | 'stale'
    /** The same, and it is validated behind the answer (K2). */
    | 'stale-while-revalidate'
    /** A stale copy, for the remote was in trouble just now, or may not be asked (K3). */
    | 'spared'
    | 'absent'
    | 'unavailable'
    | 'bypass'
    | 'join'
    | 'validate'
    | 'fetch'
  /** For `Cache-Status`; what the remote's answer adds to it is not in it. */
  readonly cache: CacheOutcome
  /** Why there is no artifact, or why a copy steps in. */
  readonly error?: ErrorCode
  /** The status remembered of the remote. */
  readonly status?: number
}

export const notRouted: Foresight = {
  action: 'not-routed',
  cache: { outcome: 'error' },
  error: 'PATH_NOT_ROUTED',
}

/** `ttl`: seconds of freshness left. */
export function reuse(ttl: number, revalidates: boolean): Foresight {
  if (ttl > 0) return { action: 'hit', cache: { outcome: 'hit', ttl } }
  return { action: revalidates ? 'stale-while-revalidate' : 'stale', cache: { outcome: 'stale', ttl } }
}

export function ofOutlook(outlook: Outlook, wanted: Wanted, ttlOf: (stored: StoredResponse) => number): Foresight {
  const spared = (stored: StoredResponse) =>
    ({ action: 'spared', cache: { outcome: 'stale', ttl: ttlOf(stored) } }) as const
  switch (outlook.kind) {
    case 'spared':
      return spared(outlook.stored)
    case 'negative':
      return { action: 'absent', status: outlook.status, cache: { outcome: 'negative', ttl: outlook.ttl } }
    case 'unavailable': {
      const { code: error } = outlook.refusal
      if (wanted.spare) return { ...spared(wanted.spare), error }
      return { action: 'unavailable', error, cache: { outcome: 'error', detail: error } }
    }
    case 'alone':
      return { action: 'bypass', cache: { outcome: 'bypass' } }
    case 'ask': {
      const cache = { outcome: 'miss', ...forwarded(wanted) } as const
      if (outlook.joins) return { action: 'join', cache }
      return { action: wanted.validate ? 'validate' : 'fetch', cache }
    }
  }
}
