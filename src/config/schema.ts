import { z } from 'zod'
import { repositoryName } from './names.js'
import { ownSettings, sharedSettings } from './repository-settings.js'
import type { SchemaNode } from './schema-tree.js'
import { scheduleEntry } from './warm-settings.js'

/*
 * repositories.yaml. Objects are strict: a setting this version gives no life to is refused, never ignored.
 * Descriptions are the documentation: the JSON Schema for editors and docs/configuration.md are made of them.
 */

export const configuration = z
  .strictObject({
    defaults: z.exactOptional(sharedSettings.describe('Settings for every repository that does not say otherwise.')),
    repositories: z
      .record(repositoryName, ownSettings)
      .refine((all) => Object.keys(all).length > 0, { error: 'is empty, expected at least one repository' })
      .describe('The repositories by name: `/repository/<name>/<path>` is `<remote>/<path>`.'),
    schedule: z.exactOptional(
      z.array(scheduleEntry).max(100).describe('What is made ready ahead of time, and when; one after another.'),
    ),
  })
  .meta({ title: 'Larder: repositories.yaml', description: 'The repositories Larder serves.' })

/** The JSON Schema (draft 7, which every editor knows) of repositories.yaml. */
export function jsonSchema(): SchemaNode {
  return z.toJSONSchema(configuration, { io: 'input', target: 'draft-7' }) as SchemaNode
}
