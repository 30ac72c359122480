import { z } from 'zod'
import { alias, fieldName, forwardedField, glob, redirectTarget, remoteUrl, repositoryName } from './names.js'
import { lifetime, seconds, timer } from './quantities.js'
import { wrong } from './wording.js'

/*
 * repositories.yaml. Objects are strict: a setting this version gives no life to is refused, never ignored.
 * Descriptions are the documentation: the JSON Schema for editors and docs/configuration.md are made of them.
 */

type AllOptional<S extends z.core.$ZodShape> = { [K in keyof S]: z.ZodExactOptional<S[K]> }

function allOptional<S extends z.core.$ZodShape>(shape: S): AllOptional<S> {
  const entries = Object.entries(shape).map(([key, schema]) => [key, z.exactOptional(schema)])
  return Object.fromEntries(entries) as AllOptional<S>
}

const supported = (value: string) => ({
  error: ({ input }: { input?: unknown }) =>
    typeof input === 'string' ? `is not supported by this version, expected ${value}` : wrong(input, value),
})

const whole = (least: number, most: number) => {
  const wanted = `a whole number from ${least} to ${most}`
  const error = ({ input }: { input?: unknown }) =>
    typeof input === 'number' ? `is out of bounds, expected ${wanted}` : wrong(input, wanted)
  return z.int({ error }).min(least, { error }).max(most, { error })
}

const freshnessRule = z
  .strictObject({
    match: glob.describe('Glob over the path without its leading slash; `**` crosses slashes.'),
    maxAge: lifetime.describe('How long a copy is fresh, or `forever`.'),
    force: z.boolean().default(false).describe('Store even what the remote marks `no-store` or `private`.'),
  })
  .transform(({ match, maxAge, force }) => ({ ...match, maxAge, force }))

const queryWanted = 'forward, ignore or { drop: [names] }'

const query = z.union(
  [
    z.enum(['forward', 'ignore']),
    z.strictObject({
      drop: z
        .array(z.string().min(1, { error: 'is empty, expected the name of a parameter' }))
        .min(1, { error: 'is empty, expected the names of the parameters to drop' })
        .describe('Parameters taken out, by their names as URLs have them.'),
    }),
  ],
  { error: ({ input }) => wrong(input, queryWanted) },
)

const forwardRequestHeaders = z.union([z.literal('all'), z.array(forwardedField)], {
  error: ({ input }) => wrong(input, 'all or a list of header field names'),
})

const single = {
  format: z.literal('raw', supported('raw')).describe('Kind of registry; only `raw` so far.'),
  type: z.literal('proxy', supported('proxy')).describe('Kind of repository; only `proxy` so far.'),
  profile: z
    .enum(['artifact', 'rfc9111'])
    .describe('`artifact`: made for immutable files. `rfc9111`: a plain shared HTTP cache.'),
  query: query.describe(
    'The query string: `forward` sends it and makes it part of the key, `ignore` cuts it off, `{ drop: [names] }` takes the named parameters out.',
  ),
  freshness: z
    .array(freshnessRule)
    .describe('Lifetimes by path. The first rule whose glob fits decides, over whatever the remote says.'),
  maxAge: lifetime.describe('Lifetime of what neither a rule nor the remote gives one.'),
  targetedFields: z
    .array(fieldName)
    .describe(
      'RFC 9213 fields, such as `CDN-Cache-Control`, that come before `Cache-Control`; the first one present counts.',
    ),
  forwardRequestHeaders: forwardRequestHeaders.describe(
    "The client's request headers the remote gets to see: a list of names, or `all` end-to-end ones.",
  ),
  clientCacheControl: z
    .enum(['ignore', 'honour'])
    .describe("Whether a client's `Cache-Control` and `Pragma` may make Larder ask the remote again."),
  staleWhileRevalidate: seconds.describe(
    'How long past its lifetime a copy is still answered at once while it is validated behind.',
  ),
  maxStale: lifetime.describe('How long past its lifetime a copy is served while the remote is in trouble.'),
  keepOnUpstreamMissing: z
    .boolean()
    .describe('Whether a stored copy stays in service when the remote answers 401, 403, 404, 410 or 429.'),
  maxRedirects: whole(0, 20).describe('Redirects of the remote followed for one request.'),
}

const groups = {
  negative: {
    ttl: seconds.describe('How long a 404 or 410 of the remote is remembered.'),
    forbiddenTtl: seconds.describe('How long a 403 of the remote is remembered (S3 answers 403 for a missing key).'),
  },
  timeout: {
    connect: timer(1).describe('For a connection to the remote to stand, name lookup and TLS included.'),
    headers: timer(1).describe("For the head of the remote's answer to arrive."),
    stall: timer(1).describe('For the next bytes of a body to arrive.'),
  },
  retry: {
    attempts: whole(1, 20).describe('Requests to the remote before an answer is given up, the first included.'),
    budget: timer(0).describe('Time within which a retry may still begin.'),
    resumes: whole(0, 100).describe('How often one cut body is taken up again.'),
  },
  redirects: {
    allow: z
      .array(redirectTarget)
      .describe('Hosts, `host:port` or CIDR ranges a redirect may lead to although they are not public.'),
  },
}

const descriptions = {
  negative: 'Memory of what the remote does not have.',
  timeout: 'How long the remote may take.',
  retry: 'What is done about transient trouble of the remote.',
  redirects: 'Where redirects may lead.',
}

/** What a repository comes to once explicit settings, `defaults` and profile are laid over one another. */
export const completeSettings = z.strictObject({
  ...single,
  negative: z.strictObject(groups.negative),
  timeout: z.strictObject(groups.timeout),
  retry: z.strictObject(groups.retry),
  redirects: z.strictObject(groups.redirects),
})

const settings = {
  ...allOptional(single),
  negative: z.exactOptional(z.strictObject(allOptional(groups.negative)).describe(descriptions.negative)),
  timeout: z.exactOptional(z.strictObject(allOptional(groups.timeout)).describe(descriptions.timeout)),
  retry: z.exactOptional(z.strictObject(allOptional(groups.retry)).describe(descriptions.retry)),
  redirects: z.exactOptional(z.strictObject(allOptional(groups.redirects)).describe(descriptions.redirects)),
}

const remotes = z
  .array(remoteUrl)
  .min(1, { error: 'is an empty list, expected one URL' })
  .max(1, { error: 'lists several URLs, expected one: mirrors are not supported by this version' })

const remote = z.union([remoteUrl, remotes], {
  error: ({ input }) => wrong(input, 'an http or https URL, or a list of one'),
})

const repository = z.strictObject({
  remote: remote
    .transform((urls): readonly [string] => (typeof urls === 'string' ? [urls] : [urls[0] as string]))
    .describe('Remote storage: the URL the path is appended to. One URL, as a string or a list of one.'),
  aliases: z.exactOptional(
    z.array(alias).describe('Other names of the repository: `/repository/<alias>/...` is the same as under its own.'),
  ),
  ...settings,
})

export const configuration = z
  .strictObject({
    defaults: z.exactOptional(
      z.strictObject(settings).describe('Settings for every repository that does not say otherwise.'),
    ),
    repositories: z
      .record(repositoryName, repository)
      .refine((all) => Object.keys(all).length > 0, { error: 'is empty, expected at least one repository' })
      .describe('The repositories by name: `/repository/<name>/<path>` is `<remote>/<path>`.'),
  })
  .meta({ title: 'Larder: repositories.yaml', description: 'The repositories Larder serves.' })

export type CompleteSettings = z.output<typeof completeSettings>
export type OwnSettings = z.output<typeof repository>
export type SharedSettings = NonNullable<z.output<typeof configuration>['defaults']>

/** The JSON Schema (draft 7, which every editor knows) of repositories.yaml. */
export function jsonSchema(): object {
  return z.toJSONSchema(configuration, { io: 'input', target: 'draft-7' })
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: SchemaNode | false
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
}

/** The settings there are in the map at `path`. */
export function knownSettings(path: readonly PropertyKey[]): readonly string[] {
  let node: SchemaNode | undefined = jsonSchema()
  for (const step of path) {
    const map = mapOf(node)
    node = map?.properties?.[String(step)] ?? (map?.additionalProperties || undefined) ?? map?.items
  }
  return Object.keys(mapOf(node)?.properties ?? {})
}

const mapOf = (node: SchemaNode | undefined) => node?.anyOf?.find(({ properties }) => properties !== undefined) ?? node
