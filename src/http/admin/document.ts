import type { OpenAPIHono } from '@hono/zod-openapi'
import type { AdminEnv } from './authentication.js'

export type ApiDocument = ReturnType<OpenAPIHono<AdminEnv>['getOpenAPI31Document']>

/** OpenAPI 3.1, made of the routes themselves. */
export function apiDocument(app: OpenAPIHono<AdminEnv>, version: string): ApiDocument {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Larder administration',
      version,
      description: 'Every call needs an admin token as a bearer token. Errors are problem details (RFC 9457).',
    },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }],
    tags: ['Repositories', 'Artifacts', 'Archives', 'Tasks', 'Warm-ups'].map((name) => ({ name })),
  })
}
