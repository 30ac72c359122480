import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/load.js'

/** Where a file of the checkout is. */
export const inCheckout = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export const textOf = (path: string): string => readFileSync(inCheckout(path), 'utf8')

/** What YAML or JSON holds, as loosely as the tests look at it; a leaf is read by `String`. */
export interface Node {
  readonly [key: string]: Node
}

/** The entries of a list; none where there is no list. */
export const listOf = (node: Node | undefined): readonly Node[] => (Array.isArray(node) ? node : [])

/** The documents of some YAML; throws where it is none. */
export function documentsIn(text: string): Node[] {
  return parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as Node
  })
}

/** The only document of a file. */
export function yamlOf(path: string): Node {
  const [document, ...more] = documentsIn(textOf(path))
  if (document === undefined || more.length > 0) throw new Error(`${path} has not one document`)
  return document
}

/** The names of the repositories that are served out of the box. */
export const shippedRepositories = async (): Promise<readonly string[]> =>
  (await loadConfig(inCheckout('repositories.yaml'), {})).repositories.map(({ name }) => name)
