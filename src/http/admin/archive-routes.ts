import { Readable } from 'node:stream'
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Administration } from '../../administration/administration.js'
import type { Logger } from '../../log.js'
import type { AdminDeps } from './admin.js'
import type { AdminEnv } from './authentication.js'
import { answers, refusals } from './responses.js'
import { exportQuery, importReport } from './schemas.js'

const tags = ['Archives']

const archive = { 'application/x-tar': { schema: z.string().openapi({ format: 'binary' }) } }

const read = createRoute({
  ...{ method: 'get', path: '/export', tags },
  summary: 'What is stored, as a tar: for networks without a way out, and as a backup',
  description: 'The archive is made as it is read. One without `end.json` at its end was cut.',
  request: { query: exportQuery },
  responses: { ...refusals, 200: { description: 'The archive.', content: archive } },
})

const take = createRoute({
  ...{ method: 'post', path: '/import', tags },
  summary: 'Store what an exported archive has, but for what is stored newer',
  description:
    'Every body is compared with its digest before it is stored. Where it fails, what came before stays; the same archive may be sent again.',
  request: {
    query: z.strictObject({
      force: z.stringbool().default(false).openapi({ description: 'Replace what is stored newer, too.' }),
    }),
    body: { required: true, content: archive },
  },
  responses: answers('What was imported, and what was left out.', importReport),
})

interface ArchiveDeps extends Pick<AdminDeps, 'unhurried'> {
  readonly administration: Administration
  readonly log: Logger
}

export function archiveRoutes(app: OpenAPIHono<AdminEnv>, { administration, unhurried, log }: ArchiveDeps): void {
  app.openapi(read, (c) => {
    const part = c.req.valid('query')
    // Whoever reads hears of a fault by a body that breaks off; why is told here.
    const bytes = Readable.from(told(administration.export(part), log), { objectMode: false })
    const name = `larder-${new Date().toISOString().slice(0, 10)}.tar`
    return c.body(Readable.toWeb(bytes) as ReadableStream<Uint8Array>, 200, {
      'Content-Type': 'application/x-tar',
      'Content-Disposition': `attachment; filename="${name}"`,
    })
  })
  app.openapi(take, async (c) => {
    const { force } = c.req.valid('query')
    c.set('subject', { force })
    if (c.env?.incoming) unhurried(c.env.incoming)
    const bytes = c.req.raw.body ? Readable.fromWeb(c.req.raw.body as Parameters<typeof Readable.fromWeb>[0]) : []
    const report = await administration.import(chunksOf(bytes), force)
    const { imported, present, skipped } = report
    c.set('subject', { force, imported, present, skipped })
    return c.json(report, 200)
  })
}

async function* chunksOf(bytes: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of bytes) yield chunk as Uint8Array
}

async function* told(chunks: AsyncIterable<Uint8Array>, log: Logger): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* chunks
  } catch (error) {
    log.error({ err: error }, 'an export broke off')
    throw error
  }
}
