import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { WarmOrder, WarmSource } from '../warming/order.js'
import { ConfigError } from './config-error.js'
import type { SchemaNode } from './schema-tree.js'
import { type Form, readConfigText, validate } from './validate.js'
import { prewarm } from './warm-settings.js'
import { issueMessage } from './wording.js'

/** A prewarm.yaml, as far as it can be told without looking into the lists it names. */
export interface PrewarmFile extends WarmOrder {
  /** Paths of files with an item a line. */
  readonly lists: readonly string[]
}

const jsonSchema = () => z.toJSONSchema(prewarm, { io: 'input', target: 'draft-7' }) as SchemaNode

const form = {
  ...{ schema: prewarm, jsonSchema, wanted: 'a map with items: or from:' },
  crossIssues: () => [],
} satisfies Form<unknown>

/** Reads and validates a prewarm.yaml. Throws `ConfigError` with every fault. */
export function loadPrewarmFile(file: string, env: NodeJS.ProcessEnv): PrewarmFile {
  return prewarmFile(validate(readConfigText(file), file, env, form), dirname(file))
}

/** The same for what was put together elsewhere: `place`, which lists are relative to. Throws `ConfigError`. */
export function checkOrder(data: unknown, place: string): PrewarmFile {
  const parsed = prewarm.safeParse(data, { error: issueMessage })
  if (parsed.success) return prewarmFile(parsed.data, '.')
  const faults = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }))
  throw new ConfigError(faults.map((fault) => ({ file: place, line: 0, column: 0, ...fault })))
}

function prewarmFile({ from, ...order }: z.output<typeof prewarm>, directory: string): PrewarmFile {
  const lists = from.flatMap(({ list }) => (list === undefined ? [] : [pathFrom(directory, list)]))
  const sources = from.filter(({ list }) => list === undefined).map(({ list: _, ...source }): WarmSource => source)
  return { ...order, from: sources, lists }
}

/** A dash is standard input. */
const pathFrom = (directory: string, path: string) => (path === '-' ? path : resolve(directory, path))
