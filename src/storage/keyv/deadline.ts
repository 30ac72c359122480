export class DeadlineMissed extends Error {
  override readonly name = 'DeadlineMissed'
}

/** What the work brings, or `DeadlineMissed` after so many milliseconds; the work itself goes on. */
export function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineMissed(`no answer within ${milliseconds} ms`)), milliseconds)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
