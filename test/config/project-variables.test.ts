import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inForm } from '../../src/buildpacks/environment/forms.js'
import { readProjectVariables } from '../../src/config/project-variables.js'
import { temporaryDirectory } from '../support/stage.js'

async function read(text: string) {
  const file = join(await temporaryDirectory(), 'variables')
  writeFileSync(file, text)
  return { file, ...readProjectVariables(file) }
}

/** `name=value@line` of each, with a mark on literal ones. */
const told = ({ variables }: Awaited<ReturnType<typeof read>>) =>
  variables.map(({ name, value, line, literal }) => `${name}=${value}@${line}${literal ? '!' : ''}`)

describe('lines', () => {
  it.each([
    ['plain', 'A=1\nB=2\n', ['A=1@1', 'B=2@2']],
    ['between comments and empty lines', '# x=y\n\n  # z\nA=1', ['A=1@4']],
    ['exported', 'export A=1\n  export  B=2', ['A=1@1', 'B=2@2']],
    ['with blanks around', ' A = 1 ', ['A=1@1']],
    ['blanks inside', 'A=- https://x/ ', ['A=- https://x/@1']],
    ['in single quotes', "A='$B # no'", ['A=$B # no@1!']],
    ['as larder env quotes a quote', `export A='it'\\''s'`, ["A=it's@1!"]],
    ['in double quotes', 'A="a \\"b\\" \\$c # d"', ['A=a "b" $c # d@1']],
    ['a comment behind', 'A=1 # one\nB="2" # two\nC= # three', ['A=1@1', 'B=2@2', 'C=@3']],
    ['a number sign inside', 'A=https://x/y#v49', ['A=https://x/y#v49@1']],
    ['a number sign behind a quote', "A='x'#y", ['A=x#y@1!']],
    ['an equals sign inside', 'A=b=c', ['A=b=c@1']],
    ['over several lines', 'A="-----BEGIN\nabc=\n-----END"\nB=2', ['A=-----BEGIN\nabc=\n-----END@1', 'B=2@4']],
    ['blanks in quotes', "A=' x '", ['A= x @1!']],
    ['an apostrophe', "A=it's me\nB=2", ["A=it's me@1", 'B=2@2']],
    ['empty', 'A=\nB=""', ['A=@1', 'B=@2']],
    ['of Windows, with a byte order mark', '\uFEFFA=1\r\nB=2\r\n', ['A=1@1', 'B=2@2']],
    ['in lower case', 'npm_config_disturl=x', ['npm_config_disturl=x@1']],
  ])('%s', async (_, text, expected) => {
    const result = await read(text)
    expect([told(result), result.isGitLab]).toEqual([expected, false])
  })

  it.each([
    ['no assignment', 'A=1\nnothing\n', /:2:1: is no variable/],
    ['an open quote', "A=1\nB='x", /:2:1: is no variable/],
    ['no variables', '# nothing here\n', /sets no variables/],
    ['an empty file', '', /sets no variables/],
  ])('%s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  it('a message never holds a value', async () => {
    await expect(read('PASSWORD=hunter2\nTOKEN hunter2')).rejects.not.toThrow('hunter2')
  })
})

it.each([['shell'], ['dotenv']] as const)('what larder env prints for %s is read as it was meant', async (form) => {
  const file = join(await temporaryDirectory(), 'variables')
  const text = fc.string({ unit: fc.constantFrom(...`ab '"\\$#=-{},~`) })
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), (values) => {
      const settings = values.map((value, index) => ({ name: `V${index}`, value }))
      writeFileSync(file, inForm(form, { settings, warnings: ['a warning'] }, { app: '' }))
      const { variables } = readProjectVariables(file)
      expect(variables.map(({ name, value }) => ({ name, value }))).toEqual(settings)
    }),
  )
})

describe('GitLab', () => {
  it.each([
    ['variables of a pipeline', 'variables:\n  A: "1"\n  B: 2\n', ['A=1@2', 'B=2@3']],
    ['with descriptions', 'variables:\n  A:\n    value: "1"\n    description: one\n', ['A=1@2']],
    ['without a value', 'variables:\n  A:\n    description: one\n  B:\n  C: 3\n', ['C=3@5']],
    ['as they are written', 'variables:\n  A: 1.10\n  B: true\n  C: 0x10\n', ['A=1.10@2', 'B=true@3', 'C=0x10@4']],
    ['of jobs, too', 'variables: { A: "1" }\nbuild:\n  script: [make]\n  variables:\n    B: "2"\n', ['A=1@1', 'B=2@5']],
    ['of jobs alone', 'build:\n  image: x\n  variables:\n    B: "2"\n', ['B=2@4']],
    ['among tags of GitLab', 'build:\n  script: !reference [.setup, script]\n  variables: { B: "2" }\n', ['B=2@3']],
    [
      'by an alias',
      'x: &x { A: "1", B: &b "2" }\nvariables: *x\nbuild: { variables: { C: *b } }\n',
      ['A=1@1', 'B=2@1', 'C=2@3'],
    ],
    [
      'by one alias in several jobs',
      'a:\n  variables: &x { A: "1" }\nb:\n  variables: *x\nc:\n  variables: *x\n',
      ['A=1@2'],
    ],
    ['merged in', '.x: &x\n  A: "1"\n  B: "2"\nvariables:\n  <<: *x\n  B: "3"\n', ['B=3@6', 'A=1@2']],
    [
      'merged in from several, the first counting',
      '.x: &x { A: "1" }\n.y: &y { A: "2", B: "2" }\nvariables:\n  <<: [*x, *y]\n',
      ['A=1@1', 'B=2@2'],
    ],
    ['merged in from nowhere, and from somewhere', 'x: &x { A: "1" }\nvariables: { <<: [*nothing, *x] }\n', ['A=1@1']],
    ['merged into itself', 'variables: &x { <<: *x, A: "1" }\n', ['A=1@1']],
    [
      'by an anchor that is set anew',
      'variables: { A: &x "1", B: *x, C: &x "2", D: *x }\n',
      ['A=1@1', 'B=1@1', 'C=2@1', 'D=2@1'],
    ],
    ['behind the inputs of a component', 'spec:\n  inputs: { a: {} }\n---\nvariables:\n  A: "1"\n', ['A=1@5']],
    [
      'its API',
      '[\n  {"key": "A", "value": "1", "masked": true},\n  {"key": "B", "value": "x y"}\n]',
      ['A=1@2', 'B=x y@3'],
    ],
    ['a map as JSON', '{\n  "A": "1",\n  "B": "2"\n}', ['A=1@2', 'B=2@3']],
    ['variables as JSON', '{"variables": {"A": "1"}, "image": "x"}', ['A=1@1']],
  ])('%s', async (_, text, expected) => {
    const result = await read(text)
    expect([told(result), result.isGitLab]).toEqual([expected, true])
  })

  it.each([
    ['no YAML', 'variables:\n  A: "1\n', /is not YAML or JSON/],
    ['no YAML in its second document', 'variables: { A: "1" }\n---\nB: "1\n', /:4:1: is not YAML or JSON/],
    ['no JSON', '[{"key": "A"', /is not YAML or JSON/],
    ['a list of other things', '[1, 2, {"name": "A"}]', /sets no variables/],
    ['nested without end', `variables: ${'['.repeat(100_000)}`, /nested far too deeply/],
  ])('%s', async (_, text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })
})

it.each([
  ['/nowhere/at/all', /does not exist/],
  ['/', /is a directory/],
])('%s: %s', (file, message) => {
  expect(() => readProjectVariables(file)).toThrow(message)
})
