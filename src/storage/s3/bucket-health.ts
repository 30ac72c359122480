import { isLarderError, LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { WriteGate } from '../write-gate.js'
import { answerOf, isFull } from './answers.js'
import type { Gate } from './asking.js'

/**
 * Whether the bucket answers. After a fault nothing is asked of it until a trial succeeds, so that nobody waits for it; one that
 * is full is read from meanwhile.
 */
export interface BucketHealth extends WriteGate, Gate {
  readonly healthy: boolean
  /** Tries the bucket, and again after each fault; rejects where this first trial fails. */
  watch(trial: () => Promise<void>): Promise<void>
  failed(error: unknown): void
  close(): void
}

export function createBucketHealth(log: Logger, retryAfter: number): BucketHealth {
  let state: 'well' | 'full' | 'silent' = 'well'
  /** Told since it was well. */
  const reasons = new Set<string>()
  let trial: (() => Promise<void>) | undefined
  /** Once it has passed a trial: what is in it is ours to read. */
  let isKnown = false
  let timer: NodeJS.Timeout | undefined
  let ended = false

  const later = () => {
    if (!ended && trial) timer = setTimeout(() => void retry(), retryAfter).unref()
  }

  const retry = async () => {
    try {
      await trial?.()
      if (ended) return
      isKnown = true
      state = 'well'
      reasons.clear()
      log.info('the bucket answers again')
    } catch (error) {
      if (ended) return
      if (isKnown && isFull(causeOf(error))) state = 'full'
      tell(error)
      later()
    }
  }

  /** Each reason once: it is tried every other second. */
  const tell = (error: unknown) => {
    const { status, code } = answerOf(causeOf(error))
    const reason = `${state} ${status} ${code}`
    if (state === 'well' || reasons.has(reason)) return
    log.error({ err: error }, told[state])
    reasons.add(reason)
  }

  return {
    get healthy() {
      return state === 'well'
    },
    admits: () => state === 'well',
    failed(error) {
      if (state === 'silent' || ended) return
      const was = state
      state = isFull(error) ? 'full' : 'silent'
      tell(error)
      if (was === 'well') later()
    },
    requireOpen() {
      if (state === 'silent') throw new LarderError('STORE_FAULT', 'the bucket does not answer')
    },
    async watch(next) {
      trial = next
      await next()
      isKnown = true
    },
    close() {
      ended = true
      clearTimeout(timer)
    },
  }
}

/** What the gateway said. */
const causeOf = (error: unknown) => (isLarderError(error) && error.cause ? error.cause : error)

const told = {
  full: 'the bucket is full; what it has is served, and nothing is stored',
  silent: 'the bucket does not answer; what the disk has is served, and nothing is stored',
} as const
