import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import { LRUCache } from 'lru-cache'
import { LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
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

/** Wrong tokens an address may try in a row, and the milliseconds until it may try one more. */
const burst = 10
const regain = 3000

/** Addresses that are remembered: whoever has more of them than that guesses no faster than 256 bits allow. */
const remembered = 1000

/** Lets pass who presents an admin token. Wrong ones are logged (without the token) and slowed down by address. */
export function createAuthentication(tokens: () => Tokens, log: Logger): MiddlewareHandler<AdminEnv> {
  const failures = new LRUCache<string, { readonly count: number; readonly at: number }>({ max: remembered })

  const failuresOf = (client: string): number => {
    const past = failures.get(client)
    return past ? Math.max(0, past.count - (performance.now() - past.at) / regain) : 0
  }

  return async (c, next) => {
    const client = c.env?.incoming?.socket.remoteAddress ?? ''
    const presented = presentedToken(c.req.header('authorization'))
    c.set('client', client)
    if (presented === undefined)
      throw new LarderError('UNAUTHORIZED', 'an admin token is needed: Authorization: Bearer')
    const failed = failuresOf(client)
    if (failed > burst - 1) {
      const retryAfter = ((failed - burst + 1) * regain) / 1000
      throw new LarderError('TOO_MANY_ATTEMPTS', 'too many wrong tokens came from this address', { retryAfter })
    }
    const name = tokens().admin.nameOf(presented)
    if (name === undefined) {
      failures.set(client, { count: failed + 1, at: performance.now() })
      log.warn({ client, path: c.req.path }, 'wrong admin token')
      throw new LarderError('UNAUTHORIZED', 'the token is not an admin token')
    }
    c.set('token', name)
    await next()
  }
}
