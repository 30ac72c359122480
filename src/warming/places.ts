import type { Repository } from '../caching/repository.js'

/** An artifact of a repository. */
export interface Place {
  readonly repository: Repository
  /** Path and query, as clients write them. */
  readonly target: string
}

/** Where a URL is to be had by the remote it names (the nearest, where several do), http or https. */
export function placeAtRemote(url: string, repositories: readonly Repository[]): Place | undefined {
  const { whole } = splitUrl(url)
  const [nearest] = repositories
    .flatMap((repository) => repository.remotes.map((remote) => ({ repository, base: withoutScheme(remote.url) })))
    .filter(({ base }) => whole.startsWith(`${base}/`))
    .sort((a, b) => b.base.length - a.base.length)
  return nearest && { repository: nearest.repository, target: whole.slice(nearest.base.length) }
}

/**
 * Where a URL of the world is to be had here: in the repository whose remote it is (the nearest, where several are), else in
 * the one that has its host for a name or alias. `undefined` where there is none.
 */
export function placeOfUrl(url: string, repositories: readonly Repository[]): Place | undefined {
  const { host, whole } = splitUrl(url)
  const atRemote = placeAtRemote(url, repositories)
  if (atRemote) return atRemote
  const named = repositories.find(({ name, aliases }) => [name, ...aliases].includes(host))
  return named && { repository: named, target: whole.slice(host.length) }
}

function splitUrl(url: string): { readonly host: string; readonly whole: string } {
  const [, written = '', target = '/'] = /^https?:\/\/([^/?#]+)([^#]*)/i.exec(url) ?? []
  const host = written.toLowerCase()
  return { host, whole: (host + target).replace(/^([^/]*)$/, '$1/') }
}

/** Mirrors speak http or https of the same artifact. */
const withoutScheme = (url: string) => url.replace(/^https?:\/\//i, '')

export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text)

/** `<repository>/<path>`, split. */
export function splitItem(item: string): { readonly name: string; readonly target: string } {
  const slash = item.indexOf('/')
  return slash === -1 ? { name: item, target: '/' } : { name: item.slice(0, slash), target: item.slice(slash) }
}
