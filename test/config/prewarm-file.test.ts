import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadPrewarmFile } from '../../src/config/prewarm-file.js'
import { temporaryDirectory } from '../support/stage.js'
import { faultLines, faultsOf } from './faults.js'

const documentation = readFileSync(new URL('../../docs/prewarm.md', import.meta.url), 'utf8')
const examples = [...documentation.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text)

async function prewarmFile(text: string) {
  const directory = await temporaryDirectory()
  const file = join(directory, 'prewarm.yaml')
  await writeFile(file, text)
  return { directory, file }
}

describe('prewarm.yaml', () => {
  it('the example of docs/prewarm.md is one; its lists are relative to it', async () => {
    const { directory, file } = await prewarmFile(examples[0] ?? '')
    const { lists, from, rate } = loadPrewarmFile(file, {})
    expect([lists, from.length, rate]).toEqual([[join(directory, 'more.txt')], 3, 20 * 1024 * 1024])
  })

  it('and its other is a repositories.yaml', () => {
    expect(examples).toHaveLength(2)
    expect(faultsOf(examples[1] ?? '')).toEqual([])
  })

  it.each([
    ['nothing', '', 'is empty, expected a map with items: or from:'],
    ['no YAML', 'items: [', 'is not YAML'],
    ['a list', '- raw/a\n', '1:1: is a list, expected a map'],
    ['a brace too many', 'items: ["raw/{1..99999}"]\n', '1:9: items[0]: is not accepted'],
    ['a file for nothing', 'from: [{ s3: raw/a, file: b }]\n', '1:8: from[0]: has a file, expected that only with'],
    ['a glob that is none', 'from: [{ s3: raw/a, match: "[" }]\n', '1:28: from[0].match: is not accepted'],
    ['an unset variable', `items: ["raw/\${NOPE}"]\n`, 'names the variable NOPE, which is not set'],
  ])('%s: says what is wrong, and where', async (_, text, fault) => {
    const { file } = await prewarmFile(text)
    expect(faultLines(() => loadPrewarmFile(file, {})).join('\n')).toContain(fault)
  })
})
