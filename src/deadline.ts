/**
 * Calls `missed` after so many milliseconds, unless what is returned is called before. Timers run before arrivals are read:
 * what came in time, while this process was busy, still counts.
 */
export function deadline(milliseconds: number, missed: () => void): () => void {
  let lastLook: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    lastLook = setImmediate(missed)
  }, milliseconds)
  return () => {
    clearTimeout(timer)
    clearImmediate(lastLook)
  }
}

export class DeadlineMissed extends Error {
  override readonly name = 'DeadlineMissed'
}

/** What the work brings, or `DeadlineMissed` after so many milliseconds; the work itself goes on. */
export function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const missed = () => reject(new DeadlineMissed(`no answer within ${milliseconds} ms`))
    work.then(resolve, reject).finally(deadline(milliseconds, missed))
  })
}
