import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import { ConfigError, type Fault } from './config-error.js'
import type { Issue } from './cross-checks.js'

/** References to anchors, nested ones multiplied; beyond it the text is an attack, not a configuration. */
const maxAliasCount = 100

/** A YAML text that remembers where everything stands. */
interface YamlSource {
  /** Faults that leave the rest readable: duplicate keys, unknown tags. */
  readonly faults: readonly Fault[]
  /** Replaces `${NAME}` in all string values; a fault for each that cannot be. */
  expand(env: NodeJS.ProcessEnv): Fault[]
  data(): unknown
  /** `undefined` where `expand` has already found the value at fault. */
  locate(issue: Issue): Fault | undefined
}

/** Throws `ConfigError` for what isn't YAML at all. */
export function readYaml(text: string, file: string): YamlSource {
  const wholeFile = (message: string) => new ConfigError([{ file, line: 0, column: 0, path: '', message }])
  if (text.includes('\0')) throw wholeFile('holds binary data, expected YAML')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const { contents, errors, warnings } = document
  if (contents === null && errors.length === 0) throw wholeFile('is empty, expected a map with repositories:')

  const faultAt = (offset: number, path: string, message: string): Fault => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col, path, message }
  }
  const faults = [...errors, ...warnings].map(({ code, message, pos: [offset] }) =>
    faultAt(offset, keyPathAt(document, offset), yamlMessages[code] ?? `is not YAML: ${message}`),
  )
  if (errors.some(({ code }) => code !== 'DUPLICATE_KEY')) throw new ConfigError(faults)

  const unexpanded = new Set<Node>()
  return {
    faults,
    expand(env) {
      const problems = expandValues(document, env)
      for (const { node } of problems) unexpanded.add(node)
      return problems.map(({ node, path, message }) => faultAt(offsetOf(node), path, message))
    },
    data() {
      try {
        return document.toJS({ maxAliasCount })
      } catch {
        throw wholeFile('has aliases (*name) without an anchor (&name) before them, or far too many')
      }
    },
    locate({ path, message, atKey }) {
      const { key, value } = find(document, path)
      const target = isAlias(value) ? value.resolve(document) : value
      if (target !== undefined && unexpanded.has(target)) return undefined
      const empty = isScalar(value) && value.value === null
      const node = atKey || value === undefined || empty ? (key ?? value) : value
      return faultAt(offsetOf(node), showPath(path), message)
    },
  }
}

const offsetOf = (node: Node | undefined) => node?.range?.[0] ?? 0

const yamlMessages: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'stands here a second time, expected each key once in its map',
  TAB_AS_INDENT: 'is indented with a tab, expected spaces',
  MULTIPLE_DOCS: 'begins a second YAML document, expected one',
}

/** Expands in place; keys stay as they are. Answers what could not be expanded, and where. */
function expandValues(document: Document, env: NodeJS.ProcessEnv) {
  const problems: { node: Node; path: string; message: string }[] = []
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string') return
      const { text, problem } = expandText(node.value, env)
      if (problem === undefined) node.value = text
      else problems.push({ node, path: showPath(pathTo([...ancestors, node])), message: problem })
    },
  })
  return problems
}

/** Never expands what a variable holds; `problem` shows no variable's value. `$${` stands for a literal `${`. */
function expandText(written: string, env: NodeJS.ProcessEnv): { text: string; problem: string | undefined } {
  let problem: string | undefined
  const text = written.replaceAll(/\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?/g, (reference, name?: string) => {
    if (reference.startsWith('$$')) return reference.slice(1)
    if (name === undefined) {
      problem ??= 'has "${" without a name and a brace after it, expected both, or "$${" for these characters'
      return reference
    }
    const value = env[name]
    if (value === undefined) problem ??= `names the variable ${name}, which is not set in the environment`
    return value ?? reference
  })
  return { text, problem }
}

interface Found {
  /** The key or list item of the last step, of the nearest one above it where it isn't there. */
  readonly key: Node | undefined
  readonly value: Node | undefined
}

function find(document: Document, path: readonly PropertyKey[]): Found {
  let key: Node | undefined
  let value: Node | undefined = document.contents ?? undefined
  for (const step of path) {
    const parent: Node | undefined = isAlias(value) ? value.resolve(document) : value
    value = undefined
    if (isSeq(parent)) {
      value = (parent.items[Number(step)] as Node | null) ?? undefined
      key = value ?? key
    }
    // Of a key that stands there twice, the later one is what `data` holds.
    const pair = isMap(parent) ? parent.items.findLast(({ key }) => keyText(key) === String(step)) : undefined
    if (pair !== undefined) {
      key = pair.key as Node
      value = (pair.value as Node | null) ?? undefined
    }
    if (value === undefined) break
  }
  return { key, value }
}

/** The path of the key written at `offset`; empty where no key is. */
function keyPathAt(document: Document, offset: number): string {
  let path = ''
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' && node.range?.[0] === offset) path = showPath(pathTo([...ancestors, node]))
    },
  })
  return path
}

function pathTo(chain: readonly unknown[]): PropertyKey[] {
  return chain.flatMap((node, depth): PropertyKey[] => {
    if (isPair(node)) return [keyText(node.key)]
    return isSeq(node) ? [node.items.indexOf(chain[depth + 1])] : []
  })
}

const keyText = (key: unknown): string => (isScalar(key) ? String(key.value ?? '') : String(key))

/** `repositories.lang-jvm.freshness[0].maxAge`; keys that would blur it are quoted. */
function showPath(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    return /^[\w-]+$/.test(String(step)) ? `.${String(step)}` : `[${JSON.stringify(String(step))}]`
  })
  return steps.join('').replace(/^\./, '')
}
