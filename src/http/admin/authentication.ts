import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
import type { Attempts } from '../attempts.js'
import { presentedToken, type Tokens } from '../auth.js'

export interface AdminEnv {
  Bindings: HttpBindings
  Variables: {
    /** The address the request came from. */
    client: string
    /** The name of the token. */
    token: string
    /** What a change is about, for the audit log. */
    subject: Readonly<Record<string, unknown>> | undefined
    /** Why it failed. */
    code: string | undefined
  }
}

/** Lets pass who presents an admin token. Wrong ones are logged (without the token) and slowed down by address. */
export function createAuthentication(
  tokens: () => Tokens,
  attempts: Attempts,
  log: Logger,
): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    const client = c.env?.incoming?.socket.remoteAddress ?? ''
    const presented = presentedToken(c.req.header('authorization'))
    c.set('client', client)
    if (presented === undefined)
      throw new LarderError('UNAUTHORIZED', 'an admin token is needed: Authorization: Bearer')
    const name = attempts.nameOf(client, presented, [tokens().admin])
    if (name === undefined) {
      log.warn({ client, path: c.req.path }, 'wrong admin token')
      throw new LarderError('UNAUTHORIZED', 'the token is not an admin token')
    }
    c.set('token', name)
    await next()
  }
}
