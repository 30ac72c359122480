import { forwardedNames, type Variable, variableNamed, variables } from '../catalogue/variables.js'
import { reads, releaseText, whenRead, withUsed } from '../environment/choices.js'
import { expanded } from './expand.js'
import type { Fault, Finding, ProjectVariable, Surroundings } from './finding.js'
import { forwardingFindings } from './forwarding.js'
import { resembling } from './resembling.js'
import { urlFaults } from './urls.js'

/** What is wrong with a project's variables, in the order of their lines. */
export function judge(set: readonly ProjectVariable[], surroundings: Surroundings): readonly Finding[] {
  const findings = set.flatMap((variable) =>
    faultsOf(variable, set, surroundings).map((fault) => ({ line: variable.line, variable: variable.name, ...fault })),
  )
  const forwarding = surroundings.forwarding ? forwardingFindings(set, surroundings.url) : []
  return [...findings, ...forwarding].sort((a, b) => a.line - b.line)
}

function faultsOf(
  variable: ProjectVariable,
  set: readonly ProjectVariable[],
  surroundings: Surroundings,
): readonly Fault[] {
  if (variable.name === forwardedNames) return []
  const known = variableNamed(variable.name)
  if (!known) return misspelt(variable.name)
  const value = expanded(variable, set, surroundings.url)
  const wrongUrl = value === undefined ? [] : urlFaults(known, value, surroundings)
  return [...wrongUrl, ...ignored(known, surroundings)]
}

function misspelt(name: string): readonly Fault[] {
  const meant = resembling(name, [...variables.map((variable) => variable.name), forwardedNames])
  return meant === undefined ? [] : [{ fault: 'is read by nothing', expected: meant }]
}

function ignored({ readBy, instead }: Variable, { choices }: Surroundings): readonly Fault[] {
  const all = withUsed(choices)
  const concerned = all.flatMap((choice) => {
    const reader = readBy.find(({ buildpack }) => buildpack === choice.buildpack)
    return reader ? [{ choice, reader }] : []
  })
  if (concerned.length === 0 || readBy.some((reader) => all.some((choice) => reads(reader, choice)))) return []
  const why = concerned.map(
    ({ choice, reader }) => `is ignored by ${releaseText(choice)}, ${whenRead(reader, choice.release)}`,
  )
  return [{ fault: why.join('; '), expected: instead ?? 'no such variable' }]
}
