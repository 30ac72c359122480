import type { z } from 'zod'
import { ConfigError, type Fault } from './config-error.js'
import type { Issue } from './issue.js'
import { createResolver, type ValueKind } from './references.js'
import { knownSettings, type SchemaNode, settingAt } from './schema-tree.js'
import { readTextFile } from './text-file.js'
import { issueMessage, suggestion } from './wording.js'
import { readYaml } from './yaml-source.js'

/** Room for thousands of entries; what the parser makes of hostile text grows faster than the text. */
const mostBytes = 256 * 1024

/** More than anyone reads; to find the place of each takes a while. */
const mostFaults = 500

/** A kind of YAML file. */
export interface Form<T> {
  readonly schema: z.ZodType<T>
  readonly jsonSchema: () => SchemaNode
  /** What the file has at its top, in words. */
  readonly wanted: string
  /** Adds what the data as read stands for. */
  readonly prepare?: (data: unknown) => unknown
  /** What no setting shows by itself, on the data as prepared. */
  readonly crossIssues: (data: unknown) => readonly Issue[]
}

/** Reads a YAML file. Throws `ConfigError`. */
export function readConfigText(file: string): string {
  const content = readTextFile(file, mostBytes)
  if ('text' in content) return content.text
  throw new ConfigError([{ file, line: 0, column: 0, path: '', message: `${content.fault}, expected a YAML file` }])
}

/** `text` is the content of `file`, at whose directory relative paths begin. Throws `ConfigError` with every fault, up to 500. */
export function validate<T>(text: string, file: string, env: NodeJS.ProcessEnv, form: Form<T>): T {
  const source = readYaml(text, file, form.wanted)
  const schema = form.jsonSchema()
  const resolve = createResolver(file, env)
  const faults: Fault[] = [
    ...source.faults,
    ...source.resolve((written, path) => resolve(written, kindOf(settingAt(schema, path)))),
  ]
  const written = source.data()
  const data = form.prepare?.(written) ?? written
  const parsed = form.schema.safeParse(data, { error: issueMessage })
  const issues = [
    ...(parsed.error?.issues.flatMap((issue) => asIssues(issue, schema)) ?? []),
    ...form.crossIssues(data),
  ]
  for (const issue of issues.slice(0, mostFaults)) {
    const fault = source.locate(issue)
    if (fault !== undefined) faults.push(fault)
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults.sort(byPosition).slice(0, mostFaults))
  return parsed.data
}

const byPosition = (a: Fault, b: Fault) => a.line - b.line || a.column - b.column

function kindOf(setting: SchemaNode | undefined): ValueKind {
  if (setting?.writeOnly) return 'secret'
  return setting?.contentMediaType === undefined ? 'plain' : 'pem'
}

function asIssues(issue: z.core.$ZodIssue, schema: SchemaNode): Issue[] {
  const { path, message } = issue
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownSettings(schema, path)
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `is not a setting of this version${suggestion(key, known)}`,
        atKey: true,
      }))
    }
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? message, atKey: true }]
    case 'invalid_union':
      return unionIssues(issue, schema)
    default:
      return [{ path, message, atKey: false }]
  }
}

/** Where the value has the form of one of the choices, what is wrong with it as that; else what the choices are. */
function unionIssues({ path, message, errors }: z.core.$ZodIssueInvalidUnion, schema: SchemaNode): Issue[] {
  const fitting = errors.find((issues) => issues.every(({ code, path }) => path.length > 0 || !formIssues.has(code)))
  if (fitting === undefined) return [{ path, message, atKey: false }]
  return fitting.flatMap((issue) => asIssues({ ...issue, path: [...path, ...issue.path] }, schema))
}

const formIssues: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value', 'invalid_union'])
