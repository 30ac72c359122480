import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { environmentTable } from '../../src/config/environment-schema.js'
import { jsonSchema } from '../../src/config/schema.js'
import { schemaFile, withGeneratedParts } from './generated.js'

// `npx vitest run test/config -u` writes both anew.
it('repositories.schema.json is what the schema says', async () => {
  await expect(schemaFile()).toMatchFileSnapshot('../../repositories.schema.json')
})

it('every setting and every variable is described', () => {
  const undescribed: string[] = []
  const visit = (node: unknown, path: string) => {
    if (typeof node !== 'object' || node === null) return
    const { properties = {} } = node as { properties?: Readonly<Record<string, { description?: string }>> }
    for (const [name, property] of Object.entries(properties)) {
      if ((property.description ?? '') === '') undescribed.push(`${path}.${name}`)
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${path}.${key}`)
  }
  visit(jsonSchema(), '')
  expect(undescribed).toEqual([])
  expect(environmentTable().filter(({ meaning }) => meaning === '')).toEqual([])
})

it('docs/configuration.md holds the tables the schemas say', async () => {
  const file = new URL('../../docs/configuration.md', import.meta.url)
  const text = withGeneratedParts(await readFile(file, 'utf8'))
  expect(text).toMatch(/\| `LARDER_PORT` +\| `8080` +\|/)
  expect(text).toMatch(/\| `timeout.connect` +\| `3s` +\| `3s` +\|/)
  await expect(text).toMatchFileSnapshot('../../docs/configuration.md')
})
