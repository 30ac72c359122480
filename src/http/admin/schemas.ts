import { z } from '@hono/zod-openapi'

/* The API's inputs, checked strictly, and its answers, for the document. `administration/views.ts` has the same as types. */

const longestPath = 8 * 1024

const repository = z.string().min(1).max(253).openapi({ description: 'Name or alias.', example: 'lang-jvm' })
const path = z.string().max(longestPath).openapi({
  description: 'As in the URL behind the repository, query included; a leading slash is taken off.',
  example: 'jdk/heroku-22/openjdk17.tar.gz',
})
const prefix = z.string().max(longestPath).openapi({ description: 'What paths begin with.', example: 'jdk/heroku-22/' })
const glob = z
  .string()
  .max(1024)
  .openapi({ description: 'Over the path without its query.', example: 'jdk/**/*.tar.gz' })
const moment = z.iso.datetime()

/** One of `path`, `prefix`, `glob`, `all`; that it is one, the administration checks. */
const designation = {
  repository,
  path: path.optional(),
  prefix: prefix.optional(),
  glob: glob.optional(),
}

export const listingQuery = z.strictObject({
  repository,
  prefix: prefix.optional(),
  glob: glob.optional(),
  after: z.string().max(longestPath).optional().openapi({ description: '`next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100).openapi({ description: 'Artifacts a page.' }),
})

export const pathQuery = z.strictObject({ path })

export const purgeBody = z
  .strictObject({
    ...designation,
    all: z.literal(true).optional().openapi({ description: 'The whole repository.' }),
    soft: z.boolean().default(false).openapi({
      description:
        'Keep what is stored, but validate it before its next use; it still steps in while the remote is down.',
    }),
  })
  .openapi('Purge')

export const pinBody = z
  .strictObject({ ...designation, all: z.literal(true).optional() })
  .openapi('Pin', { description: 'Exactly one of `path`, `prefix`, `glob` and `all`.' })

export const unpinQuery = z.strictObject({ ...designation, all: z.stringbool().optional() })

export const taskBody = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('verify'),
      rate: z.number().int().min(1).optional().openapi({ description: 'Bytes a second to read, at most.' }),
    }),
    z.strictObject({ kind: z.literal('gc') }),
  ])
  .openapi('TaskOrder', { description: '`verify` reads every body again; `gc` removes what nothing refers to.' })

export const nameParameter = z.strictObject({ name: repository })
export const repositoryParameter = z.strictObject({ repository })
export const idParameter = z.strictObject({ id: z.string().max(64) })

export const remoteState = z.object({
  url: z.string(),
  breaker: z.enum(['closed', 'half-open', 'open']),
  retryAt: moment.nullable(),
})

export const repositoryState = z
  .object({
    name: z.string(),
    aliases: z.array(z.string()).readonly(),
    type: z.enum(['proxy', 'hosted', 'group']),
    profile: z.enum(['artifact', 'rfc9111']),
    remotes: z.array(remoteState).readonly().openapi({ description: 'Of a proxy.' }),
    members: z.array(z.string()).readonly().openapi({ description: 'Of a group: whom it asks, in this order.' }),
    blocked: z.boolean(),
    records: z.number(),
    bytes: z.number(),
    maxSize: z.number().nullable(),
  })
  .openapi('Repository')

export const repositoryList = z.object({ repositories: z.array(repositoryState).readonly() })

const summaryFields = {
  repository: z.string(),
  path: z.string(),
  bytes: z.number().openapi({ description: 'Of all variants.' }),
  variants: z.number(),
  storedAt: moment,
  lastAccess: moment.nullable(),
  pinned: z.boolean(),
}

export const artifactPage = z
  .object({
    artifacts: z.array(z.object(summaryFields).openapi('ArtifactSummary')).readonly(),
    next: z.string().nullable().openapi({ description: 'To be given as `after`; null on the last page.' }),
  })
  .openapi('ArtifactPage')

export const variantFields = {
  status: z.number(),
  size: z.number(),
  sha256: z.string(),
  contentType: z.string().nullable(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  validatedAt: moment,
  age: z.number().openapi({ description: 'Seconds.' }),
  ttl: z.number().nullable().openapi({ description: 'Seconds it stays fresh, negative once stale, null for ever.' }),
  fresh: z.boolean().openapi({ description: 'Whether it would be served without asking the remote.' }),
  selecting: z.record(z.string(), z.string().nullable()).readonly(),
}

export const artifactState = z
  .object({
    ...summaryFields,
    remote: z.string().openapi({ description: 'The remote it came from; `upload` for what was uploaded.' }),
    current: z.boolean().openapi({ description: "Whether that remote is one of the repository's still." }),
    details: z.array(z.object(variantFields)).readonly().openapi({ description: 'One for each variant.' }),
  })
  .openapi('Artifact')

export const removed = z.object({ records: z.number(), bytes: z.number() }).openapi('Removed')

export const pinList = z.object({
  pins: z
    .array(
      z.object({
        repository: z.string(),
        by: z.enum(['path', 'prefix', 'glob', 'all']),
        pattern: z.string(),
      }),
    )
    .readonly(),
})

export const unpinned = z.object({ unpinned: z.boolean().openapi({ description: 'Whether it had been pinned.' }) })

export const task = z
  .object({
    id: z.string(),
    kind: z.string(),
    state: z.enum(['running', 'done', 'failed', 'cancelled']),
    startedAt: moment,
    endedAt: moment.nullable(),
    progress: z.record(z.string(), z.number()).readonly(),
    findings: z
      .array(
        z.object({
          repository: z.string(),
          path: z.string(),
          sha256: z.string().nullable(),
          reason: z.string(),
        }),
      )
      .readonly(),
    error: z.string().nullable(),
  })
  .openapi('Task')

export const taskList = z.object({ tasks: z.array(task).readonly() })

export const statistics = z
  .object({
    replicas: z.number().openapi({ description: 'How many counted: this one, and those that told it in time.' }),
    since: moment.openapi({ description: 'When the first of them started.' }),
    repositories: z
      .array(
        z.object({
          repository: z.string(),
          requests: z.number(),
          outcomes: z.record(z.string(), z.number()).readonly(),
          hitRate: z.number().nullable().openapi({ description: '0 to 1; null before the first request.' }),
          bytesSent: z.number(),
          bytesFetched: z.number(),
        }),
      )
      .readonly(),
  })
  .openapi('Statistics')

export const problem = z
  .object({ type: z.string(), title: z.string(), status: z.number(), detail: z.string(), code: z.string() })
  .openapi('Problem', { description: 'RFC 9457; `code` is one of a closed set.' })

export const exportQuery = z.strictObject({
  repository: repository.optional(),
  prefix: prefix.optional(),
  glob: glob.optional(),
})

export const importReport = z
  .object({
    imported: z.number(),
    present: z.number().openapi({ description: 'Here already, as new or newer.' }),
    skipped: z.number(),
    bytes: z.number().openapi({ description: 'Of bodies that were stored.' }),
    findings: z
      .array(z.object({ artifact: z.string(), reason: z.string() }))
      .readonly()
      .openapi({ description: 'What was skipped, and why; the first 1,000.' }),
  })
  .openapi('ImportReport')
