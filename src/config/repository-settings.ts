import { z } from 'zod'
import { compileGlob } from '../caching/glob.js'
import type { ChecksumRule, Glob, RewriteRule } from '../caching/repository.js'
import { alias, fieldName, forwardedField, glob, listPath, redirectTarget, repositoryName, sha256 } from './names.js'
import { idleTime, lifetime, seconds, sizeCap, timer, whole } from './quantities.js'
import { ownAccess, remote, sharedAccess } from './remote-settings.js'
import { wrong } from './wording.js'

type AllOptional<S extends z.core.$ZodShape> = { [K in keyof S]: z.ZodExactOptional<S[K]> }

function allOptional<S extends z.core.$ZodShape>(shape: S): AllOptional<S> {
  const entries = Object.entries(shape).map(([key, schema]) => [key, z.exactOptional(schema)])
  return Object.fromEntries(entries) as AllOptional<S>
}

const supported = (value: string) => ({
  error: ({ input }: { input?: unknown }) =>
    typeof input === 'string' ? `is not supported by this version, expected ${value}` : wrong(input, value),
})

const freshnessRule = z
  .strictObject({
    match: glob.describe('Glob over the path without its leading slash; `**` crosses slashes.'),
    maxAge: lifetime.describe('How long a copy is fresh, or `forever`.'),
    force: z.boolean().default(false).describe('Store even what the remote marks `no-store` or `private`.'),
  })
  .transform(({ match, maxAge, force }) => ({ ...match, maxAge, force }))

const checksumRule = z
  .strictObject({
    match: glob.describe('Glob over the path without its leading slash; `**` crosses slashes.'),
    sha256: z.exactOptional(sha256.describe('The digest itself, 64 hex digits.')),
    from: z.exactOptional(
      listPath.describe(
        'File of the same repository that holds it; `{path}`, `{dir}` and `{name}` stand for parts of the path that is checked.',
      ),
    ),
    required: z.exactOptional(
      z
        .boolean()
        .describe('With `from`: whether a file whose digest cannot be found is refused (`true`, as without it).'),
    ),
  })
  .transform(({ match, sha256, from, required = true }, context): ChecksumRule => {
    if (sha256 !== undefined && from === undefined) {
      return { ...match, expected: { kind: 'literal', sha256 }, required: true }
    }
    if (from !== undefined && sha256 === undefined)
      return { ...match, expected: { kind: 'listed', in: from }, required }
    const fault = sha256 === undefined ? 'says no digest' : 'says two digests'
    context.addIssue({ code: 'custom', message: `${fault}, expected either sha256 or from` })
    return z.NEVER
  })

const anyMember = [compileGlob('**') as Glob]

const rewriteRule = z
  .strictObject({
    match: glob.describe('Glob over the path without its leading slash; `**` crosses slashes.'),
    in: z
      .exactOptional(z.array(glob).min(1, { error: 'is empty, expected globs, or no such setting for all members' }))
      .describe('Globs over the paths inside an archive: the members that are looked into; all of them without it.'),
    unwrap: z
      .exactOptional(z.boolean())
      .describe(
        'Whether the directory a tar begins with becomes `.`, as herokuish needs it of the source archives of GitHub.',
      ),
  })
  .transform(({ match, in: members = anyMember, unwrap = false }): RewriteRule => ({ ...match, in: members, unwrap }))

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
  profile: z
    .enum(['artifact', 'rfc9111'])
    .describe('`artifact`: made for immutable files. `rfc9111`: a plain shared HTTP cache.'),
  blocked: z
    .boolean()
    .describe('Out of service by hand: the remote is not asked, stored copies are served, anything else is a 503.'),
  allow: z
    .array(glob)
    .describe('Routing rules: globs of the paths that are served; all where there is none. Any other is a 404.'),
  block: z.array(glob).describe('Routing rules: globs of paths that are not served: a 404, even where `allow` fits.'),
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
  typeGuard: z
    .boolean()
    .describe('Whether an HTML or XML page is refused where the path names an archive: it is some error page.'),
  checksums: z
    .array(checksumRule)
    .describe(
      'Where the SHA-256 of a path is written down. The first rule whose glob fits decides; a body that differs is refused.',
    ),
  rewrite: z
    .array(rewriteRule)
    .describe(
      "Archives and text files that are served with the URLs of configured repositories' remotes replaced by Larder's own.",
    ),
  maxSize: sizeCap.describe(
    'Stored bytes of this repository at most: a size such as `20GiB`, or `unlimited`. The least recently used goes first.',
  ),
  unusedFor: idleTime.describe('How long an artifact nobody asks for is kept.'),
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
  breaker: {
    failures: whole(1, 1000).describe('Failed requests in a row after which the remote is left alone for a while.'),
    openFor: timer(1).describe('How long it is left alone, at first, before one request tries it again.'),
    maxOpenFor: timer(1).describe('How long at most: the time doubles with each try that fails.'),
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
  breaker: 'When a remote that keeps failing is left alone.',
  redirects: 'Where redirects may lead.',
}

/** What a repository comes to once explicit settings, `defaults` and profile are laid over one another. */
export const completeSettings = z.strictObject({
  ...single,
  negative: z.strictObject(groups.negative),
  timeout: z.strictObject(groups.timeout),
  retry: z.strictObject(groups.retry),
  breaker: z.strictObject(groups.breaker),
  redirects: z.strictObject(groups.redirects),
})

const settings = {
  ...sharedAccess,
  ...allOptional(single),
  negative: z.exactOptional(z.strictObject(allOptional(groups.negative)).describe(descriptions.negative)),
  timeout: z.exactOptional(z.strictObject(allOptional(groups.timeout)).describe(descriptions.timeout)),
  retry: z.exactOptional(z.strictObject(allOptional(groups.retry)).describe(descriptions.retry)),
  breaker: z.exactOptional(z.strictObject(allOptional(groups.breaker)).describe(descriptions.breaker)),
  redirects: z.exactOptional(z.strictObject(allOptional(groups.redirects)).describe(descriptions.redirects)),
}

/** What `defaults` may hold. */
export const sharedSettings = z.strictObject(settings)

export const ownSettings = z.strictObject({
  type: z.exactOptional(
    z
      .enum(['proxy', 'hosted', 'group'])
      .describe(
        '`proxy`: what its remote has, and so without this setting. `hosted`: what is uploaded to it. `group`: what the first of its members has.',
      ),
  ),
  remote: z.exactOptional(
    remote.describe(
      'Remote storage of a proxy: the URL the path is appended to. A list of them names mirrors of the same files, asked in this order; one with settings of its own is written as a map with `url`.',
    ),
  ),
  members: z.exactOptional(
    z
      .array(repositoryName)
      .min(1, { error: 'is empty, expected the names of repositories' })
      .describe(
        'Of a group: the names of the repositories it asks, in this order. The first that has the path serves it.',
      ),
  ),
  redeploy: z.exactOptional(
    z
      .boolean()
      .describe('Of a hosted repository: whether an upload may replace what is there; `false` without this setting.'),
  ),
  aliases: z.exactOptional(
    z.array(alias).describe('Other names of the repository: `/repository/<alias>/...` is the same as under its own.'),
  ),
  ...ownAccess,
  ...settings,
})

export type CompleteSettings = z.output<typeof completeSettings>
export type OwnSettings = z.output<typeof ownSettings>
export type SharedSettings = z.output<typeof sharedSettings>
