import { setTimeout as sleep } from 'node:timers/promises'
import type { SharedCache } from '../storage/shared-cache.js'

/** Does `work` while no other replica does what has the same name; each has its turn. Throws the signal's reason if aborted. */
export type InTurn = (name: string, signal: AbortSignal, work: () => Promise<void>) => Promise<void>

/** Milliseconds a turn outlives the replica that has it. */
const term = 30_000

/** Between two looks whether a turn has come, and between two renewals. */
const glance = 5_000

/** Without a shared cache, or while it is silent, it is always our turn. */
export function createTurns(shared: Pick<SharedCache, 'lease' | 'yield'> | undefined, owner: string): InTurn {
  return async (name, signal, work) => {
    if (!shared) return work()
    const take = () => shared.lease(name, owner, term)
    while ((await take())?.mine === false) await sleep(glance, undefined, { signal, ref: false })
    const renewal = setInterval(() => void take(), glance).unref()
    try {
      await work()
    } finally {
      clearInterval(renewal)
      await shared.yield(name, owner)
    }
  }
}
