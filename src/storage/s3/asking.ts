import { setTimeout as sleep } from 'node:timers/promises'
import { deadline as startDeadline } from '../../deadline.js'
import { LarderError } from '../../errors.js'
import { answerOf, isTrouble } from './answers.js'

export interface Limits {
  /** Milliseconds one try may take, to the end of what it waits for. */
  readonly deadline: number
  readonly attempts: number
}

/**
 * Asks with a deadline, and again where the gateway is in trouble. Throws the `Answer` that says something of the object,
 * `STORE_FAULT` where it can't be asked.
 */
export type Ask = <T>(attempt: (signal: AbortSignal) => Promise<T>, limits?: Partial<Limits>) => Promise<T>

export interface Gate {
  /** Throws `STORE_FAULT` at once while the bucket is known not to answer. */
  requireOpen(): void
  /** Told of what failed for good. */
  failed(error: unknown): void
}

/** ms before the second try, doubled with each more. */
const firstPause = 100

export function createAsk(gate: Gate, standard: Limits): Ask {
  return async (attempt, { deadline = standard.deadline, attempts = standard.attempts } = {}) => {
    for (let tried = 1; ; tried += 1) {
      gate.requireOpen()
      try {
        return await within(deadline, attempt)
      } catch (error) {
        const answer = answerOf(error)
        if (!isTrouble(answer)) throw answer
        if (tried >= attempts) {
          gate.failed(answer)
          throw new LarderError('STORE_FAULT', 'the bucket cannot be asked', { cause: answer })
        }
        await sleep(firstPause * 2 ** (tried - 1) * (0.5 + Math.random()))
      }
    }
  }
}

async function within<T>(deadline: number, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController()
  const met = startDeadline(deadline, () => ending.abort())
  return attempt(ending.signal).finally(met)
}
