import { type Data, type Issue, isMap } from './issue.js'
import { repositoryName } from './names.js'
import { parseDuration } from './quantities.js'
import { remoteIssues } from './remote-checks.js'
import { artifactOnly, profileDefaults } from './repositories.js'
import { memberIssues, typeIssues } from './type-checks.js'
import { wrong } from './wording.js'

/**
 * What no setting shows by itself. Works on the data as read, before validation and whatever its shape, so that
 * these faults are reported together with all others.
 */
export function crossIssues(data: unknown): Issue[] {
  if (!isMap(data)) return []
  const { repositories = {} } = data
  if (!isMap(repositories)) return []
  if (Object.keys(repositories).length === 0) return namesPresets(data) ? [] : [nothingServed(data)]
  const defaults = isMap(data.defaults) ? data.defaults : {}
  const perRepository = Object.entries(repositories).flatMap(([name, settings]) => {
    if (!isMap(settings)) return []
    const plain = (settings.profile ?? defaults.profile) === 'rfc9111'
    return [
      ...(plain ? forbiddenIssues(name, settings) : []),
      ...breakerIssues(['repositories', name], settings.breaker, defaults.breaker),
      ...typeIssues(['repositories', name], settings),
      ...remoteIssues(['repositories', name], settings),
    ]
  })
  return [
    ...nameIssues(repositories),
    ...breakerIssues(['defaults'], defaults.breaker, undefined),
    ...perRepository,
    ...memberIssues(repositories),
    ...aliasIssues(repositories),
  ]
}

/** Presets that are none are told of themselves. */
const namesPresets = ({ presets }: Data) => Array.isArray(presets) && presets.length > 0

const nothingServed = ({ repositories }: Data): Issue => ({
  path: ['repositories'],
  message:
    repositories === undefined
      ? wrong(undefined, 'a map of repositories, or presets')
      : 'is empty, expected at least one repository, or presets',
  atKey: false,
})

/** zod passes over this one key of a record without a word; the repository would be missing without one too. */
function nameIssues(repositories: Data): Issue[] {
  const names = Object.keys(repositories).filter((name) => name === '__proto__')
  return names.flatMap((name) => {
    const message = repositoryName.safeParse(name).error?.issues[0]?.message
    return message === undefined ? [] : [{ path: ['repositories', name], message, atKey: true }]
  })
}

function forbiddenIssues(name: string, settings: Data): Issue[] {
  const set = artifactOnly.filter((setting) => {
    if (!(setting in settings)) return false
    if (setting === 'maxStale') return !/^0(ms|s|m|h|d)?$/.test(scalarText(settings.maxStale))
    return setting !== 'keepOnUpstreamMissing' || settings.keepOnUpstreamMissing === true
  })
  return set.map((setting) => ({
    path: ['repositories', name, setting],
    message: 'is not part of profile rfc9111 (a plain shared cache), expected profile artifact or no such setting',
    atKey: true,
  }))
}

/** `own` at `path` lies over `inherited`; what neither says is the profile's. */
function breakerIssues(path: readonly PropertyKey[], own: unknown, inherited: unknown): Issue[] {
  if (!isMap(own)) return []
  const { openFor, maxOpenFor } = { ...profileDefaults.artifact.breaker, ...(isMap(inherited) && inherited), ...own }
  const [first, most] = [parseDuration(scalarText(openFor)), parseDuration(scalarText(maxOpenFor))]
  if (first === undefined || most === undefined || first <= most) return []
  const settings = { maxOpenFor: 'is shorter than openFor', openFor: 'is longer than maxOpenFor' }
  const [setting, fault] = Object.entries(settings).find(([name]) => name in own) ?? []
  if (setting === undefined) return []
  const message = `${fault}, expected both, maxOpenFor at least as long as openFor`
  return [{ path: [...path, 'breaker', setting], message, atKey: false }]
}

const scalarText = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

/** Names and aliases share one space: each stands for one repository. */
function aliasIssues(repositories: Data): Issue[] {
  const owners = new Map(Object.keys(repositories).map((name) => [name, name]))
  const issues: Issue[] = []
  for (const [name, settings] of Object.entries(repositories)) {
    const aliases = isMap(settings) && Array.isArray(settings.aliases) ? settings.aliases : []
    for (const [index, alias] of aliases.entries()) {
      if (typeof alias !== 'string') continue
      const owner = owners.get(alias)
      if (owner === undefined) owners.set(alias, name)
      else issues.push({ path: ['repositories', name, 'aliases', index], message: taken(owner), atKey: false })
    }
  }
  return issues
}

const taken = (owner: string) => `already stands for the repository ${owner}, expected a name no other uses`
