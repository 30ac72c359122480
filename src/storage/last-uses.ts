import type { Logger } from '../log.js'
import type { RecordStore } from './record-store.js'

/** When artifacts were last used: noted in memory, written together, so that a hit costs no write (K6). */
export interface LastUses {
  /** `time` in ms since the epoch. */
  note(key: string, time: number): void
  /** ms since the epoch; of what was never used, when it was stored; `undefined` for what is not stored. */
  of(key: string): number | undefined
  /** Writes what was noted so far. What can't be written is lost: only the order of eviction suffers. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** ms; what a crash costs of it. */
const flushEvery = 5000

/** Keys noted between two writes; more are not. */
const maxNoted = 200_000

export function createLastUses(records: RecordStore, log: Logger): LastUses {
  let noted = new Map<string, number>()
  let writing: ReadonlyMap<string, number> = new Map()
  let written = Promise.resolve()

  const write = async () => {
    if (noted.size === 0) return
    writing = noted
    noted = new Map()
    try {
      await records.use(writing)
    } catch (error) {
      log.warn({ err: error, keys: writing.size }, 'cannot write down what was used')
    } finally {
      writing = new Map()
    }
  }

  const flush = () => {
    written = written.then(write)
    return written
  }
  const timer = setInterval(() => void flush(), flushEvery).unref()

  return {
    note(key, time) {
      if (noted.size < maxNoted || noted.has(key)) noted.set(key, time)
    },
    of(key) {
      const stored = records.lastUse(key)
      return stored === undefined ? undefined : Math.max(stored, writing.get(key) ?? 0, noted.get(key) ?? 0)
    },
    flush,
    close() {
      clearInterval(timer)
      return flush()
    },
  }
}
