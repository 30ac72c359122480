import { environmentTable } from '../../src/config/environment-schema.js'
import { artifactOnly, profileDefaults } from '../../src/config/repositories.js'
import { jsonSchema } from '../../src/config/schema.js'

interface Property {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Property>>
  readonly additionalProperties?: Property
}

/** `text` with its generated parts as they have to be. */
export function withGeneratedParts(text: string): string {
  const parts: Readonly<Record<string, string>> = { environment: environmentRows(), settings: settingRows() }
  return Object.entries(parts).reduce(
    (whole, [part, table]) =>
      whole.replace(
        new RegExp(`(<!-- ${part}: generated -->\n)[^]*(<!-- /${part} -->)`),
        (_, begin: string, end: string) => `${begin}${table}${end}`,
      ),
    text,
  )
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
  const value = field === undefined ? group : (group as Readonly<Record<string, unknown>>)[field]
  if (value === undefined) return ''
  return code(Array.isArray(value) ? `[${value.join(', ')}]` : String(value))
}

const code = (text: string) => (text === '' ? '' : `\`${text}\``)

/** Columns are aligned, as the formatter wants Markdown. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: readonly string[], filler: string) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, filler)).join(' | ')} |\n`
  const lines = [
    line(head, ' '),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((cells) => line(cells, ' ')),
  ]
  return `\n${lines.join('')}\n`
}
