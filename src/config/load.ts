import type { Repository } from '../caching/repository.js'
import type { ScheduledWarmUp } from '../warming/order.js'
import { crossIssues } from './cross-checks.js'
import { withPresets } from './presets.js'
import { buildRepositories } from './repositories.js'
import { configuration, jsonSchema } from './schema.js'
import { type Form, readConfigText, validate } from './validate.js'

export interface Config {
  /** What rewritten URLs begin with, without a slash at its end; `undefined` where the request alone tells. */
  readonly publicUrl: string | undefined
  /** Hosts (`host` or `host:port`, lower case) that a request may name for that. */
  readonly publicHosts: readonly string[]
  readonly repositories: readonly Repository[]
  readonly schedule: readonly ScheduledWarmUp[]
}

const form = {
  schema: configuration,
  jsonSchema,
  wanted: 'a map with repositories: or presets:',
  prepare: withPresets,
  crossIssues,
} satisfies Form<unknown>

/** Reads and validates `file`; throws `ConfigError` with every fault found, up to 500. */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv): Promise<Config> {
  return parseConfig(readConfigText(file), file, env)
}

/** `text` is the content of `file`, at whose directory relative paths begin. Throws `ConfigError`, as above. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv): Config {
  const { repositories, defaults = {}, schedule = [], publicUrl, publicHosts = [] } = validate(text, file, env, form)
  return Object.freeze({
    ...{ publicUrl, publicHosts: Object.freeze(publicHosts) },
    repositories: buildRepositories(repositories, defaults),
    schedule: Object.freeze(schedule),
  })
}
