import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { Logger } from '../log.js'
import { type AdminDeps, adminBase, createAdmin } from './admin/admin.js'
import type { Artifacts } from './artifacts.js'
import { asWritten, createOperations, type OperationsDeps } from './operations.js'

export interface AppDeps extends OperationsDeps {
  readonly admin: AdminDeps
  readonly artifacts: Artifacts
  readonly log: Logger
}

/** All routes but that of peers, who have a listener of their own. */
export function createApp(deps: AppDeps): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const operations = createOperations(deps)
  app.all('/repository/*', ({ env }) => {
    deps.artifacts(env.incoming, env.outgoing)
    return RESPONSE_ALREADY_SENT
  })
  app.get('/healthz', asWritten(operations.healthz))
  app.get('/readyz', asWritten(operations.readyz))
  app.get('/metrics', asWritten(operations.metrics))
  app.get(adminBase, (c) => c.redirect(`${adminBase}/`))
  app.route(`${adminBase}/`, createAdmin(deps.admin))
  app.notFound((c) => c.body(null, 404))
  app.onError((error, c) => {
    deps.log.error({ err: error }, 'a request failed unforeseen')
    return c.body(null, 500, { 'X-Larder-Error': 'INTERNAL' })
  })
  return app
}
