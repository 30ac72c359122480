import { CircuitState, ConsecutiveBreaker, circuitBreaker, DelegateBackoff, handleAll } from 'cockatiel'
import type { UpstreamPolicy } from '../caching/repository.js'

/** One remote's circuit breaker (U7). It counts operations: whole exchanges with their retries, up to the head. */
export interface Breaker {
  readonly state: BreakerState
  /** ms since the epoch: when one probe may go out; in the past where the remote may be asked, or a probe is out. */
  readonly openUntil: number
  /** Lets one operation through, or none: while it is open, and while another one's probe is out. */
  enter(): Pass | undefined
  /** Closes it by hand; what is under way counts for nothing. */
  reset(): void
  /** Another replica's opened: the remote is left alone here, too, for so many ms. No event comes of it. */
  rest(milliseconds: number): void
}

export type BreakerState = 'closed' | 'half-open' | 'open'

/** An operation that was let through. */
export interface Pass {
  /** `false` once the breaker has opened, or was reset, since: there is no point in trying on. */
  holds(): boolean
  /** `untold`: it ended without saying anything about the remote. Counts once, and only while the pass holds. */
  settle(outcome: 'succeeded' | 'failed' | 'untold'): void
  /** Calls back when the breaker opens; returns how to stop listening. */
  onOpened(listener: () => void): () => void
}

export interface BreakerEvents {
  /** From closed to open; not again after a failed probe. `wait` in ms. */
  opened(wait: number): void
  closed(): void
}

const names = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
} as const satisfies Record<CircuitState, BreakerState>

export function createBreaker(policy: UpstreamPolicy['breaker'], events: BreakerEvents): Breaker {
  let wait = 0
  let openUntil = 0
  /** While another replica's is open; ms since the epoch. */
  let restUntil = 0

  const build = (initialState?: unknown) => {
    const halfOpenAfter = new DelegateBackoff(({ attempt }: { attempt: number }) => {
      wait = Math.min(policy.openFor * 2 ** (attempt - 1), policy.maxOpenFor)
      return wait
    })
    const breaker = new ConsecutiveBreaker(policy.failures)
    const built = circuitBreaker(handleAll, { breaker, halfOpenAfter, initialState })
    built.onBreak(() => {
      const wasOpen = openUntil > 0
      openUntil = Date.now() + wait
      if (!wasOpen) events.opened(wait)
    })
    built.onReset(closed)
    return built
  }

  const closed = () => {
    openUntil = 0
    events.closed()
  }

  let circuit = build()

  return {
    get state() {
      return Date.now() < restUntil ? 'open' : names[circuit.state]
    },
    get openUntil() {
      return Math.max(openUntil, restUntil)
    },
    enter() {
      const { state } = circuit
      // Not left to the library, which has everyone else wait for the probe.
      if (state === CircuitState.HalfOpen || Date.now() < Math.max(openUntil, restUntil)) return undefined
      const isProbe = state === CircuitState.Open
      const entered = circuit
      const before: unknown = entered.toJSON()
      let succeed = () => {}
      let fail = (_: Error) => {}
      const outcome = new Promise<void>((resolve, reject) => {
        succeed = resolve
        fail = reject
      })
      entered.execute(() => outcome).catch(() => {})
      const holds = () => circuit === entered && (isProbe || entered.state === CircuitState.Closed)
      return {
        holds,
        settle(outcome) {
          if (!holds()) return
          if (outcome === 'succeeded') succeed()
          else if (outcome === 'failed') fail(new Error('the remote failed'))
          // The library would take a probe without a result for a success: go back to where another one may try.
          else if (isProbe) circuit = build(before)
        },
        onOpened(listener) {
          const heard = entered.onBreak(listener)
          return () => heard.dispose()
        },
      }
    },
    rest(milliseconds) {
      restUntil = Date.now() + milliseconds
    },
    reset() {
      const wasOpen = openUntil > 0
      restUntil = 0
      circuit = build()
      if (wasOpen) closed()
    },
  }
}
