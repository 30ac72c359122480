import { mirroredHost, type Variable } from '../catalogue/variables.js'
import { goesBy, mirrorAt } from '../environment/places.js'
import type { Fault, Surroundings } from './finding.js'
import { httpUrl, placeOf, unknownRepository } from './own-url.js'

const placeholder = '{originalHost}'

/** What is wrong with a mirror of dependencies, for all hosts or for one. */
export function mirrorFaults({ name }: Variable, value: string, surroundings: Surroundings): readonly Fault[] {
  const expected = mirrorAt(surroundings.url.replace(/^http:/, 'https:'))
  const host = mirroredHost(name)
  const url = httpUrl(value.replace(placeholder, 'original-host'))
  if (!url) return [{ fault: 'is not an https URL', expected }]
  const faults: Fault[] = []
  if (url.protocol !== 'https:') faults.push({ fault: 'is http, and Paketo takes https only', expected })
  if (!surroundings.hosts.includes(url.host)) {
    return [...faults, { fault: `leads to ${url.host}, not to Larder`, expected }]
  }
  if (value.includes(placeholder)) return [...faults, ...replacedFaults(host, url, surroundings, expected)]
  if (host === undefined) {
    return [...faults, { fault: `lacks ${placeholder}, so all hosts would be looked for in one repository`, expected }]
  }
  const place = placeOf(url)
  if (!place) return [...faults, { fault: 'names no repository', expected }]
  const known = surroundings.repositories.some((repository) => goesBy(repository, place.repository))
  return known ? faults : [...faults, unknownRepository(place.repository, surroundings)]
}

/** Its readers put the host where the name of the repository has to be. */
function replacedFaults(
  host: string | undefined,
  url: URL,
  surroundings: Surroundings,
  expected: string,
): readonly Fault[] {
  if (placeOf(url)?.repository !== 'original-host') {
    return [{ fault: `has ${placeholder} elsewhere than behind /repository/`, expected }]
  }
  if (host === undefined || surroundings.repositories.some((repository) => goesBy(repository, host))) return []
  return [unknownRepository(host, surroundings)]
}
