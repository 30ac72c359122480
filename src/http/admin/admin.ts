import type { IncomingMessage } from 'node:http'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HTTPException } from 'hono/http-exception'
import type { Administration } from '../../administration/administration.js'
import { isLarderError, LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Attempts } from '../attempts.js'
import type { Tokens } from '../auth.js'
import { problemOf } from '../on-error.js'
import { archiveRoutes } from './archive-routes.js'
import { artifactRoutes } from './artifact-routes.js'
import { type AdminEnv, createAuthentication } from './authentication.js'
import { apiDocument } from './document.js'
import { explainRoute } from './explain-route.js'
import { documentPage, pagePolicy } from './page.js'
import { repositoryRoutes } from './repository-routes.js'
import { taskRoutes } from './task-routes.js'
import { warmRoutes } from './warm-routes.js'

export interface AdminDeps {
  readonly administration: Administration
  readonly tokens: () => Tokens
  readonly attempts: Attempts
  /** Lets a request take as long for its body as it needs. */
  readonly unhurried: (request: IncomingMessage) => void
  readonly log: Logger
  readonly version: string
}

/** Where it is mounted. */
export const adminBase = '/api/v1'

const maxBody = 64 * 1024

/** A warm-up's order names thousands of artifacts. */
const maxOrder = 4 * 1024 * 1024

/** `/api/v1`: what an operator sees and does. All but its description needs an admin token (O5). */
export function createAdmin(deps: AdminDeps): OpenAPIHono<AdminEnv> {
  const { administration, tokens, attempts, unhurried, log, version } = deps
  const app = new OpenAPIHono<AdminEnv>({
    defaultHook: (result) => {
      if (!result.success) throw new LarderError('REQUEST_INVALID', wording(result.error.issues))
    },
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  app.use(hardened, asWritten)
  const description = () => apiDocument(app, version)
  app.get('/openapi.json', (c) => c.json(description()))
  app.get('/', (c) => c.html(documentPage(description()), 200, { 'Content-Security-Policy': pagePolicy }))
  app.use(createAuthentication(tokens, attempts, log), audited(log))
  const [order, other] = [limited(maxOrder), limited(maxBody)]
  app.use((c, next) => {
    // An archive is bounded by the room there is for it.
    if (c.req.path === `${adminBase}/import`) return next()
    return (c.req.path === `${adminBase}/warm` ? order : other)(c, next)
  })
  repositoryRoutes(app, administration)
  artifactRoutes(app, administration)
  explainRoute(app, administration)
  archiveRoutes(app, { administration, unhurried, log })
  taskRoutes(app, administration)
  warmRoutes(app, administration)
  app.all('*', (c) => {
    throw new LarderError(
      'ROUTE_UNKNOWN',
      `there is no ${c.req.method} ${c.req.path}; ${adminBase}/ lists what there is`,
    )
  })
  app.onError((error, c) => refuse(error, c, log))
  return app
}

/** Nothing of it is kept, framed, or acted upon by a browser. */
const hardened: MiddlewareHandler<AdminEnv> = async (c, next) => {
  await next()
  c.header('Cache-Control', 'no-store')
  c.header('X-Content-Type-Options', 'nosniff')
  if (!c.res.headers.has('Content-Security-Policy')) {
    c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'")
  }
}

/** A front may admit clients by the path as it stands: what it collapses to must not be another route (C10). */
const asWritten: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const written = c.env?.incoming?.url?.split('?', 1)[0]
  if (written !== undefined && written !== c.req.path) {
    throw new LarderError('PATH_INVALID', 'the path of the request is not written in its plain form')
  }
  await next()
}

const limited = (maxSize: number) =>
  bodyLimit({
    maxSize,
    onError() {
      throw new LarderError('REQUEST_TOO_LARGE', `the body has more than ${maxSize} bytes`)
    },
  })

/** One line for each change asked for: who, what, and how it went. */
const audited =
  (log: Logger): MiddlewareHandler<AdminEnv> =>
  async (c, next) => {
    await next()
    if (c.req.method === 'GET' || c.req.method === 'HEAD') return
    const { client, token, subject, code } = c.var
    const action = `${c.req.method} ${c.req.path.slice(adminBase.length)}`
    log.info({ audit: true, client, token, action, ...subject, status: c.res.status, code }, 'change by an operator')
  }

/** RFC 9457. */
function refuse(error: unknown, c: Context<AdminEnv>, log: Logger): Response {
  const fault = asFault(error)
  if (fault.code === 'INTERNAL') log.error({ err: error }, 'an API request failed unforeseen')
  c.set('code', fault.code)
  const problem = problemOf(fault)
  const { status } = problem
  return c.body(JSON.stringify(problem), status as 500, {
    'Content-Type': 'application/problem+json',
    'X-Larder-Error': fault.code,
    ...(status === 401 && { 'WWW-Authenticate': 'Bearer realm="larder"' }),
    ...(fault.retryAfter !== undefined && { 'Retry-After': String(Math.ceil(fault.retryAfter)) }),
  })
}

function asFault(error: unknown): LarderError {
  if (isLarderError(error)) return error
  if (error instanceof HTTPException && error.status === 415) {
    return new LarderError('REQUEST_INVALID', 'expected a body of Content-Type: application/json')
  }
  if (error instanceof HTTPException && error.status < 500) return new LarderError('REQUEST_INVALID', error.message)
  return new LarderError('INTERNAL', 'an unforeseen fault', { cause: error })
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

const wording = (issues: readonly Issue[]) =>
  issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ')
