import { forwardedNames, variableNamed, variables } from '../catalogue/variables.js'
import { isForwarded } from '../environment/forms.js'
import { expanded } from './expand.js'
import type { Finding, ProjectVariable } from './finding.js'
import { resembling } from './resembling.js'

/** What GitLab sets itself. */
const predefined = /^(CI|GITLAB|TRIGGER)(_|$)/

/** Whether all that leads a build to Larder is forwarded into it, and all that is forwarded is there. */
export function forwardingFindings(set: readonly ProjectVariable[], url: string): readonly Finding[] {
  const needed = set.filter(({ name }) => variableNamed(name) && isForwarded(name))
  const list = set.find(({ name }) => name === forwardedNames)
  if (!list) return needed.length === 0 ? [] : [notForwarded(needed)]
  const named = expanded(list, set, url)?.split(',')
  // Other names may come with a variable of elsewhere.
  if (!named) return []
  const at = (fault: string, expected: string): Finding => ({
    line: list.line,
    variable: forwardedNames,
    ...{ fault, expected },
  })
  const missing = needed.map(({ name }) => name).filter((name) => !named.includes(name))
  return [
    ...named.flatMap((name) => listed(name, set).map(([fault, expected]) => at(fault, expected))),
    ...[...new Set(missing)].map((name) => at(`does not name ${name}, which so never reaches the build`, name)),
  ]
}

function notForwarded(needed: readonly ProjectVariable[]): Finding {
  const names = [...new Set(needed.map(({ name }) => name))].join(',')
  const fault = 'is not set, so no build gets the variables of this file'
  return { line: needed[0]?.line ?? 0, variable: forwardedNames, fault, expected: names }
}

/** What is wrong with one of its names: GitLab takes it as it stands, and drops one that is not set without a word. */
function listed(name: string, set: readonly ProjectVariable[]): readonly (readonly [string, string])[] {
  const trimmed = name.trim()
  if (trimmed === '') return [['has an empty name in it', 'one comma between two names, and none at the ends']]
  // What is no name may be a value that was put in the wrong place.
  if (!/^\w+$/.test(trimmed)) return [['has an entry that is no name of a variable', 'names between commas']]
  if (trimmed !== name) return [[`has a blank beside ${trimmed}`, 'names between commas without blanks']]
  if (set.some((variable) => variable.name === name) || variableNamed(name) || predefined.test(name)) return []
  const meant = resembling(name, [...set.map((variable) => variable.name), ...variables.map((known) => known.name)])
  if (meant !== undefined) return [[`names ${name}, which is not set`, meant]]
  return [[`names ${name}, which this file does not set`, 'a variable that is set here, or for the group']]
}
