import { suggestion } from '../../config/wording.js'
import type { Fault, Surroundings } from './finding.js'

export const httpUrl = (value: string): URL | undefined =>
  /^https?:\/\//i.test(value) && URL.canParse(value) ? new URL(value) : undefined

/** The place of a URL of ours: what stands behind /repository/. None behind an empty segment, which no route has. */
export function placeOf({ pathname }: URL): { readonly repository: string; readonly path: string } | undefined {
  const [, repository, path = ''] = /^(?:\/[^/]+)*?\/repository\/([^/]+)(?:\/(.*))?$/.exec(pathname) ?? []
  return repository === undefined ? undefined : { repository, path }
}

export function unknownRepository(name: string, { repositories }: Surroundings): Fault {
  const names = repositories.flatMap((repository) => [repository.name, ...repository.aliases])
  return {
    fault: `names a repository that is not configured: ${name}${suggestion(name, names)}`,
    expected: 'one of repositories.yaml',
  }
}
