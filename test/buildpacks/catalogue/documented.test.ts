import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { presetNames } from '../../../src/buildpacks/catalogue/presets.js'
import { variables } from '../../../src/buildpacks/catalogue/variables.js'
import { parseConfig } from '../../../src/config/load.js'
import { withCatalogue } from './generated.js'

const page = new URL('../../../docs/buildpacks.md', import.meta.url)

describe('docs/buildpacks.md', () => {
  // `npx vitest run test/buildpacks/catalogue -u` writes it anew.
  it('holds the tables the catalogue says', async () => {
    const text = withCatalogue(await readFile(page, 'utf8'))
    for (const { name } of variables) expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'))
    for (const name of presetNames) expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'))
    expect(text).toMatch(/^\| jvm-common +\| since v163 +\| JDK +\|/m)
    await expect(text).toMatchFileSnapshot(page.pathname)
  })

  it('has examples that are configurations', async () => {
    const examples = [...(await readFile(page, 'utf8')).matchAll(/```yaml\n(presets:.*?)```/gs)]
    expect(examples.length).toBeGreaterThan(0)
    for (const [, text = ''] of examples) expect(() => parseConfig(text, 'example.yaml', {})).not.toThrow()
  })
})
