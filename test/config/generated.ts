import { environmentTable } from '../../src/config/environment-schema.js'
import { artifactOnly, profileDefaults } from '../../src/config/repositories.js'
import { jsonSchema } from '../../src/config/schema.js'
import { code, table, withParts } from '../support/markdown.js'

interface Property {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Property>>
  readonly additionalProperties?: Property
}

/** `text` with its generated parts as they have to be. */
export function withGeneratedParts(text: string): string {
  return withParts(text, { environment: environmentRows(), settings: settingRows() })
}

export function schemaFile(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`
}

function environmentRows(): string {
  const rows = environmentTable().map(({ name, default: standard, meaning }) => [code(name), code(standard), meaning])
  return table(['Variable', 'Default', 'Meaning'], rows)
}

function settingRows(): string {
  const { properties = {} } = jsonSchema() as Property
  const settings = properties.repositories?.additionalProperties?.properties ?? {}
  const rows = Object.entries(settings).flatMap(([name, property]) => {
    if (property.properties === undefined) return [row([name], property)]
    return Object.entries(property.properties).map(([field, inner]) => row([name, field], inner))
  })
  return table(['Setting', '`artifact`', '`rfc9111`', 'Meaning'], rows)
}

function row(path: readonly [string, string?], { description = '' }: Property): string[] {
  const excluded = artifactOnly.some((setting) => setting === path[0])
  return [
    code(path.join('.')),
    standard(profileDefaults.artifact, path),
    excluded ? 'not in `rfc9111`' : standard(profileDefaults.rfc9111, path),
    description,
  ]
}

function standard(defaults: Readonly<Record<string, unknown>>, [name, field]: readonly [string, string?]): string {
  if (name === 'profile') return ''
  const group = defaults[name]
  const value = field === undefined ? group : (group as Readonly<Record<string, unknown>> | undefined)?.[field]
  if (value === undefined) return ''
  return code(Array.isArray(value) ? `[${value.join(', ')}]` : String(value))
}
