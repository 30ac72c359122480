import type { Repository } from '../../caching/repository.js'
import { bucketOf } from './s3-hosts.js'

/** Where in the world a repository's content is to be found: below a path of some host or bucket. */
interface Place {
  readonly repository: Pick<Repository, 'name' | 'routing'>
  /** `''` for the root, else beginning with a slash and without one at its end. */
  readonly path: string
}

export interface Places {
  /**
   * Those that a path of `host` may lie in, the longest first; where they are alike, in the order of the repositories.
   * `path` is asked for where it matters.
   */
  near(host: string, path: () => string): readonly NearPlace[]
  /** Equal where the same URLs lie in the same repositories. */
  readonly canonical: string
}

interface NearPlace extends Place {
  /** Characters of the URL's path before the place's own. */
  readonly before: number
}

/**
 * The places of the proxies among these: their remotes, and their names and aliases that are host names. All spellings
 * of an S3 bucket's host are one place.
 */
export function placesOf(repositories: readonly Repository[]): Places {
  const byRoot = new Map<string, Place[]>()
  for (const repository of repositories.filter(({ type }) => type === 'proxy')) {
    for (const { root, path } of rootsOf(repository)) {
      byRoot.set(root, [...(byRoot.get(root) ?? []), { repository, path }])
    }
  }
  for (const places of byRoot.values()) places.sort((a, b) => b.path.length - a.path.length)
  return {
    near: (host, path) =>
      rootsAround(host, path).flatMap(({ root, before }) =>
        (byRoot.get(root) ?? []).map((place) => ({ ...place, before })),
      ),
    canonical: JSON.stringify(
      [...byRoot].sort(([a], [b]) => (a < b ? -1 : 1)).map(([root, places]) => [root, ...places.map(written)]),
    ),
  }
}

function rootsOf({ name, aliases, remotes }: Repository): readonly { readonly root: string; readonly path: string }[] {
  const hosts = [name, ...aliases].filter((alias) => alias.includes('.')).map((alias) => ({ host: alias, path: '' }))
  return [...remotes.map(({ url }) => splitUrl(url)), ...hosts].map(({ host, path }) => {
    const [{ root, before }] = rootsAround(host.toLowerCase(), () => path)
    return { root, path: path.slice(before) }
  })
}

interface Root {
  readonly root: string
  /** Characters of the path that belong to it. */
  readonly before: number
}

/** The bucket, where it is in one; and the host, which a repository may have whole. */
function rootsAround(host: string, path: () => string): readonly [Root, ...Root[]] {
  const bucket = bucketOf(host, path)
  const whole = { root: host, before: 0 }
  return bucket ? [{ root: `bucket ${bucket.name}`, before: bucket.inPath }, whole] : [whole]
}

/** The host with its port, unless that is the scheme's own; and the path as it is written. */
function splitUrl(url: string): { readonly host: string; readonly path: string } {
  const path = /^https?:\/\/[^/]*(.*)$/i.exec(url)?.[1] ?? ''
  return { host: new URL(url).host, path }
}

const written = ({ path, repository: { name, routing } }: Place) => [
  path,
  name,
  routing.allow.map(({ match }) => match),
  routing.block.map(({ match }) => match),
]
