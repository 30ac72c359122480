import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { streamSSE } from 'hono/streaming'
import type { Administration } from '../../administration/administration.js'
import type { AdminEnv } from './authentication.js'
import { answers, jsonBody, refusals } from './responses.js'
import { idParameter, task } from './schemas.js'
import { warmBody, warmReport } from './warm-schemas.js'

const tags = ['Warm-ups']

/** Milliseconds between two events of progress. */
const pace = 500

const start = createRoute({
  ...{ method: 'post', path: '/warm', tags },
  summary: 'Make artifacts ready before anybody asks for them',
  description: 'What is ready already costs next to nothing. The answer is a task: /tasks lists it, and cancels it.',
  request: { body: jsonBody(warmBody) },
  responses: answers('It runs; ask for it by its id.', task),
})

const report = createRoute({
  ...{ method: 'get', path: '/warm/{id}', tags },
  summary: 'One warm-up: what is ready, what failed and why, what is coming in',
  request: { params: idParameter },
  responses: answers('As it is now.', warmReport),
})

const watch = createRoute({
  ...{ method: 'get', path: '/warm/{id}/events', tags },
  summary: 'Watch a warm-up: server-sent events until it has ended',
  description: 'With `Last-Event-ID` it goes on behind that item.',
  request: { params: idParameter },
  responses: {
    ...refusals,
    200: {
      description:
        'Events `item`, one for each that is done with, and `progress`, twice a second: `GET /warm/{id}` without its items.',
      content: { 'text/event-stream': { schema: z.string() } },
    },
  },
})

export function warmRoutes(app: OpenAPIHono<AdminEnv>, administration: Administration): void {
  app.openapi(start, (c) => {
    const { dryRun, ...order } = c.req.valid('json')
    const { items, from, concurrency, rate } = order
    c.set('subject', { items: items.length, sources: from.length, concurrency, rate, dryRun })
    return c.json(administration.startWarmUp(order, { dryRun }), 200)
  })
  app.openapi(report, (c) => c.json(administration.warmUp(c.req.valid('param').id), 200))
  app.openapi(watch, (c) => {
    const { id } = c.req.valid('param')
    // Asked for before the answer begins: an unknown one is a problem, not a stream.
    administration.warmUp(id)
    const last = c.req.header('last-event-id') ?? ''
    let told = /^\d{1,9}$/.test(last) ? Number(last) : 0
    return streamSSE(c, async (stream) => {
      for (;;) {
        // Both at one instant: whoever sees it ended has seen all its items.
        const { items, ...state } = administration.warmUp(id, told)
        for (const item of items) {
          told += 1
          await stream.writeSSE({ event: 'item', id: String(told), data: JSON.stringify(item) })
        }
        await stream.writeSSE({ event: 'progress', data: JSON.stringify(state) })
        if (state.task.state !== 'running' || stream.aborted) return
        await stream.sleep(pace)
      }
    })
  })
}
