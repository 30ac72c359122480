import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError } from '../../src/config/config-error.js'
import { type Config, parseConfig } from '../../src/config/load.js'
import { jsonSchema } from '../../src/config/schema.js'
import { knownSettings, type SchemaNode, settingAt } from '../../src/config/schema-tree.js'

const schema = jsonSchema()
const settings = knownSettings(schema, ['repositories', 'a'])
const scalar = fc.oneof(
  fc.constantFrom('https://a.test', 'artifact', 'rfc9111', 'all', 'forever', '5m', 'a', `\${X}`, '__proto__'),
  fc.jsonValue({ maxDepth: 2 }),
)
const repository = fc.dictionary(fc.oneof(fc.constantFrom(...settings), fc.string()), scalar)
const data = fc.record(
  { defaults: repository, repositories: fc.dictionary(fc.oneof(fc.constantFrom('a', 'b'), fc.string()), repository) },
  { requiredKeys: [] },
)

function attempt(text: string, env: NodeJS.ProcessEnv = {}): ConfigError | Config {
  try {
    return parseConfig(text, 'r.yaml', env)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
}

it('O4: whatever the data, there is a configuration or a list of faults, each within the text', () => {
  fc.assert(
    fc.property(data, (value) => {
      const text = stringify(value)
      const lines = text.split('\n').length
      const outcome = attempt(text)
      for (const { line, column, message } of outcome instanceof ConfigError ? outcome.faults : []) {
        expect(message).toMatch(/expected|not set|not YAML|not a setting/)
        if (line === 0) continue
        expect(line).toBeLessThanOrEqual(lines)
        expect(column).toBeGreaterThan(0)
      }
    }),
  )
})

const secret = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('hunter2', 'http://u:hunter2@proxy.test', `\${SECRET}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...['hunter2 x', 'hunter2\r\nX: y', '!hunter2', '*hunter2', 'hunter2:', '-----BEGIN hunter2'],
      ...['socks5://hunter2', `file:\${SECRET}`, `x\${NOWHERE}hunter2`],
    ),
  },
)

/** Data that mostly has the form the schema wants; every secret holds `hunter2`. */
function formed(node: SchemaNode): fc.Arbitrary<unknown> {
  if (node.writeOnly || node.contentMediaType) return secret
  const forms = [...(node.anyOf ?? []).map(formed)]
  const { properties, additionalProperties, items } = node
  if (properties) forms.push(fc.record(mapped(properties), { requiredKeys: [] }))
  if (additionalProperties) forms.push(fc.dictionary(fc.constantFrom('a', 'b', 'X-Key'), formed(additionalProperties)))
  if (items) forms.push(fc.array(formed(items), { maxLength: 3 }))
  return fc.oneof({ weight: 1, arbitrary: scalar }, ...forms.map((arbitrary) => ({ weight: 9, arbitrary })))
}

const mapped = (properties: Readonly<Record<string, SchemaNode>>) =>
  Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, formed(node)]))

it('O3: however wrong or right the data, neither a fault nor the configuration shows a secret', () => {
  const outcomes = { loaded: 0, refused: 0 }
  const run = (value: unknown) => {
    const outcome = attempt(stringify(value), { SECRET: 'hunter2' })
    outcomes[outcome instanceof ConfigError ? 'refused' : 'loaded'] += 1
    const shown =
      outcome instanceof ConfigError
        ? [outcome.message, inspect(outcome, { depth: 9 })]
        : [inspect(outcome, { depth: 9 })]
    expect([...shown, JSON.stringify(outcome)].join('\n')).not.toContain('hunter2')
  }
  fc.assert(fc.property(formed(schema), run), { numRuns: 300 })
  const access = Object.fromEntries(
    ['auth', 'headers', 'proxy'].map((name) => [name, formed(settingAt(schema, ['repositories', 'a', name]) ?? {})]),
  )
  const repository = fc.record({ remote: fc.constant('https://a.test'), ...access }, { requiredKeys: ['remote'] })
  fc.assert(fc.property(fc.record({ repositories: fc.record({ a: repository }) }), run), { numRuns: 300 })
  expect(outcomes.loaded).toBeGreaterThan(0)
  expect(outcomes.refused).toBeGreaterThan(0)
})

it('O4: whatever the text, nothing but a ConfigError is thrown', () => {
  const fragments = fc.constantFrom(
    'repositories:',
    '\n',
    '  ',
    'a:',
    ' &x',
    ' *x',
    '[',
    ']',
    '{',
    '}',
    ',',
    ' - ',
    '? ',
    ' !t ',
    '"',
    "'",
    '|',
    '\t',
    '#',
    '<<: ',
    '%YAML 1.1\n',
    '---',
    '...',
    '\u2028',
    '\r',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(fragments, fc.string({ maxLength: 4 })), { maxLength: 30 }), (parts) => {
      attempt(parts.join(''))
    }),
    { numRuns: 500 },
  )
})
