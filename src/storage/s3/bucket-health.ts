import { LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { WriteGate } from '../write-gate.js'
import type { Gate } from './asking.js'

/** Whether the bucket answers. After a fault nothing is asked of it until a trial succeeds, so that nobody waits for it. */
export interface BucketHealth extends WriteGate, Gate {
  readonly healthy: boolean
  /** What is tried after a fault. */
  watch(trial: () => Promise<void>): void
  failed(error: unknown): void
  close(): void
}

export function createBucketHealth(log: Logger, retryAfter: number): BucketHealth {
  let healthy = true
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
      healthy = true
      log.info('the bucket answers again')
    } catch {
      later()
    }
  }

  return {
    get healthy() {
      return healthy
    },
    admits: () => healthy,
    failed(error) {
      if (!healthy || ended) return
      healthy = false
      log.error({ err: error }, 'the bucket does not answer; what the disk has is served, and nothing is stored')
      later()
    },
    requireOpen() {
      if (!healthy) throw new LarderError('STORE_FAULT', 'the bucket does not answer')
    },
    watch(next) {
      trial = next
      if (!healthy) later()
    },
    close() {
      ended = true
      clearTimeout(timer)
    },
  }
}
