import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { streamSSE } from 'hono/streaming'
import type { Administration } from '../../administration/administration.js'
import type { AdminEnv } from './authentication.js'
import { answers, jsonBody, refusals } from './responses.js'
import { idParameter, task, taskBody, taskList } from './schemas.js'

const tags = ['Tasks']

/** Milliseconds between two events. */
const pace = 1000

const start = createRoute({
  ...{ method: 'post', path: '/tasks', tags },
  summary: 'Start a task; one of a kind runs at a time',
  request: { body: jsonBody(taskBody) },
  responses: answers('It runs; ask for it by its id.', task),
})

const list = createRoute({
  ...{ method: 'get', path: '/tasks', tags },
  summary: 'Tasks that run and the last ones that ended, newest first',
  responses: answers('Since the start of the process.', taskList),
})

const get = createRoute({
  ...{ method: 'get', path: '/tasks/{id}', tags },
  summary: 'One task: its progress and what it found',
  request: { params: idParameter },
  responses: answers('The task.', task),
})

const watch = createRoute({
  ...{ method: 'get', path: '/tasks/{id}/events', tags },
  summary: 'Watch a task: server-sent events, one a second, until it has ended',
  request: { params: idParameter },
  responses: {
    ...refusals,
    200: {
      description: 'Events of the name `task`; their data is the task, as `GET /tasks/{id}` has it.',
      content: { 'text/event-stream': { schema: z.string() } },
    },
  },
})

const cancel = createRoute({
  ...{ method: 'delete', path: '/tasks/{id}', tags },
  summary: 'Ask a task to end',
  request: { params: idParameter },
  responses: answers('The task; it may take a moment to end.', task),
})

export function taskRoutes(app: OpenAPIHono<AdminEnv>, administration: Administration): void {
  app.openapi(start, (c) => {
    const order = c.req.valid('json')
    c.set('subject', order)
    return c.json(administration.startTask(order), 200)
  })
  app.openapi(list, (c) => c.json({ tasks: administration.tasks() }, 200))
  app.openapi(get, (c) => c.json(administration.task(c.req.valid('param').id), 200))
  app.openapi(watch, (c) => {
    // Asked for before the answer begins: an unknown one is a problem, not a stream.
    const { id } = administration.task(c.req.valid('param').id)
    return streamSSE(c, async (stream) => {
      for (;;) {
        const now = administration.task(id)
        await stream.writeSSE({ event: 'task', data: JSON.stringify(now) })
        if (now.state !== 'running' || stream.aborted) return
        await stream.sleep(pace)
      }
    })
  })
  app.openapi(cancel, (c) => c.json(administration.cancelTask(c.req.valid('param').id), 200))
}
