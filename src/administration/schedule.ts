import { isLarderError } from '../errors.js'
import type { Logger } from '../log.js'
import { onTime } from '../warming/cron.js'
import type { ScheduledWarmUp } from '../warming/order.js'
import type { InTurn } from './turns.js'
import type { WarmJobs } from './warm-jobs.js'

/** Starts warm-ups by the clock: one at a time, and none while it runs still from the time before. */
export interface Schedule {
  /** What is due from now on; one that is unchanged stays as it is, and what runs goes on. */
  set(entries: readonly ScheduledWarmUp[]): void
  /** Nothing is due any more; what waits for its turn is dropped. */
  stop(): void
}

export interface ScheduleDeps {
  readonly jobs: WarmJobs
  readonly inTurn: InTurn
  readonly log: Logger
}

/** Failures of one warm-up that are logged by name. */
const mostTold = 100

export function createSchedule({ jobs, inTurn, log }: ScheduleDeps): Schedule {
  /** How to end those that are in force, by what they say. */
  let inForce = new Map<string, () => void>()
  const busy = new Set<string>()
  const stopping = new AbortController()
  const { signal } = stopping
  let queue = Promise.resolve()

  const run = async (entry: ScheduledWarmUp) => {
    await inTurn('schedule', signal, async () => {
      if (signal.aborted) return
      const { task, ended } = jobs.start(entry.order)
      log.info({ task: task.id, cron: entry.cron }, 'a scheduled warm-up begins')
      await ended
      // Nobody watches it.
      const failed = jobs.report(task.id)?.items.filter(({ state }) => state === 'failed') ?? []
      for (const { item, reason, detail } of failed.slice(0, mostTold)) {
        log.warn({ task: task.id, item, code: reason, reason: detail }, 'could not be made ready')
      }
    })
  }

  const due = (id: string, entry: ScheduledWarmUp) => {
    const { cron } = entry
    if (busy.has(id)) return log.warn({ cron }, 'a scheduled warm-up is left out: it runs still from the time before')
    busy.add(id)
    const told = (error: unknown) => {
      if (signal.aborted) return
      const why = isLarderError(error) ? { code: error.code, reason: error.message } : { err: error }
      log.error({ cron, ...why }, 'a scheduled warm-up could not begin')
    }
    queue = queue
      .then(() => run(entry))
      .catch(told)
      .finally(() => busy.delete(id))
  }

  return {
    set(entries) {
      const next = new Map<string, () => void>()
      for (const entry of entries) {
        const id = JSON.stringify(entry)
        const end = inForce.get(id) ?? onTime(entry.cron, entry.timezone, () => due(id, entry))
        next.set(id, end)
      }
      for (const [id, end] of inForce) if (!next.has(id)) end()
      inForce = next
    },
    stop() {
      for (const end of inForce.values()) end()
      inForce.clear()
      stopping.abort()
    },
  }
}
