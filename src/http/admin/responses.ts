import type { z } from '@hono/zod-openapi'
import { problem } from './schemas.js'

/** What any route may answer besides what it is for. */
export const refusals = {
  default: { description: 'A problem (RFC 9457).', content: { 'application/problem+json': { schema: problem } } },
}

export const answers = <T extends z.ZodType>(description: string, schema: T) => ({
  200: { description, content: { 'application/json': { schema } } },
  ...refusals,
})

export const jsonBody = <T extends z.ZodType>(schema: T) =>
  ({ required: true, content: { 'application/json': { schema } } }) as const
