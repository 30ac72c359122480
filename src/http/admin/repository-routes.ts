import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import type { Administration } from '../../administration/administration.js'
import type { AdminEnv } from './authentication.js'
import { answers } from './responses.js'
import { nameParameter, repositoryList, repositoryState, statistics } from './schemas.js'

const tags = ['Repositories']

const list = createRoute({
  ...{ method: 'get', path: '/repositories', tags },
  summary: 'All repositories: their remotes and breakers, and what of them is stored',
  responses: answers('Every configured repository.', repositoryList),
})

const stats = createRoute({
  ...{ method: 'get', path: '/stats', tags },
  summary: 'Requests by outcome, hit rates and bytes since the start, of all replicas that share a Redis',
  responses: answers('By repository.', statistics),
})

const change = <P extends string>(path: P, summary: string) =>
  createRoute({
    ...{ method: 'post', path, tags, summary },
    request: { params: nameParameter },
    responses: answers('The repository as it is now.', repositoryState),
  })

const block = change('/repositories/{name}/block', 'Ask its remotes nothing, until a reload or restart')
const unblock = change('/repositories/{name}/unblock', 'Ask its remotes again, until a reload or restart')
const reset = change('/repositories/{name}/breaker/reset', 'Close the breakers of its remotes')

export function repositoryRoutes(app: OpenAPIHono<AdminEnv>, administration: Administration): void {
  app.openapi(list, (c) => c.json({ repositories: administration.repositories() }, 200))
  app.openapi(stats, async (c) => c.json(await administration.statistics(), 200))
  app.openapi(block, (c) => c.json(administration.block(c.req.valid('param').name, true), 200))
  app.openapi(unblock, (c) => c.json(administration.block(c.req.valid('param').name, false), 200))
  app.openapi(reset, (c) => c.json(administration.resetBreaker(c.req.valid('param').name), 200))
}
