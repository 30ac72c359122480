import type { HttpBindings } from '@hono/node-server'
import type { Context, Handler } from 'hono'
import type { Metrics } from '../metrics.js'

/** What the process says of itself: `degraded` names what is wrong although clients are served (O1). */
export interface Health {
  readonly stopping: boolean
  readonly degraded: readonly string[]
}

export interface OperationsDeps {
  readonly metrics: Metrics
  readonly health: () => Promise<Health>
  /** Brings the gauges up to date. */
  readonly measure: () => Promise<void>
}

export function createOperations({ metrics, health, measure }: OperationsDeps) {
  const healthz: Handler = (c) => c.json({ status: 'ok' })

  const readyz: Handler = async (c) => {
    const { stopping, degraded } = await health()
    if (stopping) return c.json({ status: 'stopping' }, 503)
    return c.json({ status: degraded.length === 0 ? 'ok' : 'degraded', degraded })
  }

  const scrape: Handler = async (c) => {
    await measure()
    return c.body(await metrics.registry.metrics(), 200, { 'Content-Type': metrics.registry.contentType })
  }

  return { healthz, readyz, metrics: scrape }
}

/** Only the path as it stands: what a client wrote with dot segments is not the route it collapses to (C10). */
export const asWritten =
  (handler: Handler): Handler =>
  (c: Context<{ Bindings: HttpBindings }>, next) => {
    const path = c.env.incoming.url?.split('?', 1)[0]
    return path === c.req.routePath ? handler(c, next) : c.body(null, 400, { 'X-Larder-Error': 'PATH_INVALID' })
  }
