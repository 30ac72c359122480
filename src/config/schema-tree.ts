/** What is used of a JSON Schema. */
export interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: SchemaNode | false
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly description?: string
  /** Set on secrets. */
  readonly writeOnly?: boolean
  /** Set on what holds PEM. */
  readonly contentMediaType?: string
}

/** The setting at `path`; `undefined` where there is none. */
export function settingAt(root: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root
  for (const step of path) node = node && childOf(node, step)
  return node
}

/** The settings there are in the map at `path`. */
export function knownSettings(root: SchemaNode, path: readonly PropertyKey[]): readonly string[] {
  const node = settingAt(root, path)
  return node === undefined ? [] : formsOf(node).flatMap(({ properties = {} }) => Object.keys(properties))
}

function childOf(node: SchemaNode, step: PropertyKey): SchemaNode | undefined {
  const children = formsOf(node).map(({ items, properties = {}, additionalProperties }) => {
    if (typeof step === 'number') return items
    return Object.hasOwn(properties, step) ? properties[String(step)] : additionalProperties || undefined
  })
  return children.find((child) => child !== undefined)
}

/** All forms a setting may take: a remote is a URL, a map or a list. */
function formsOf(node: SchemaNode): readonly SchemaNode[] {
  return [node, ...(node.anyOf ?? []).flatMap(formsOf)]
}
