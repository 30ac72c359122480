import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Administration } from '../../administration/administration.js'
import type { AdminEnv } from './authentication.js'
import { answers } from './responses.js'
import { remoteState, variantFields } from './schemas.js'

const actions = [
  ...(['not-routed', 'hit', 'stale', 'stale-while-revalidate', 'spared', 'absent', 'unavailable'] as const),
  ...(['bypass', 'join', 'validate', 'fetch'] as const),
] as const

const moment = z.iso.datetime()

const outcome = {
  action: z.enum(actions),
  cacheStatus: z.string().openapi({ description: "Without what the remote's answer adds." }),
  error: z.string().nullable(),
  sentence: z.string(),
}

const explanation = z
  .object({
    repository: z.string(),
    type: z.enum(['proxy', 'hosted', 'group']),
    foundBy: z.enum(['name', 'alias', 'remote']),
    path: z.string().openapi({ description: 'Path and query as they are keyed and sent to the remote.' }),
    key: z.string(),
    query: z.object({ policy: z.string(), asked: z.string().nullable(), keyed: z.string().nullable() }),
    routing: z.object({ routed: z.boolean(), rule: z.string().nullable() }),
    freshness: z.object({
      by: z.enum(['rule', 'remote', 'remote-or-default']),
      match: z.string().nullable(),
      maxAge: z.number().nullable().openapi({ description: 'Seconds; null for ever, or where the remote says it.' }),
      force: z.boolean(),
    }),
    checksum: z
      .object({
        match: z.string(),
        required: z.boolean(),
        sha256: z.string().nullable(),
        list: z.string().nullable().openapi({ description: 'Path of the file that has the digest.' }),
      })
      .nullable(),
    rewrite: z
      .object({ match: z.string(), members: z.array(z.string()).readonly() })
      .nullable()
      .openapi({ description: 'Its URLs are rewritten for clients; members: globs over those of an archive.' }),
    remotes: z.array(remoteState).readonly(),
    remoteUrls: z.array(z.string()).readonly().openapi({ description: 'Where it would be asked for, in order.' }),
    blocked: z.boolean(),
    stored: z
      .array(
        z.object({
          ...variantFields,
          storedFrom: z.string().openapi({ description: 'The remote it came from.' }),
          freshUntil: moment.nullable().openapi({ description: 'In the past once stale; null for ever.' }),
          why: z.string(),
        }),
      )
      .readonly(),
    pinned: z.boolean(),
    lastAccess: moment.nullable(),
    remembered: z
      .object({
        kind: z.enum(['negative', 'uncacheable', 'trouble']),
        status: z.number().nullable(),
        seconds: z.number().openapi({ description: 'Until it is forgotten.' }),
      })
      .nullable()
      .openapi({ description: "What is remembered of the remote's last word." }),
    next: z.object(outcome),
    members: z
      .array(z.object({ repository: z.string(), ...outcome }))
      .readonly()
      .openapi({ description: 'Of a group: what a GET of each member would come to, in the order they are asked.' }),
  })
  .openapi('Explanation')

const explain = createRoute({
  ...{ method: 'get', path: '/explain', tags: ['Artifacts'] },
  summary: 'Why an artifact is served as it is, and what a GET of it would come to now',
  description: 'Nothing is asked of the remote.',
  request: {
    query: z.strictObject({
      artifact: z
        .string()
        .min(1)
        .max(8 * 1024)
        .openapi({
          description: '`<repository>/<path>`, its URL here, or its URL at the remote.',
          example: 'https://lang-jvm.s3.amazonaws.com/jdk/heroku-22/openjdk17.tar.gz',
        }),
    }),
  },
  responses: answers('All that is known of it.', explanation),
})

export function explainRoute(app: OpenAPIHono<AdminEnv>, administration: Administration): void {
  app.openapi(explain, async (c) => c.json(await administration.explain(c.req.valid('query').artifact), 200))
}
