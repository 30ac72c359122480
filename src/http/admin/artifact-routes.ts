import { createRoute, type OpenAPIHono } from '@hono/zod-openapi'
import type { Administration, Designation } from '../../administration/administration.js'
import { withoutQueryValues } from '../../caching/cache-key.js'
import type { AdminEnv } from './authentication.js'
import { answers, jsonBody } from './responses.js'
import * as schemas from './schemas.js'

const tags = ['Artifacts']

const list = createRoute({
  ...{ method: 'get', path: '/artifacts', tags },
  summary: 'What is stored, page by page',
  description:
    'A page may have fewer artifacts than asked for, or none, and still a next one: go on until `next` is null.',
  request: { query: schemas.listingQuery },
  responses: answers('A page, in the order of the paths, segment by segment.', schemas.artifactPage),
})

const stat = createRoute({
  ...{ method: 'get', path: '/artifacts/{repository}', tags },
  summary: 'One artifact: its variants, digests, sizes, times, and whether it is fresh now',
  request: { params: schemas.repositoryParameter, query: schemas.pathQuery },
  responses: answers('What is stored of it.', schemas.artifactState),
})

const purge = createRoute({
  ...{ method: 'post', path: '/purge', tags },
  summary: 'Remove artifacts, or have them validated before their next use',
  description: 'Name them by exactly one of `path`, `prefix`, `glob` and `all`. Downloads under way are not stored.',
  request: { body: jsonBody(schemas.purgeBody) },
  responses: answers('What was purged.', schemas.removed),
})

const pins = createRoute({
  ...{ method: 'get', path: '/pins', tags },
  summary: 'All pins',
  responses: answers('What is never evicted.', schemas.pinList),
})

const pin = createRoute({
  ...{ method: 'post', path: '/pins', tags },
  summary: 'Keep artifacts, those to come included, from being evicted',
  request: { body: jsonBody(schemas.pinBody) },
  responses: answers('All pins there are now.', schemas.pinList),
})

const unpin = createRoute({
  ...{ method: 'delete', path: '/pins', tags },
  summary: 'Take a pin back, named as it was set',
  request: { query: schemas.unpinQuery },
  responses: answers('Whether there was one.', schemas.unpinned),
})

export function artifactRoutes(app: OpenAPIHono<AdminEnv>, administration: Administration): void {
  app.openapi(list, async (c) => c.json(await administration.list(c.req.valid('query')), 200))
  app.openapi(stat, async (c) =>
    c.json(await administration.artifact(c.req.valid('param').repository, c.req.valid('query').path), 200),
  )
  app.openapi(purge, async (c) => {
    const { soft, ...designation } = c.req.valid('json')
    c.set('subject', { ...forLog(designation), soft })
    return c.json(await administration.purge(designation, soft), 200)
  })
  app.openapi(pins, (c) => c.json({ pins: administration.pins() }, 200))
  app.openapi(pin, async (c) => {
    const designation = c.req.valid('json')
    c.set('subject', forLog(designation))
    await administration.pin(designation)
    return c.json({ pins: administration.pins() }, 200)
  })
  app.openapi(unpin, async (c) => {
    const designation = c.req.valid('query')
    c.set('subject', forLog(designation))
    return c.json({ unpinned: await administration.unpin(designation) }, 200)
  })
}

/** Values of a query may be signatures (O3). */
const forLog = ({ path, prefix, ...rest }: Designation) => ({
  ...rest,
  ...(path !== undefined && { path: withoutQueryValues(path) }),
  ...(prefix !== undefined && { prefix: withoutQueryValues(prefix) }),
})
