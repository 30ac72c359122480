import { repositoryName } from './names.js'
import { artifactOnly } from './repositories.js'

/** A fault of the parsed YAML, to be located in its text. */
export interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  /** Whether the key is at fault rather than its value. */
  readonly atKey: boolean
}

type Data = Readonly<Record<string, unknown>>

const isMap = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * What no setting shows by itself. Works on the data as read, before validation and whatever its shape, so that
 * these faults are reported together with all others.
 */
export function crossIssues(data: unknown): Issue[] {
  if (!isMap(data) || !isMap(data.repositories)) return []
  const { repositories } = data
  const inherited = isMap(data.defaults) ? data.defaults.profile : undefined
  const perRepository = Object.entries(repositories).flatMap(([name, settings]) => {
    const plain = isMap(settings) && (settings.profile ?? inherited) === 'rfc9111'
    return plain ? forbiddenIssues(name, settings) : []
  })
  return [...nameIssues(repositories), ...perRepository, ...aliasIssues(repositories)]
}

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
    if (setting === 'maxStale') return !/^0(ms|s|m|h|d)?$/.test(String(settings.maxStale))
    return setting !== 'keepOnUpstreamMissing' || settings.keepOnUpstreamMissing === true
  })
  return set.map((setting) => ({
    path: ['repositories', name, setting],
    message: 'is not part of profile rfc9111 (a plain shared cache), expected profile artifact or no such setting',
    atKey: true,
  }))
}

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
