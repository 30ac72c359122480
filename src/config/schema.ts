import { z } from 'zod'
import { presetNames } from '../buildpacks/catalogue/presets.js'
import { publicHost, remoteUrl, repositoryName } from './names.js'
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
    publicUrl: z.exactOptional(
      remoteUrl.describe(
        'Where builds reach Larder, such as `https://larder.example.com`: what rewritten URLs begin with.',
      ),
    ),
    publicHosts: z.exactOptional(
      z
        .array(publicHost)
        .max(32)
        .describe(
          "Hosts builds reach Larder by, `host` or `host:port`: a request for one of them has URLs rewritten to that host and the request's scheme. Those of this machine always count.",
        ),
    ),
    presets: z.exactOptional(
      z
        .array(z.enum(presetNames))
        .describe(
          'Repositories that come with Larder, by preset; what `repositories` says of one of them comes first.',
        ),
    ),
    repositories: z
      .record(repositoryName, ownSettings)
      .default({})
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
