import { z } from '@hono/zod-openapi'
import { warmShape } from '../../config/warm-settings.js'
import { task } from './schemas.js'

/* Warm-ups: the API's input and its answers. `administration/warm-views.ts` has the answers as types. */

export const warmBody = z
  .strictObject({
    ...warmShape,
    rate: z
      .number()
      .int()
      .min(1024)
      .optional()
      .openapi({ description: 'Bytes a second, of all downloads together; one a client waits for is not slowed.' }),
    dryRun: z.boolean().default(false).openapi({ description: 'List what would be asked for, and ask for nothing.' }),
  })
  .openapi('WarmOrder', { description: 'As prewarm.yaml has it. Of `items` and `from` there is at least one.' })

const warmItem = z
  .object({
    item: z.string().openapi({ description: '`<repository>/<path>`, or what was written in its place.' }),
    state: z.enum(['ready', 'failed', 'listed']),
    how: z.enum(['present', 'validated', 'fetched', 'stale']).nullable(),
    bytes: z.number().nullable(),
    reason: z.string().nullable().openapi({ description: 'A code, where it failed.' }),
    detail: z.string().nullable(),
  })
  .openapi('WarmItem')

export const warmReport = z
  .object({
    task,
    filling: z
      .array(z.object({ item: z.string(), received: z.number(), size: z.number().nullable() }))
      .readonly()
      .openapi({ description: 'Downloads it waits for now.' }),
    items: z.array(warmItem).readonly().openapi({ description: 'Those that are done with, in that order.' }),
  })
  .openapi('WarmReport')
