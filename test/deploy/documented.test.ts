import { existsSync, readdirSync } from 'node:fs'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { type ErrorCode, LarderError } from '../../src/errors.js'
import { errorAnswer } from '../../src/http/on-error.js'
import { createMetrics } from '../../src/metrics.js'
import { code, table, withParts } from '../support/markdown.js'
import { inCheckout, textOf } from './files.js'

function metricRows(): string {
  const rows = createMetrics()
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith('larder_'))
    .map((metric) => {
      const { labelNames } = metric as unknown as { readonly labelNames: readonly string[] }
      return [code(metric.name), labelNames.join(', '), metric.help]
    })
  return table(['Metric', 'Labels', 'Meaning'], rows)
}

// `npx vitest run test/deploy/documented.test.ts -u` writes it anew.
it('O2: docs/operations.md says what each metric means', async () => {
  const text = withParts(textOf('docs/operations.md'), { metrics: metricRows() })
  expect(text).toMatch(/\| `larder_requests_total` +\| repository, method, status, outcome, collapsed +\| Requests/)
  await expect(text).toMatchFileSnapshot('../../docs/operations.md')
})

it('C9: docs/troubleshooting.md has every error code, with its status', () => {
  const codes = [...textOf('src/errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'$/gm)].map(([, code]) => code as ErrorCode)
  const request = new IncomingMessage(new Socket())
  const expected = codes.map((code) => [code, errorAnswer(new LarderError(code, ''), request).status])
  const rows = textOf('docs/troubleshooting.md').matchAll(/^\| `([A-Z_]+)` +\| (\d{3}) +\| \S/gm)
  expect([...rows].map(([, code, status]) => [code, Number(status)])).toEqual(expected)
})

const pages = [
  ...['README.md', 'deploy/README.md'],
  ...readdirSync(inCheckout('docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** The anchors of a page's headings, as GitHub and GitLab make them. */
const anchorsOf = (page: string): string[] =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

it.each(pages)('%s has no dead link', (page) => {
  const links = [...textOf(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
  const dead = links.filter(([, path = '', anchor]) => {
    const target = path === '' ? page : join(dirname(page), path)
    if (!existsSync(inCheckout(target))) return true
    return anchor !== undefined && !anchorsOf(target).includes(anchor)
  })
  expect(dead.map(([link]) => link)).toEqual([])
})
