import { z } from 'zod'
import { compileGlob } from '../caching/glob.js'
import { isCron, isTimezone } from '../warming/cron.js'
import { defaultConcurrency, kindOf, type ScheduledWarmUp, sourceKinds } from '../warming/order.js'
import { countOf, mostItems } from '../warming/patterns.js'
import { parseLargeSize, whole } from './quantities.js'
import { wrong } from './wording.js'

/*
 * What is to be made ready ahead of time, as `schedule:`, prewarm.yaml and the API have it. What is checked stays as it was
 * written, so that a command can hand it on to the server.
 */

/** A string that is left as it is, where `fits` says it is what is wanted. */
const text = (wanted: string, fits: (text: string) => boolean) =>
  z
    .string({ error: ({ input }) => wrong(input, wanted) })
    .max(8 * 1024)
    .refine(fits, { error: ({ input }) => wrong(input, wanted) })

const isPattern = (pattern: string): boolean => !/^$|\s/.test(pattern) && countOf(pattern) <= mostItems

const item = text(`<repository>/<path> or a URL, with braces for at most ${mostItems} of them`, isPattern)

const isGlob = (match: string) => compileGlob(match) !== undefined

const version = text('a version such as 21.0.5, the beginning of one, or a glob such as 21.*', isGlob)

const word = (wanted: string) => text(wanted, (value) => /^\S+$/.test(value))

const kinds = sourceKinds.join(', ')

const sourceShape = {
  inventory: z.exactOptional(item.describe('An `inventory.json`, or an archive that holds one.')),
  shasums: z.exactOptional(item.describe('Lines of `<digest>  <name>`; the names are beside it.')),
  maven: z.exactOptional(item.describe('The directory of a Maven artifact, which holds its `maven-metadata.xml`.')),
  buildpack: z.exactOptional(item.describe('A Paketo `buildpack.toml`, or an archive that holds one.')),
  s3: z.exactOptional(item.describe('What keys of a bucket begin with: `<repository>/<prefix>`.')),
  file: z.exactOptional(word('a file name').describe('Name of the file in the archive.')),
  files: z.exactOptional(
    z
      .array(word('a file name such as {artifact}-{version}.jar'))
      .min(1)
      .describe('Files of each Maven version; `{artifact}-{version}.jar` unless told.'),
  ),
  match: z.exactOptional(text('a glob such as **/*.tar.gz', isGlob).describe('Glob over the path.')),
  version: z.exactOptional(
    z
      .union([version.transform((one) => [one]), z.array(version).min(1)], {
        error: ({ input }) => wrong(input, 'a version or a list of versions'),
      })
      .describe('Versions, each whole, by its beginning (`21`), or as a glob (`21.*`).'),
  ),
  arch: z.exactOptional(word('an architecture such as amd64').describe('Architecture, such as `amd64` or `arm64`.')),
  stack: z.exactOptional(word('a stack such as heroku-24').describe('Stack, such as `heroku-24`.')),
  latest: z.exactOptional(whole(1, 1000).describe('So many newest versions of each `version`.')),
}

type Sourced = z.output<z.ZodObject<typeof sourceShape>>

function sourceFault(source: Sourced): string | undefined {
  if (!kindOf(source)) return `names no source or several, expected one of ${kinds}`
  if (source.file !== undefined && source.inventory === undefined && source.buildpack === undefined) {
    return 'has a file, expected that only with inventory or buildpack'
  }
  return source.files !== undefined && source.maven === undefined
    ? 'has files, expected them only with maven'
    : undefined
}

/** `list` is read by the command itself. */
function listFault(source: Sourced): string | undefined {
  return Object.keys(source).length === 0 ? undefined : 'has a list, expected nothing beside it'
}

function tell(message: string | undefined, context: z.core.$RefinementCtx): void {
  if (message !== undefined) context.addIssue({ code: 'custom', message })
}

const source = z.strictObject(sourceShape).superRefine((source, context) => tell(sourceFault(source), context))

/** What may be in all forms of an order. */
export const warmShape = {
  items: z.array(item).max(mostItems).default([]).describe('Artifacts: `<repository>/<path>` or URL, braces expanded.'),
  from: z.array(source).max(1000).default([]).describe('Lists of artifacts, and which of those are meant.'),
  concurrency: whole(1, 64).default(defaultConcurrency).describe('Downloads at a time.'),
}

/** Bytes a second. */
const rate = z.exactOptional(
  text('a size a second of at least 1MiB, such as 20MiB', (size) => parseLargeSize(size) !== undefined)
    .transform((size) => parseLargeSize(size) ?? 0)
    .describe('Bytes a second, of all downloads together, such as `20MiB`; one a client waits for is not slowed.'),
)

export const scheduleEntry = z
  .strictObject({
    cron: text('a cron expression such as 0 4 * * *', isCron).describe('When: minute, hour, day, month, weekday.'),
    timezone: z.exactOptional(
      text('a time zone such as Europe/Berlin', isTimezone).describe("Time zone; the process's own unless told."),
    ),
    ...warmShape,
    rate,
  })
  .superRefine(({ items, from }, context) =>
    tell(items.length + from.length === 0 ? 'names no artifacts, expected items or from' : undefined, context),
  )
  .transform(({ cron, timezone, ...order }): ScheduledWarmUp => ({ cron, timezone, order }))

const listedSource = z
  .strictObject({
    list: z.exactOptional(word('the path of a file').describe('File with an item a line, beside this one.')),
    ...sourceShape,
  })
  .superRefine(({ list, ...source }, context) =>
    tell(list === undefined ? sourceFault(source) : listFault(source), context),
  )

/** prewarm.yaml. */
export const prewarm = z
  .strictObject({
    ...warmShape,
    from: z
      .array(listedSource)
      .default([])
      .describe(warmShape.from.description ?? ''),
    rate,
  })
  .meta({ title: 'Larder: prewarm.yaml', description: 'What is to be made ready ahead of time.' })
