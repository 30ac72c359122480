import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves when so many more bytes are welcome; at once when `hurry` aborts. */
export type Pace = (bytes: number, hurry?: AbortSignal) => Promise<void>

/** A token bucket: whoever shares it takes `rate` bytes a second together. */
export function createPace(rate: number): Pace {
  /** When all that was taken so far is paid for (ms, monotonic). */
  let paid = 0
  return async (bytes, hurry) => {
    const now = performance.now()
    paid = Math.max(now, paid) + (bytes / rate) * 1000
    await sleep(paid - now, undefined, { ref: false, ...(hurry && { signal: hurry }) }).catch(() => {})
  }
}

export interface Hurriable {
  readonly pace: Pace | undefined
  /** Aborts when it goes at full speed. */
  readonly hurried: AbortSignal
  /** From now on at full speed. */
  hurry(): void
}

/** A pace that whoever it holds back can be freed from, for good; the end of all (`ending`) frees him, too. */
export function hurriable(pace: Pace | undefined, ending: AbortSignal): Hurriable {
  if (!pace) return { pace, hurried: always, hurry() {} }
  const hurrying = new AbortController()
  const hurried = hurrying.signal
  const free = AbortSignal.any([hurried, ending])
  return {
    pace: async (bytes) => {
      if (!free.aborted) await pace(bytes, free)
    },
    hurried,
    hurry: () => hurrying.abort(),
  }
}

const always = AbortSignal.abort()
