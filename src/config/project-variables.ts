import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { readAssignments, type WrittenVariable } from './assignments.js'
import { ConfigError } from './config-error.js'
import { nestsTooDeeply } from './nesting.js'
import { readTextFile } from './text-file.js'

export interface ProjectVariables {
  readonly variables: readonly WrittenVariable[]
  /** Whether the file is GitLab's: a pipeline, or what its API gives. */
  readonly isGitLab: boolean
}

const mostBytes = 1024 * 1024

/**
 * The variables of a project, as lines (`NAME=value`, `export NAME='value'`), as `variables:` of a GitLab pipeline, or as the
 * JSON of GitLab's API. Throws `ConfigError` for what is none of these.
 */
export function readProjectVariables(file: string): ProjectVariables {
  const content = readTextFile(file, mostBytes)
  if (!('text' in content)) throw unreadable(file, 0, `${content.fault}, expected a file of variables`)
  const text = content.text.replace(/^\uFEFF/, '')
  const isJson = /^\s*[[{]/.test(text)
  const isGitLab = isJson || /^\s*variables:/m.test(text)
  const variables = isGitLab ? readStructured(text, file, isJson) : readLines(text, file)
  if (variables.length > 0) return { variables, isGitLab }
  throw unreadable(
    file,
    0,
    'sets no variables, expected NAME=value lines, variables: of a GitLab pipeline, or the JSON of its API',
  )
}

const unreadable = (file: string, line: number, message: string) =>
  new ConfigError([{ file, line, column: line === 0 ? 0 : 1, path: '', message }])

function readLines(text: string, file: string): readonly WrittenVariable[] {
  return readAssignments(text, (line) =>
    unreadable(file, line, 'is no variable, expected NAME=value, with its quotes closed'),
  )
}

/** JSON is YAML, too. */
function readStructured(text: string, file: string, isJson: boolean): readonly WrittenVariable[] {
  if (nestsTooDeeply(text)) throw unreadable(file, 0, 'is nested far too deeply, expected variables')
  const lines = new LineCounter()
  // Tags such as GitLab's !reference are passed over.
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent', prettyErrors: false })
  const [error] = document.errors
  if (error) throw unreadable(file, lines.linePos(error.pos[0]).line, 'is not YAML or JSON, expected variables')
  const lineOf = (node: Node) => lines.linePos(node.range?.[0] ?? 0).line
  return [...variablesIn(document.contents, isJson)].map(({ name, value, at }) => ({
    ...{ name, value, line: lineOf(at), literal: false },
  }))
}

interface Found {
  readonly name: string
  readonly value: string
  readonly at: Node
}

/** In JSON, a map without `variables` is one of variables itself. */
function* variablesIn(root: unknown, isJson: boolean): Generator<Found> {
  if (isSeq(root)) {
    for (const item of root.items) if (isMap(item)) yield* fromApi(item.get('key', true), item.get('value', true))
    return
  }
  if (!isMap(root)) return
  const own = root.get('variables', true)
  if (isMap(own)) yield* fromMap(own)
  for (const { value: job } of root.items) {
    const ofJob = isMap(job) ? job.get('variables', true) : undefined
    if (isMap(ofJob)) yield* fromMap(ofJob)
  }
  if (own === undefined && isJson) yield* fromMap(root)
}

function* fromApi(key: unknown, value: unknown): Generator<Found> {
  const name = isScalar(key) ? textOf(key) : undefined
  const text = textOf(value)
  if (name !== undefined && text !== undefined) yield { name, value: text, at: key as Node }
}

/** `NAME: value`, or `NAME: { value: ..., description: ... }`. */
function* fromMap(map: { readonly items: readonly { key: unknown; value: unknown }[] }): Generator<Found> {
  for (const { key, value } of map.items) {
    yield* fromApi(key, isMap(value) ? value.get('value', true) : value)
  }
}

/** As written: `1.10` is no number. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}
