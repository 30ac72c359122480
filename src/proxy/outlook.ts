import type { StoredResponse } from '../caching/record.js'
import type { LarderError } from '../errors.js'
import type { Ask } from './ask.js'
import type { Availability } from './availability.js'
import { flightKey } from './joining.js'
import type { Wanted } from './obtained.js'
import { carriesCredentials } from './request-headers.js'
import type { ShortMemory } from './short-memory.js'

/** What is to be done for a request that what is stored can't answer by itself. */
export type Outlook =
  /** The remote was in trouble just now: the copy is served without asking again (K3). */
  | { readonly kind: 'spared'; readonly stored: StoredResponse }
  /** The remote said just now that it has no such thing (K4); `ttl` in seconds. */
  | { readonly kind: 'negative'; readonly status: number; readonly ttl: number }
  /** No remote may be asked (U7). */
  | { readonly kind: 'unavailable'; readonly refusal: LarderError }
  /** The answer may not be shared: asked for, for this client alone (C6). */
  | { readonly kind: 'alone' }
  /** `joins`: through a fill that is under way. */
  | { readonly kind: 'ask'; readonly joins: boolean }

export interface OutlookDeps {
  readonly memory: ShortMemory
  readonly availability: Pick<Availability, 'refusal'>
  readonly isUnderWay: (flight: string) => boolean
}

/** Decides it; nothing is changed by that. */
export const createOutlook =
  ({ memory, availability, isUnderWay }: OutlookDeps) =>
  (ask: Ask, wanted: Wanted): Outlook => {
    const known = memory.get(ask.remoteKey)
    if (known?.kind === 'trouble' && wanted.spare && ask.repository.profile === 'artifact') {
      return { kind: 'spared', stored: wanted.spare }
    }
    if (known?.kind === 'negative' && !wanted.spare && !carriesCredentials(ask.forwarded)) {
      return { kind: 'negative', status: known.status, ttl: memory.secondsLeft(ask.remoteKey) }
    }
    const joins = isUnderWay(flightKey(ask, wanted.varied))
    const refusal = availability.refusal(ask.repository)
    if (refusal && !joins) return { kind: 'unavailable', refusal }
    return known?.kind === 'uncacheable' ? { kind: 'alone' } : { kind: 'ask', joins }
  }
