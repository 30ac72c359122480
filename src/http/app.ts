import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { type ArtifactsDeps, createArtifacts } from './artifacts.js'
import { asWritten, createOperations, type OperationsDeps } from './operations.js'

/** All routes. */
export function createApp(deps: ArtifactsDeps & OperationsDeps): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const operations = createOperations(deps)
  app.all('/repository/*', createArtifacts(deps))
  app.get('/healthz', asWritten(operations.healthz))
  app.get('/readyz', asWritten(operations.readyz))
  app.get('/metrics', asWritten(operations.metrics))
  app.notFound((c) => c.body(null, 404))
  app.onError((error, c) => {
    deps.log.error({ err: error }, 'a request failed unforeseen')
    return c.body(null, 500, { 'X-Larder-Error': 'INTERNAL' })
  })
  return app
}
