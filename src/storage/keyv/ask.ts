import { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleType } from 'cockatiel'
import { DeadlineMissed, within } from '../../deadline.js'
import type { Logger } from '../../log.js'

/** What a command brings within the deadline, or `undefined`. */
export type Ask = <T>(command: () => Promise<T>) => Promise<T | undefined>

export interface AskOptions {
  /** Milliseconds. */
  readonly deadline: number
  readonly onSilent: () => unknown
  readonly onHeard: () => unknown
  readonly log: Logger
}

/** After three missed deadlines in a row nothing is asked for a second, and then one command to try. */
export function createAsk({ deadline, onSilent, onHeard, log }: AskOptions): Ask {
  // A lost connection is seen at once, and an error reply or garbage costs nothing: only silence is worth not asking.
  const breaker = circuitBreaker(handleType(DeadlineMissed), {
    halfOpenAfter: 1000,
    breaker: new ConsecutiveBreaker(3),
  })
  breaker.onBreak(onSilent)
  breaker.onReset(onHeard)
  return async (command) => {
    try {
      return await breaker.execute(() => within(deadline, command()))
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) log.debug({ err: error }, 'redis call failed')
      return undefined
    }
  }
}
