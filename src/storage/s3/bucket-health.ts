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
  /** What is tried after a fault. */
  watch(trial: () => Promise<void>): void
  failed(error: unknown): void
  close(): void
}

export function createBucketHealth(log: Logger, retryAfter: number): BucketHealth {
  let state: 'well' | 'full' | 'silent' = 'well'
  /** Told since it was well. */
  const reasons = new Set<string>()
  let trial: (() => Promise<void>) | undefined
  let timer: NodeJS.Timeout | undefined
  let ended = false

  const later = () => {
    if (!ended && trial) timer = setTimeout(() => void retry(), retryAfter).unref()
  }

  const retry = async () => {
    try {
      await trial?.()
      if (ended) return
      state = 'well'
      reasons.clear()
      log.info('the bucket answers again')
    } catch (error) {
      if (ended) return
      tell(error)
      later()
    }
  }

  /** Each reason once: it is tried every other second. */
  const tell = (error: unknown) => {
    const { status, code } = answerOf(isLarderError(error) && error.cause ? error.cause : error)
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
    watch(next) {
      trial = next
      if (state !== 'well') later()
    },
    close() {
      ended = true
      clearTimeout(timer)
    },
  }
}

const told = {
  full: 'the bucket is full; what it has is served, and nothing is stored',
  silent: 'the bucket does not answer; what the disk has is served, and nothing is stored',
} as const
