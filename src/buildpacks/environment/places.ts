import type { Repository } from '../../caching/repository.js'
import { presetRepository } from '../catalogue/presets.js'

/**
 * The configured repository that has what the catalogue's repository `name` has: the one that goes by its name, else one with
 * its remote under whatever name.
 */
export function configuredAs(name: string, repositories: readonly Repository[]): Repository | undefined {
  const named = repositories.find((repository) => goesBy(repository, name))
  if (named) return named
  const urls = urlsOf(name)
  return repositories.find(({ remotes }) => remotes.some(({ url }) => urls.includes(url)))
}

export const goesBy = ({ name, aliases }: Repository, wanted: string): boolean =>
  name === wanted || aliases.includes(wanted)

function urlsOf(name: string): readonly string[] {
  const preset = presetRepository(name)
  return preset === undefined ? [] : [preset.remote, ...(preset.aliases ?? []).map((host) => `https://${host}`)]
}

/** The URL of a path of a repository; `url` is where builds reach Larder, without a slash at its end. */
export const placeIn = (url: string, repository: string, path: string): string =>
  `${url}/repository/${repository}${path === '' ? '' : `/${path}`}`

/** What a mirror by host is set to: its readers put the host and its path in. */
export const mirrorAt = (url: string): string => placeIn(url, '{originalHost}', '')
