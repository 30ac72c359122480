import { describe, expect, it } from 'vitest'
import { adminStage } from './admin-stage.js'

describe('the OpenAPI document', () => {
  it('has every route, its parameters and answers, and how to get in', async () => {
    const { call } = adminStage()
    const { body: document } = await call('GET', '/openapi.json', { headers: {} })
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.sort()).toEqual([
      'DELETE /pins',
      'DELETE /tasks/{id}',
      'GET /artifacts',
      'GET /artifacts/{repository}',
      'GET /explain',
      'GET /export',
      'GET /pins',
      'GET /repositories',
      'GET /stats',
      'GET /tasks',
      'GET /tasks/{id}',
      'GET /tasks/{id}/events',
      'GET /warm/{id}',
      'GET /warm/{id}/events',
      'POST /import',
      'POST /pins',
      'POST /purge',
      'POST /repositories/{name}/block',
      'POST /repositories/{name}/breaker/reset',
      'POST /repositories/{name}/unblock',
      'POST /tasks',
      'POST /warm',
    ])
    expect(document.components.securitySchemes).toEqual({ token: { type: 'http', scheme: 'bearer' } })
    expect(document.security).toEqual([{ token: [] }])
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    )
    expect(references.filter((name) => !((name as string) in document.components.schemas))).toEqual([])
  })

  it.each(['/repositories', '/stats', '/artifacts?repository=raw', '/artifacts/raw?path=a', '/pins', '/tasks'])(
    'GET %s answers what it says',
    async (route) => {
      const { call, put } = adminStage()
      put('raw/a', ['ETag', '"x"'])
      await call('POST', '/pins', { body: { repository: 'raw', path: 'a' } })
      await call('POST', '/tasks', { body: { kind: 'gc' } })
      const { body: document } = await call('GET', '/openapi.json')
      const path = (route.split('?')[0] as string).replace('/raw', '/{repository}')
      const { schema } = document.paths[path].get.responses[200].content['application/json']
      const { body } = await call('GET', route)
      expect(differences(schema, body, document.components.schemas)).toEqual([])
    },
  )
})

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
}

/** Where a value is not of a schema's types, or has fields it doesn't know, or lacks some. */
function differences(
  schema: Schema,
  value: unknown,
  schemas: Readonly<Record<string, Schema>>,
  at = '$',
): readonly string[] {
  if (schema.$ref) return differences(schemas[schema.$ref.split('/').at(-1) as string] as Schema, value, schemas, at)
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  const types = [schema.type ?? kind].flat().map((type) => (type === 'integer' ? 'number' : type))
  if (!types.includes(kind)) return [`${at}: ${kind}`]
  if (Array.isArray(value)) {
    return value.flatMap((item, i) => differences(schema.items ?? {}, item, schemas, `${at}[${i}]`))
  }
  if (kind !== 'object' || !schema.properties) return []
  const { properties, required = [] } = schema
  const own = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(own).filter((name) => !(name in properties))
  const missing = required.filter((name) => !(name in own))
  return [
    ...[...unknown, ...missing].map((name) => `${at}.${name}`),
    ...Object.entries(own).flatMap(([name, field]) =>
      differences(properties[name] ?? {}, field, schemas, `${at}.${name}`),
    ),
  ]
}
