import type { Repository } from '../../caching/repository.js'
import { isRouted } from '../../caching/routing.js'
import type { Variable } from '../catalogue/variables.js'
import { configuredAs, goesBy, placeIn } from '../environment/places.js'
import type { Fault, Surroundings } from './finding.js'
import { mirrorFaults } from './mirrors.js'
import { httpUrl, placeOf, unknownRepository } from './own-url.js'

/** What is wrong with the value of a variable. */
export function urlFaults(variable: Variable, value: string, surroundings: Surroundings): readonly Fault[] {
  if (variable.takes === 'mirror') return mirrorFaults(variable, value, surroundings)
  if (variable.takes !== 'list') return oneUrl(variable, value, surroundings)
  const urls = value.split(/\s+/).filter((word) => word !== '' && word !== '-')
  return urls.flatMap((url) => oneUrl(variable, url, surroundings))
}

function oneUrl(variable: Variable, value: string, surroundings: Surroundings): readonly Fault[] {
  const url = httpUrl(value)
  // A buildpack can also be named by its place in a registry.
  if (!url && variable.name === 'BUILDPACK_URL') return []
  if (!url) return [{ fault: 'is not an http or https URL', expected: wanted(variable, surroundings) }]
  return [...placeFaults(variable, url, surroundings), ...demandFaults(variable, value, url)]
}

/** What to expect, as a whole URL where the catalogue knows one. */
function wanted({ leadsTo, endings }: Variable, { url, repositories }: Surroundings): string {
  if (!leadsTo)
    return `a URL below ${placeIn(url, 'NAME', '')}${endings ? ` that ends in ${endings.join(' or ')}` : ''}`
  const repository = configuredAs(leadsTo.repository, repositories)?.name ?? leadsTo.repository
  return placeIn(url, repository, leadsTo.path.replace('{stack-arch}', 'STACK'))
}

/** The same file through Larder, where a repository has that host and serves it. */
function sameThere(url: URL, variable: Variable, surroundings: Surroundings): string {
  const repository = surroundings.repositories.find((candidate) => goesBy(candidate, url.hostname))
  const path = gitArchive(url) ?? url.pathname.slice(1)
  if (variable.takes !== 'file' || !repository || !isRouted(repository.routing, `/${path}`)) {
    return wanted(variable, surroundings)
  }
  return placeIn(surroundings.url, repository.name, path)
}

/** The archive of what git would clone from GitHub: `https://github.com/OWNER/NAME.git#REF`. */
function gitArchive({ hostname, pathname, hash }: URL): string | undefined {
  const [, source] = (hostname === 'github.com' && /^\/([^/]+\/[^/]+?)(?:\.git)?\/?$/.exec(pathname)) || []
  return source === undefined ? undefined : `${source}/archive/${hash.slice(1) || 'refs/tags/TAG'}.tar.gz`
}

function placeFaults(variable: Variable, url: URL, surroundings: Surroundings): readonly Fault[] {
  if (!surroundings.hosts.includes(url.host)) {
    if (variable.mayLeadElsewhere) return []
    return [{ fault: `leads to ${url.host}, not to Larder`, expected: sameThere(url, variable, surroundings) }]
  }
  const place = placeOf(url)
  const expected = wanted(variable, surroundings)
  if (!place) return [{ fault: 'names no repository', expected }]
  const repository = surroundings.repositories.find((candidate) => goesBy(candidate, place.repository))
  if (!repository) return [unknownRepository(place.repository, surroundings)]
  if (variable.takes === 'file') return fileFaults(variable, repository, place.path, expected)
  if (variable.takes === 'base') return baseFaults(variable, repository, place.path, surroundings)
  return []
}

function fileFaults({ endings }: Variable, repository: Repository, path: string, expected: string): readonly Fault[] {
  if (path === '') return [{ fault: 'leads to a repository as a whole, and its reader appends nothing', expected }]
  if (endings && !endings.some((ending) => path.endsWith(ending))) {
    return [{ fault: `is not the URL of a file that ends in ${endings.join(' or ')}`, expected }]
  }
  if (isRouted(repository.routing, `/${path}`)) return []
  return [{ fault: `has a path that the repository ${repository.name} does not serve`, expected: routes(repository) }]
}

const routes = ({ routing: { allow, block } }: Repository) =>
  [
    ...(allow.length > 0 ? [`one that fits ${allow.map(({ match }) => match).join(' or ')}`] : []),
    ...(block.length > 0 ? [`none that fits ${block.map(({ match }) => match).join(' or ')}`] : []),
  ].join(', ')

const fileLike = /\.(tgz|tar\.\w+|zip|jar|sh|json)$/

function baseFaults(
  variable: Variable,
  repository: Repository,
  path: string,
  surroundings: Surroundings,
): readonly Fault[] {
  const { leadsTo } = variable
  const expected = wanted(variable, surroundings)
  if (fileLike.test(path)) return [{ fault: 'is the URL of a file, and its reader appends a path', expected }]
  const usual = leadsTo && configuredAs(leadsTo.repository, surroundings.repositories)
  const trimmed = (text: string) => text.replace(/\/+$/, '')
  if (usual?.name !== repository.name || trimmed(path) === trimmed(leadsTo?.path ?? '')) return []
  return [{ fault: 'begins at the wrong directory: its reader appends the rest of the path itself', expected }]
}

/** What nvm takes for a URL: no port, no user, no percent signs. */
const nvmUrl = /^https?:\/\/[a-zA-Z0-9./_-]+$/

function demandFaults({ demands }: Variable, value: string, url: URL): readonly Fault[] {
  if (demands === 'no-port' && !nvmUrl.test(value)) {
    const what = url.port === '' ? 'characters' : 'a port'
    return [
      {
        fault: `has ${what} that nvm refuses`,
        expected: 'letters, digits and ./_- behind https://, and so port 443 or 80',
      },
    ]
  }
  if (demands === 'slash-at-end' && !url.pathname.endsWith('/')) {
    return [{ fault: 'does not end in a slash, and its reader puts none in', expected: 'a slash at its end' }]
  }
  return []
}
