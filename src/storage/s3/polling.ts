import type { Logger } from '../../log.js'

export interface Polling {
  /** One look, after the one under way, if any; rejects where it fails. */
  look(): Promise<void>
  close(): Promise<void>
}

/** Does the work every so many ms, once at a time; that it fails is for the bucket's health to tell. */
export function poll(work: () => Promise<void>, every: number, log: Logger): Polling {
  let last: Promise<unknown> = Promise.resolve()
  const look = () => {
    const looking = last.then(work)
    last = looking.catch((error) => log.debug({ err: error }, 'cannot hear of the other replicas'))
    return looking
  }
  const timer = setInterval(() => void look().catch(() => {}), every).unref()
  return {
    look,
    async close() {
      clearInterval(timer)
      await last
    },
  }
}
