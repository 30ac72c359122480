import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'
import type { RedisClient } from './connection.js'

/** What is asked of Redis, each for one key, so that a cluster has it in one place. */
export interface RedisCommands {
  get(key: string): Promise<Buffer | null>
  set(key: string, value: Buffer | string, milliseconds: number): Promise<unknown>
  eval(script: string, key: string, args: string[]): Promise<unknown>
  readonly records: Keyv<string>
}

/** node-redis' number for "bulk string"; asks for Buffers instead of text. */
const BULK_STRING = 36

/** The commands over a client that is connected. */
export function commandsOver(client: RedisClient): RedisCommands {
  const binary = client.withTypeMapping({ [BULK_STRING]: Buffer })
  // The adapter would connect a client that was lost by itself, unknown to anybody.
  const taken: RedisClient = Object.create(client, { isOpen: { value: true } })
  return {
    get: (key) => binary.get(key) as Promise<Buffer | null>,
    set: (key, value, milliseconds) => client.set(key, value, { PX: milliseconds }),
    eval: (script, key, args) => client.eval(script, { keys: [key], arguments: args }),
    records: new Keyv<string>({
      store: new KeyvRedis(taken, { throwOnErrors: true, throwOnConnectError: false }),
      // The adapter would put the default one before each key.
      namespace: '',
      throwOnErrors: true,
      emitErrors: false,
    }),
  }
}
