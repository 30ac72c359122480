import type { IncomingMessage } from 'node:http'
import type { Reset } from './reset.js'

/** Ends requests whose bodies take too long to come; Node's own deadline knows no exception. */
export interface BodyDeadline {
  watch(request: IncomingMessage): void
  /** From now on it may take as long as it needs. */
  lift(request: IncomingMessage): void
}

/** `limit` in ms. */
export function createBodyDeadline(limit: number, reset: Reset): BodyDeadline {
  const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>()
  return {
    watch(request) {
      const { headers } = request
      if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return
      const end = () => {
        if (!request.complete) reset(request.socket)
      }
      timers.set(request, setTimeout(end, limit).unref())
      request.once('close', () => clearTimeout(timers.get(request)))
    },
    lift: (request) => clearTimeout(timers.get(request)),
  }
}
