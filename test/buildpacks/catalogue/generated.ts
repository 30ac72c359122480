import { buildpackNames } from '../../../src/buildpacks/catalogue/buildpack.js'
import { buildpacks } from '../../../src/buildpacks/catalogue/buildpacks.js'
import { presetNames, presetRepository, presets } from '../../../src/buildpacks/catalogue/presets.js'
import type { Releases } from '../../../src/buildpacks/catalogue/releases.js'
import { type Reader, variables } from '../../../src/buildpacks/catalogue/variables.js'
import { code, table, withParts } from '../../support/markdown.js'

/** `text` with its generated parts as the catalogue has them. */
export function withCatalogue(text: string): string {
  return withParts(text, {
    downloads: downloadRows(),
    variables: variableRows(),
    presets: presetRows(),
    repositories: repositoryRows(),
  })
}

function releases({ since, until }: Releases): string {
  if (since === undefined && until === undefined) return ''
  if (since === undefined) return `up to v${until}`
  return until === undefined ? `since v${since}` : `v${since} to v${until}`
}

function downloadRows(): string {
  const rows = buildpackNames.flatMap((name) =>
    buildpacks[name].downloads.map(({ what, url, variable, writtenIn, ...range }) => [
      ...[name, releases(range), what, code(url)],
      ledBy(variable, writtenIn),
    ]),
  )
  return table(['Buildpack', 'Releases', 'Downloads', 'From', 'Led here by'], rows)
}

/** A variable that stands beside files is read by forks, where those files were changed. */
function ledBy(variable: string | undefined, writtenIn: string | undefined): string {
  const rewriting = writtenIn === undefined ? [] : [`rewriting (${code(writtenIn)})`]
  const ways = variable === undefined ? rewriting : [...rewriting, `${code(variable)}${writtenIn ? ' in forks' : ''}`]
  return ways.join(', ')
}

const kinds = { file: 'the URL of a file', base: 'a base', mirror: 'a mirror of hosts', list: 'a list of bases' }

function variableRows(): string {
  const rows = variables.map(({ name, takes, leadsTo, readBy, instead }) => [
    ...[code(name), kinds[takes]],
    leadsTo ? code(`${leadsTo.repository}${leadsTo.path === '' ? '' : '/'}${leadsTo.path}`) : '',
    readBy.map(reader).join(', '),
    instead ?? '',
  ])
  return table(['Variable', 'Takes', 'Repository and path', 'Read by', 'Instead, elsewhere'], rows)
}

function reader({ buildpack, tool, forksOnly, ...range }: Reader): string {
  const who = [tool ?? buildpack, releases(range)].filter((part) => part !== '').join(' ')
  return forksOnly ? `forks of ${who}` : who
}

function presetRows(): string {
  return table(
    ['Preset', 'Repositories'],
    presetNames.map((name) => [code(name), Object.keys(presets[name]).map(code).join(', ')]),
  )
}

function repositoryRows(): string {
  const names = [...new Set(presetNames.flatMap((name) => Object.keys(presets[name])))]
  const rows = names.map((name) => {
    const { remote = '', aliases = [], allow = [], rewrite = [] } = presetRepository(name) ?? {}
    const globs = (list: readonly string[]) => list.map(code).join(', ')
    return [code(name), code(remote), globs(aliases), globs(allow), globs(rewrite.map(({ match }) => match))]
  })
  return table(['Repository', 'Remote', 'Aliases', 'Serves only', 'Rewritten'], rows)
}
