import type { ArtifactPage, ArtifactState, ArtifactSummary, Removed, RepositoryState } from '../administration/views.js'
import { uploaded } from '../caching/repository.js'
import type { ApiClient } from './api-client.js'
import {
  CommandFailed,
  duration,
  fields,
  json,
  minute,
  NotUnderstood,
  printable,
  size,
  type Terminal,
  table,
} from './terminal.js'

/** How the words behind `<repository>/` are meant; as a path unless told. */
interface Meaning {
  readonly prefix?: boolean
  readonly glob?: boolean
  readonly all?: boolean
}

/** `<repository>/<path, prefix or glob>`, or `<repository>` alone with `all`; as the API wants it. */
function designation(words: string, { prefix, glob, all }: Meaning) {
  const slash = words.indexOf('/')
  const repository = slash === -1 ? words : words.slice(0, slash)
  const pattern = slash === -1 ? '' : words.slice(slash + 1)
  if ([prefix, glob, all].filter(Boolean).length > 1) {
    throw new NotUnderstood('expected one of --prefix, --glob and --all, or none of them for a path')
  }
  if (all) {
    if (pattern !== '') throw new NotUnderstood(`--all means the whole repository: larder ... --all ${repository}`)
    return { repository, all: true }
  }
  if (pattern === '')
    throw new NotUnderstood(`which artifacts of ${repository} are meant? expected ${repository}/<path>`)
  // What begins with a slash is written with two: the API takes one off.
  const written = `/${pattern}`
  if (prefix) return { repository, prefix: written }
  return glob ? { repository, glob: pattern } : { repository, path: written }
}

export interface ListOptions {
  readonly glob?: boolean
  readonly limit?: number
  readonly json?: boolean
}

/** Everything, everything of a repository, or what begins with, or fits, what stands behind its name. */
export async function list(api: ApiClient, terminal: Terminal, words: string, options: ListOptions): Promise<void> {
  const [repository = '', ...rest] = words.split('/')
  const pattern = rest.join('/')
  const narrowed = pattern === '' ? {} : { [options.glob ? 'glob' : 'prefix']: pattern }
  const names = repository === '' ? await repositoryNames(api) : [repository]
  let left = options.limit ?? Number.POSITIVE_INFINITY
  for (const name of names) {
    let after: string | undefined
    while (left > 0) {
      const query = { repository: name, after, limit: Math.min(left, 1000), ...narrowed }
      const { artifacts, next } = await api.get<ArtifactPage>('/artifacts', query)
      for (const artifact of artifacts)
        terminal.out(options.json ? `${JSON.stringify(artifact)}\n` : listLine(artifact))
      left -= artifacts.length
      if (next === null) break
      after = next
    }
  }
}

const repositoryNames = async (api: ApiClient): Promise<readonly string[]> =>
  (await api.get<{ repositories: readonly RepositoryState[] }>('/repositories')).repositories
    .filter(({ type }) => type !== 'group')
    .map(({ name }) => name)

/** Narrow columns first and the path last: the widths of what is still to come are not known. */
const listLine = ({ repository, path, bytes, storedAt, pinned }: ArtifactSummary) =>
  `${size(bytes).padStart(10)}  ${minute(storedAt)}  ${pinned ? 'pinned' : '      '}  ${printable(`${repository}/${path}`)}\n`

export async function stat(api: ApiClient, terminal: Terminal, words: string, asJson: boolean): Promise<void> {
  const named = designation(words, {})
  const state = await api.get<ArtifactState>(`/artifacts/${encodeURIComponent(named.repository)}`, { path: named.path })
  if (asJson) return terminal.out(json(state))
  terminal.out(
    fields([
      ['artifact', printable(`${state.repository}/${state.path}`)],
      ['remote', remoteText(state)],
      ['stored', minute(state.storedAt)],
      ['last used', minute(state.lastAccess)],
      ['pinned', state.pinned ? 'yes' : 'no'],
    ]),
  )
  for (const variant of state.details) {
    const life = variant.ttl === null ? 'for ever' : `for ${duration(Math.max(0, variant.ttl))}`
    terminal.out(
      `\n${fields([
        ['size', `${size(variant.size)} (${variant.size} bytes)`],
        ['sha256', variant.sha256],
        ['type', printable(variant.contentType ?? '-')],
        ['etag', printable(variant.etag ?? '-')],
        ['last modified', printable(variant.lastModified ?? '-')],
        ['validated', minute(variant.validatedAt)],
        ['fresh', variant.fresh ? life : 'no: the remote is asked at the next use'],
        ...Object.entries(variant.selecting).map(
          ([name, value]) => [`for ${name}`, printable(value ?? '(none)')] as const,
        ),
      ])}`,
    )
  }
}

function remoteText({ remote, current }: ArtifactState): string {
  if (remote === uploaded)
    return current ? 'none: it was uploaded' : 'none: it was uploaded, when the repository was a hosted one'
  return current ? remote : `${remote} (no longer configured: it will be fetched anew)`
}

export interface PurgeOptions extends Meaning {
  readonly soft?: boolean
  readonly json?: boolean
}

export async function purge(api: ApiClient, terminal: Terminal, words: string, options: PurgeOptions): Promise<void> {
  const soft = options.soft === true
  const removed = await api.post<Removed>('/purge', { ...designation(words, options), soft })
  const { records, bytes } = removed
  const what = `${records} ${records === 1 ? 'artifact' : 'artifacts'} (${size(bytes)})`
  terminal.out(options.json ? json(removed) : `${what} ${soft ? 'to be validated before the next use' : 'removed'}\n`)
}

interface Pins {
  readonly pins: readonly { readonly repository: string; readonly by: string; readonly pattern: string }[]
}

export interface PinOptions extends Meaning {
  readonly json?: boolean
}

export async function pin(api: ApiClient, terminal: Terminal, words: string, options: PinOptions): Promise<void> {
  const pins = await api.post<Pins>('/pins', designation(words, options))
  terminal.out(options.json ? json(pins) : 'pinned\n')
}

export async function unpin(api: ApiClient, terminal: Terminal, words: string, options: PinOptions): Promise<void> {
  const { unpinned } = await api.delete<{ unpinned: boolean }>('/pins', designation(words, options))
  if (!unpinned) throw new CommandFailed('there is no such pin; name it as it was set (larder pins lists them)')
  terminal.out(options.json ? json({ unpinned }) : 'unpinned\n')
}

export async function listPins(api: ApiClient, terminal: Terminal, asJson: boolean): Promise<void> {
  const answer = await api.get<Pins>('/pins')
  if (asJson) return terminal.out(json(answer))
  const rows = answer.pins.map(({ repository, by, pattern }) => [
    by,
    printable(by === 'all' ? repository : `${repository}/${pattern}`),
  ])
  terminal.out(table(['by', 'pinned'], rows))
}
