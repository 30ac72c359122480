import { type Data, type Issue, isMap } from './issue.js'
import { remoteUrl } from './names.js'

interface Entry {
  readonly value: unknown
  readonly path: readonly PropertyKey[]
}

/** What is wrong between the remotes of a repository, and between their settings and its own; works on data as read. */
export function remoteIssues(repository: readonly PropertyKey[], settings: Data): Issue[] {
  const entries = entriesOf([...repository, 'remote'], settings.remote)
  return [...repeatedMirrors(entries), ...authorizationTwice(repository, settings, entries)]
}

function entriesOf(path: readonly PropertyKey[], remote: unknown): readonly Entry[] {
  if (!Array.isArray(remote)) return [{ value: remote, path }]
  return remote.map((value, index) => ({ value, path: [...path, index] }))
}

function repeatedMirrors(entries: readonly Entry[]): Issue[] {
  const seen = new Set<string>()
  return entries.flatMap(({ value, path }) => {
    const url = remoteUrl.safeParse(isMap(value) ? value.url : value).data
    if (url === undefined) return []
    const repeated = seen.has(url)
    seen.add(url)
    const message = 'is a remote of this list already, expected each mirror once'
    return repeated ? [{ path: isMap(value) ? [...path, 'url'] : path, message, atKey: false }] : []
  })
}

/** `auth` writes `Authorization` itself. The field may be the repository's and `auth` an entry's, or the other way round. */
function authorizationTwice(repository: readonly PropertyKey[], settings: Data, entries: readonly Entry[]): Issue[] {
  const issues = new Map<unknown, Issue>()
  for (const { value, path } of entries) {
    const entry = isMap(value) ? value : {}
    const [headers, at] = entry.headers === undefined ? [settings.headers, repository] : [entry.headers, path]
    const auth = entry.auth ?? settings.auth ?? 'none'
    const name = isMap(headers) && Object.keys(headers).find((key) => key.toLowerCase() === 'authorization')
    if (!name || auth === 'none') continue
    const message = 'stands beside auth, which sets this field, expected one of them'
    issues.set(headers, { path: [...at, 'headers', name], message, atKey: true })
  }
  return [...issues.values()]
}
