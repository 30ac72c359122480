import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLError,
} from 'yaml'
import { ConfigError, type Fault } from './config-error.js'
import type { Issue } from './issue.js'
import { nestsTooDeeply } from './nesting.js'
import type { Resolved } from './references.js'

/** References to anchors, nested ones multiplied; beyond it the text is an attack, not a configuration. */
const maxAliasCount = 100

/** What comes after so many is seldom more than their consequence. */
const maxSyntaxFaults = 50

/** A YAML text that remembers where everything stands. */
interface YamlSource {
  /** Faults that leave the rest readable: duplicate keys, unknown tags. */
  readonly faults: readonly Fault[]
  /** Replaces each string value by what it stands for; a fault for each that stands for nothing. */
  resolve(resolved: (written: string, path: readonly PropertyKey[]) => Resolved): Fault[]
  data(): unknown
  /** `undefined` where `resolve` has already found the value at fault. */
  locate(issue: Issue): Fault | undefined
}

/** `wanted`: what the file has at its top, in words. Throws `ConfigError` for what isn't YAML at all. */
export function readYaml(text: string, file: string, wanted: string): YamlSource {
  const wholeFile = (message: string) => new ConfigError([{ file, line: 0, column: 0, path: '', message }])
  if (text.includes('\0')) throw wholeFile('holds binary data, expected YAML')
  if (nestsTooDeeply(text)) throw wholeFile(`is nested far too deeply, expected ${wanted}`)
  const lines = new LineCounter()
  // The parser compares each key with all before it; `repeatedKeys` doesn't.
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  })
  const { contents, errors, warnings } = document
  if (contents === null && errors.length === 0) throw wholeFile(`is empty, expected ${wanted}`)

  const faultAt = (offset: number, path: readonly PropertyKey[], message: string): Fault => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col, path: showPath(path), message }
  }
  const asFault = ({ code, message, pos: [offset] }: YAMLError) =>
    faultAt(offset, [], yamlMessages[code] ?? `is not YAML: ${withoutText(message)}`)
  if (errors.length > 0) throw new ConfigError([...errors, ...warnings].slice(0, maxSyntaxFaults).map(asFault))
  const repeated = [...repeatedKeys(contents, [])].map(({ key, path }) =>
    faultAt(offsetOf(key), path, 'stands here a second time, expected each key once in its map'),
  )

  const unresolved = new Set<Node>()
  return {
    faults: [...warnings.map(asFault), ...repeated],
    resolve(resolved) {
      const problems: Fault[] = []
      for (const { node, path } of stringsOf(document.contents, [])) {
        const result = resolved(node.value, path)
        if ('text' in result) node.value = result.text
        else {
          unresolved.add(node)
          problems.push(faultAt(offsetOf(node), path, result.problem))
        }
      }
      return problems
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
      if (target !== undefined && unresolved.has(target)) return undefined
      const empty = isScalar(value) && value.value === null
      const node = atKey || value === undefined || empty ? (key ?? value) : value
      return faultAt(offsetOf(node), path, message)
    },
  }
}

const offsetOf = (node: Node | undefined) => node?.range?.[0] ?? 0

const yamlMessages: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'is indented with a tab, expected spaces',
  MULTIPLE_DOCS: 'begins a second YAML document, expected one',
  TAG_RESOLVE_FAILED: 'has a tag (!name), expected none, and quotes around a value that begins with "!"',
  BAD_DIRECTIVE: 'has a directive (%NAME), expected none',
}

/** The parser's messages quote the text after a colon, and it may be a secret. */
const withoutText = (message: string) => message.replace(/(?<=\S): .*$/s, '')

/** All string values, with their paths; keys are none. A value behind a YAML alias is where its anchor is. */
function* stringsOf(node: unknown, path: readonly PropertyKey[]): Generator<StringValue> {
  if (isScalar(node) && typeof node.value === 'string') yield { node: node as Scalar<string>, path }
  else if (isSeq(node)) for (const [index, item] of node.items.entries()) yield* stringsOf(item, [...path, index])
  else if (isMap(node)) for (const { key, value } of node.items) yield* stringsOf(value, [...path, keyText(key)])
}

interface StringValue {
  readonly node: Scalar<string>
  readonly path: readonly PropertyKey[]
}

/** Each key that its map has already, with its path. */
function* repeatedKeys(node: unknown, path: readonly PropertyKey[]): Generator<RepeatedKey> {
  if (isSeq(node)) for (const [index, item] of node.items.entries()) yield* repeatedKeys(item, [...path, index])
  if (!isMap(node)) return
  const seen = new Set<string>()
  for (const { key, value } of node.items) {
    const name = keyText(key)
    if (seen.has(name)) yield { key: key as Node, path: [...path, name] }
    seen.add(name)
    yield* repeatedKeys(value, [...path, name])
  }
}

interface RepeatedKey {
  readonly key: Node
  readonly path: readonly PropertyKey[]
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

const keyText = (key: unknown): string => (isScalar(key) ? String(key.value ?? '') : String(key))

/** `repositories.lang-jvm.freshness[0].maxAge`; keys that would blur it are quoted. */
function showPath(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    return /^[\w-]+$/.test(String(step)) ? `.${String(step)}` : `[${JSON.stringify(withoutValue(String(step)))}]`
  })
  return steps.join('').replace(/^\./, '')
}

/** `password:secret` with its blank forgotten is a key. */
const withoutValue = (key: string) => key.replace(/[\s:].*$/s, '...')
