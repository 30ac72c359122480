import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, visit } from 'yaml'
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

/** JSON is YAML, too. A pipeline may have its inputs in a document before it. */
function readStructured(text: string, file: string, isJson: boolean): readonly WrittenVariable[] {
  if (nestsTooDeeply(text)) throw unreadable(file, 0, 'is nested far too deeply, expected variables')
  const lines = new LineCounter()
  // Tags such as GitLab's !reference are passed over.
  const documents = parseAllDocuments(text, { lineCounter: lines, logLevel: 'silent', prettyErrors: false })
  const [error] = documents.flatMap(({ errors }) => errors)
  if (error) throw unreadable(file, lines.linePos(error.pos[0]).line, 'is not YAML or JSON, expected variables')
  const lineOf = (node: Node) => lines.linePos(node.range?.[0] ?? 0).line
  const found = documents.flatMap((document) => [...variablesIn(document.contents, isJson, aliasesOf(document))])
  // What several jobs have by one anchor stands in the file once.
  return [...new Map(found.map((variable) => [variable.at, variable])).values()].map(({ name, value, at }) => ({
    ...{ name, value, line: lineOf(at), literal: false },
  }))
}

/** What is meant by a node: by an alias, what has its anchor. */
type Meant = (node: unknown) => unknown

/** In one pass: an anchor may be set anew further down. */
function aliasesOf(document: Document.Parsed): Meant {
  const anchors = new Map<string, Node>()
  const meant = new Map<unknown, Node | undefined>()
  visit(document, {
    Alias: (_, alias) => void meant.set(alias, anchors.get(alias.source)),
    Value: (_, value) => void (value.anchor !== undefined && anchors.set(value.anchor, value)),
  })
  return (node) => (meant.has(node) ? meant.get(node) : node)
}

interface Found {
  readonly name: string
  readonly value: string
  readonly at: Node
}

/** In JSON, a map without `variables` is one of variables itself. */
function* variablesIn(root: unknown, isJson: boolean, meant: Meant): Generator<Found> {
  if (isSeq(root)) {
    for (const item of root.items) if (isMap(item)) yield* fromApi(item.get('key', true), item.get('value', true))
    return
  }
  if (!isMap(root)) return
  const own = meant(root.get('variables', true))
  if (isMap(own)) yield* fromMap(own, meant)
  for (const { value } of root.items) {
    const job = meant(value)
    const ofJob = isMap(job) ? meant(job.get('variables', true)) : undefined
    if (isMap(ofJob)) yield* fromMap(ofJob, meant)
  }
  if (own === undefined && isJson) yield* fromMap(root, meant)
}

function* fromApi(key: unknown, value: unknown): Generator<Found> {
  const name = isScalar(key) ? textOf(key) : undefined
  const text = textOf(value)
  if (name !== undefined && text !== undefined) yield { name, value: text, at: key as Node }
}

/** `NAME: value`, or `NAME: { value: ..., description: ... }`; and what is merged in by `<<` under other names. */
function* fromMap(map: unknown, meant: Meant): Generator<Found> {
  const names = new Set<string>()
  const seen = new Set<unknown>()
  const left = [map]
  while (left.length > 0) {
    const next = left.pop()
    if (!isMap(next) || seen.has(next)) continue
    seen.add(next)
    const own = [...ownOf(next, meant)].filter(({ name }) => !names.has(name))
    for (const { name } of own) names.add(name)
    yield* own
    // Those in front count first, and all that is merged into them.
    for (const merged of mergedInto(next, meant).toReversed()) left.push(merged)
  }
}

interface Pairs {
  readonly items: readonly { readonly key: unknown; readonly value: unknown }[]
}

const isMerge = ({ key }: Pairs['items'][number]) => isScalar(key) && key.value === '<<'

function* ownOf({ items }: Pairs, meant: Meant): Generator<Found> {
  for (const pair of items.filter((item) => !isMerge(item))) {
    const value = meant(pair.value)
    yield* fromApi(pair.key, isMap(value) ? meant(value.get('value', true)) : value)
  }
}

const mergedInto = ({ items }: Pairs, meant: Meant): readonly unknown[] =>
  items.filter(isMerge).flatMap(({ value }) => {
    const merged = meant(value)
    return isSeq(merged) ? merged.items.map(meant) : [merged]
  })

/** As written: `1.10` is no number. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}
