import type { Repository } from '../caching/repository.js'
import type { ScheduledWarmUp } from '../warming/order.js'
import { crossIssues } from './cross-checks.js'
import { buildRepositories } from './repositories.js'
import { configuration, jsonSchema } from './schema.js'
import { type Form, readConfigText, validate } from './validate.js'

export interface Config {
  readonly repositories: readonly Repository[]
  readonly schedule: readonly ScheduledWarmUp[]
}

const form = {
  schema: configuration,
  jsonSchema,
  wanted: 'a map with repositories:',
  crossIssues,
} satisfies Form<unknown>

/** Reads and validates `file`; throws `ConfigError` with every fault found, up to 500. */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv): Promise<Config> {
  return parseConfig(readConfigText(file), file, env)
}

/** `text` is the content of `file`, at whose directory relative paths begin. Throws `ConfigError`, as above. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv): Config {
  const { repositories, defaults = {}, schedule = [] } = validate(text, file, env, form)
  return Object.freeze({ repositories: buildRepositories(repositories, defaults), schedule: Object.freeze(schedule) })
}
