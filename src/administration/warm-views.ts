import type { Readiness } from '../proxy/warm.js'
import type { Task } from './views.js'

/** What an operator is shown of a warm-up. */

export interface WarmItem {
  /** `<repository>/<path>`, or what was written in its place. */
  readonly item: string
  /** `listed`: nothing was asked for, in a dry run. */
  readonly state: 'ready' | 'failed' | 'listed'
  /** How it came to be here; `null` unless it is ready. */
  readonly how: Readiness | null
  /** `null` unless it is ready. */
  readonly bytes: number | null
  /** Why it failed: a code, and words. */
  readonly reason: string | null
  readonly detail: string | null
}

/** A fill the job waits for. */
export interface WarmFill {
  readonly item: string
  readonly received: number
  /** `null` until the remote tells. */
  readonly size: number | null
}

export interface WarmState {
  readonly task: Task
  readonly filling: readonly WarmFill[]
}

export interface WarmReport extends WarmState {
  /** Those that are done with, in the order in which they were. */
  readonly items: readonly WarmItem[]
}
