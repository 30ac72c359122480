import fc from 'fast-check'
import { expect, it } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError } from '../../src/config/config-error.js'
import { parseConfig } from '../../src/config/load.js'
import { knownSettings } from '../../src/config/schema.js'

const settings = knownSettings(['repositories', 'a'])
const scalar = fc.oneof(
  fc.constantFrom('https://a.test', 'artifact', 'rfc9111', 'all', 'forever', '5m', 'a', `\${X}`, '__proto__'),
  fc.jsonValue({ maxDepth: 2 }),
)
const repository = fc.dictionary(fc.oneof(fc.constantFrom(...settings), fc.string()), scalar)
const data = fc.record(
  { defaults: repository, repositories: fc.dictionary(fc.oneof(fc.constantFrom('a', 'b'), fc.string()), repository) },
  { requiredKeys: [] },
)

function attempt(text: string): ConfigError | undefined {
  try {
    parseConfig(text, 'r.yaml', {})
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return undefined
}

it('O4: whatever the data, there is a configuration or a list of faults, each within the text', () => {
  fc.assert(
    fc.property(data, (value) => {
      const text = stringify(value)
      const lines = text.split('\n').length
      for (const { line, column, message } of attempt(text)?.faults ?? []) {
        expect(message).toMatch(/expected|not set|not YAML|not a setting/)
        if (line === 0) continue
        expect(line).toBeLessThanOrEqual(lines)
        expect(column).toBeGreaterThan(0)
      }
    }),
  )
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
