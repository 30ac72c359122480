import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeIdentity } from './certificates.js'
import { faultsIn } from './faults.js'

const documentation = ['configuration.md', 'hosted.md'].map((page) =>
  readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8'),
)
const examples = [...documentation.join('\n').matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text)

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'larder-documented-'))
  mkdirSync(join(directory, 'secrets'))
  for (const name of examples.join().matchAll(/file:\/run\/secrets\/([\w-]+)/g)) {
    writeFileSync(join(directory, 'secrets', String(name[1])), 'secret\n')
  }
  makeIdentity(directory, 'corp-ca')
  makeIdentity(directory, 'larder')
})
afterAll(() => rmSync(directory, { recursive: true }))

it.each(examples.filter((text) => text.includes('repositories:')).map((text) => [text]))(
  'an example of the documentation is a configuration: %s',
  (text) => {
    const env = Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, 'secret']))
    expect(faultsIn(directory, text.replaceAll('/run/secrets/', 'secrets/'), env)).toEqual([])
  },
)

it('there are such examples', () => {
  expect(examples.length).toBeGreaterThan(10)
})
