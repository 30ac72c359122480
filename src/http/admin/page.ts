import { createHash } from 'node:crypto'
import { html, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import type { ApiDocument } from './document.js'

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2833}
h2{margin-top:2.5rem}section{border-top:1px solid #d5d8dc;padding:.75rem 0}
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f6f7}pre{padding:.75rem;overflow:auto}
h3{margin:0;font-size:1rem}td{padding:.1rem 1rem .1rem 0;vertical-align:top}`

/** Our own style and nothing else. */
export const pagePolicy =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; ` +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

type Html = HtmlEscapedString | Promise<HtmlEscapedString>

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly oneOf?: readonly Schema[]
}

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly { readonly name: string; readonly required?: boolean; readonly schema?: Schema }[]
  readonly requestBody?: Media
  readonly responses: Readonly<Record<string, Media>>
}

/** The document as a page: without scripts, and nothing of it comes from elsewhere. */
export function documentPage(document: ApiDocument): Html {
  const schemas = (document.components?.schemas ?? {}) as Readonly<Record<string, Schema>>
  const paths = Object.entries(document.paths ?? {}) as [string, Readonly<Record<string, Operation>>][]
  const operations = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const group = ({ name }: { name: string }) => html`<h2>${name}</h2>
${operations
  .filter(({ operation }) => operation.tags?.includes(name))
  .map(({ path, method, operation }) => section(`${method.toUpperCase()} /api/v1${path}`, operation, schemas))}`
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Larder administration</title><style>${raw(style)}</style></head><body>
<h1>Larder administration</h1>
<p>Every call needs an admin token. Errors are problem details (RFC 9457) with a <code>code</code>.
The same for machines: <a href="openapi.json">openapi.json</a>.</p>
<pre>curl -H "Authorization: Bearer $TOKEN" http://larder:8080/api/v1/repositories</pre>
${(document.tags ?? []).map(group)}
</body></html>
`
}

function section(title: string, operation: Operation, schemas: Readonly<Record<string, Schema>>): Html {
  const { summary = '', description = '', parameters = [], requestBody, responses } = operation
  const given = parameters.map(({ name, required, schema }) => row(name, schema ?? {}, required === true, schemas))
  const body = fieldsOf(schemaOf(requestBody), schemas)
  return html`<section><h3><code>${title}</code></h3><p>${summary}. ${description}</p>
<table>${given}${body}</table>
<p>Answers: <code>${typeOf(schemaOf(responses['200']) ?? { type: 'events' }, schemas)}</code></p></section>
`
}

const schemaOf = (media: Media | undefined): Schema | undefined => media?.content?.['application/json']?.schema

/** A table's rows for what a body may hold; of alternatives, all their fields. */
function fieldsOf(schema: Schema | undefined, schemas: Readonly<Record<string, Schema>>): readonly Html[] {
  if (!schema) return []
  const { properties = {}, required = [], oneOf = [] } = resolved(schema, schemas)
  const own = Object.entries(properties).map(([name, field]) => row(name, field, required.includes(name), schemas))
  return [...own, ...oneOf.flatMap((alternative) => fieldsOf(alternative, schemas))]
}

const row = (name: string, schema: Schema, required: boolean, schemas: Readonly<Record<string, Schema>>): Html =>
  html`<tr><td><code>${name}</code></td><td>${typeOf(schema, schemas)}${required ? '' : ', optional'}</td>
<td>${schema.description ?? ''}${schema.default === undefined ? '' : ` Default: ${JSON.stringify(schema.default)}.`}</td></tr>
`

function typeOf(schema: Schema, schemas: Readonly<Record<string, Schema>>): string {
  const { type, properties, items, enum: values, oneOf } = resolved(schema, schemas)
  if (oneOf) return oneOf.map((alternative) => typeOf(alternative, schemas)).join(' | ')
  if (values) return values.map((value) => JSON.stringify(value)).join(' | ')
  if (items) return `[${typeOf(items, schemas)}]`
  if (properties) return `{ ${Object.keys(properties).join(', ')} }`
  return typeof type === 'string' ? type : (type ?? ['any']).join(' | ')
}

const resolved = (schema: Schema, schemas: Readonly<Record<string, Schema>>): Schema =>
  schema.$ref === undefined ? schema : (schemas[schema.$ref.slice('#/components/schemas/'.length)] ?? {})
