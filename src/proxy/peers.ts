import type { RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import type { SourceResponse } from './source.js'

/** PORT. The other replicas, by the URLs they name for it. */
export interface Peers {
  /**
   * What a fill that a peer has under way comes to, as soon as the peer knows. `undefined` where it does not answer at once,
   * or not as a peer does. Throws the signal's reason when that is aborted.
   */
  follow(url: string, id: string, follower: Follower, signal: AbortSignal): Promise<PeerAnswer | undefined>
}

interface Follower {
  /** Aborts, or has, when it is no warm-up at a pace (any more): from then on the peer goes at full speed. */
  readonly hurried: AbortSignal
}

export type PeerAnswer =
  /** The remote's answer, with the body as it comes in there: it ends only when whole, and throws `UPSTREAM_CUT` where it breaks off. */
  | {
      readonly kind: 'growing'
      readonly response: SourceResponse
      /** The fields of the peer's request that chose it (`Vary`); `undefined` where the peer does not tell. */
      readonly selecting: StoredResponse['selecting'] | undefined
    }
  /** A status that brings no artifact. */
  | { readonly kind: 'refused'; readonly status: number; readonly headers: RawHeaders }
  /** There is nothing to follow, or no more: what it brought is stored, if anything. */
  | { readonly kind: 'over' }
