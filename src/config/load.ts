import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import type { Repository } from '../caching/repository.js'
import { ConfigError, type Fault } from './config-error.js'
import { crossIssues, type Issue } from './cross-checks.js'
import { buildRepositories } from './repositories.js'
import { configuration, knownSettings } from './schema.js'
import { issueMessage, suggestion } from './wording.js'
import { readYaml } from './yaml-source.js'

export interface Config {
  readonly repositories: readonly Repository[]
}

/** Reads and validates `file`; throws `ConfigError` with every fault found. */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv): Promise<Config> {
  return parseConfig(await readText(file), file, env)
}

/** `text` is repositories.yaml; `file` is what its faults call it. Throws `ConfigError` with every fault found. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv): Config {
  const source = readYaml(text, file)
  const faults: Fault[] = [...source.faults, ...source.expand(env)]
  const data = source.data()
  const parsed = configuration.safeParse(data, { error: issueMessage })
  const issues = [...(parsed.error?.issues.flatMap(asIssues) ?? []), ...crossIssues(data)]
  for (const issue of issues) {
    const fault = source.locate(issue)
    if (fault !== undefined) faults.push(fault)
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults.sort(byPosition))
  return Object.freeze({ repositories: buildRepositories(parsed.data.repositories, parsed.data.defaults ?? {}) })
}

const byPosition = (a: Fault, b: Fault) => a.line - b.line || a.column - b.column

function asIssues(issue: z.core.$ZodIssue): Issue[] {
  const { path, message } = issue
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `is not a setting of this version${suggestion(key, knownSettings(path))}`,
        atKey: true,
      }))
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? message, atKey: true }]
    case 'invalid_union':
      return unionIssues(issue)
    default:
      return [{ path, message, atKey: false }]
  }
}

/** Where the value has the form of one of the choices, what is wrong with it as that; else what the choices are. */
function unionIssues({ path, message, errors }: z.core.$ZodIssueInvalidUnion): Issue[] {
  const fitting = errors.find((issues) => issues.every(({ code, path }) => path.length > 0 || !formIssues.has(code)))
  if (fitting === undefined) return [{ path, message, atKey: false }]
  return fitting.flatMap((issue) => asIssues({ ...issue, path: [...path, ...issue.path] }))
}

const formIssues: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value', 'invalid_union'])

async function readText(file: string): Promise<string> {
  const fault = (message: string) => new ConfigError([{ file, line: 0, column: 0, path: '', message }])
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw fault(error.code === 'ENOENT' ? 'does not exist, expected a YAML file' : `cannot be read (${error.code})`)
  })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw fault('is not UTF-8 text, expected YAML')
  }
}
