import type { Repository } from '../../caching/repository.js'
import { buildpacks } from '../catalogue/buildpacks.js'
import { presetRepository, presets, presetWith } from '../catalogue/presets.js'
import { isAmong } from '../catalogue/releases.js'
import { type StackName, stacks } from '../catalogue/stacks.js'
import { type Reader, rewrittenBuildpack, type Variable, variables } from '../catalogue/variables.js'
import { type Choice, everyBuildpack, reads, releaseText, whenRead, withUsed } from './choices.js'
import { configuredAs, goesBy, mirrorAt, placeIn } from './places.js'

export interface Wish {
  /** None means the newest of all. */
  readonly choices: readonly Choice[]
  readonly stack: StackName
  /** Where builds reach Larder, without a slash at its end. */
  readonly url: string
  readonly repositories: readonly Repository[]
}

export interface Setting {
  readonly name: string
  readonly value: string
}

export interface Plan {
  readonly settings: readonly Setting[]
  /** What is left to whoever sets them, a sentence each. */
  readonly warnings: readonly string[]
}

/** The variables that lead the chosen buildpacks to Larder. */
export function planEnvironment(wish: Wish): Plan {
  const choices = withUsed(wish.choices.length === 0 ? everyBuildpack : wish.choices)
  const own = buildpackUrl(wish)
  const outcomes = [
    own ?? {},
    ...variables.map((variable) => outcomeFor(variable, choices, wish)),
    own === undefined ? hardCoded(choices) : {},
  ]
  return {
    settings: outcomes.flatMap(({ settings = [] }) => settings),
    warnings: outcomes.flatMap(({ warnings = [] }) => warnings),
  }
}

type Outcome = Partial<Plan>

/** Of one buildpack; one that it calls may be chosen beside it. `undefined` where there are several, or none. */
function buildpackUrl({ choices, repositories, url }: Wish): Outcome | undefined {
  const called = choices.map(({ buildpack }) => buildpacks[buildpack].uses)
  const [choice, ...more] = choices.filter(({ buildpack }) => !called.includes(buildpack))
  if (choice === undefined || more.length > 0) return undefined
  const place = archivePlace(choice)
  if (place === undefined) return {}
  const repository = configuredAs(place.repository, repositories)
  if (!repository) return { warnings: [notConfigured('BUILDPACK_URL', place.repository, [choice])] }
  return { settings: [{ name: 'BUILDPACK_URL', value: placeIn(url, repository.name, place.path) }] }
}

/** Where a release is served rewritten: by its tag, or, of the newest where that needs it, as it is published. */
function archivePlace(choice: Choice): { readonly repository: string; readonly path: string } | undefined {
  const tagged = archiveOf(choice)
  if (tagged !== undefined) return { repository: 'github', path: tagged }
  const { published } = buildpacks[choice.buildpack]
  return published !== undefined && holdsUrls(choice)
    ? { repository: 'buildpack-registry', path: published }
    : undefined
}

/** Where the repository github has a release; `undefined` for the newest, which has no name there. */
function archiveOf({ buildpack, release }: Choice): string | undefined {
  const { source } = buildpacks[buildpack]
  return source === undefined || !Number.isFinite(release)
    ? undefined
    : `${source}/archive/refs/tags/v${release}.tar.gz`
}

/** Whether a release downloads what no variable leads elsewhere. */
const holdsUrls = ({ buildpack, release }: Choice) =>
  buildpacks[buildpack].downloads.some((download) => download.variable === undefined && isAmong(download, release))

function hardCoded(choices: readonly Choice[]): Outcome {
  const fixed = choices.filter(({ buildpack }) => buildpack !== 'jvm-common').filter(holdsUrls)
  if (fixed.length === 0) return {}
  const names = fixed.map(({ buildpack }) => buildpack).join(', ')
  return {
    warnings: [
      `${names}: part of what they download has its URL in the buildpack, where no variable changes it. Name one (--buildpack NAME, or NAME@v...) for the BUILDPACK_URL that serves it rewritten`,
    ],
  }
}

function outcomeFor(variable: Variable, choices: readonly Choice[], wish: Wish): Outcome {
  const concerned = choices.filter(({ buildpack }) => variable.readBy.some((reader) => reader.buildpack === buildpack))
  if (concerned.length === 0) return {}
  const reader = variable.readBy.find((candidate) => choices.some((choice) => reads(candidate, choice)))
  if (reader === undefined) return variable.leadsTo ? { warnings: [ignored(variable, concerned)] } : {}
  const outcome = variable.takes === 'mirror' ? mirror(variable, wish) : placed(variable, wish)
  if (!reader.forksOnly || !outcome.settings) return outcome
  const note = `${variable.name}: only forks of ${reader.buildpack} read it; others have the URL written in them, and need ${rewrittenBuildpack}`
  return { ...outcome, warnings: [...(outcome.warnings ?? []), note] }
}

function ignored({ name, readBy, instead }: Variable, concerned: readonly Choice[]): string {
  const why = concerned.flatMap((choice) => {
    const reader = readBy.find(({ buildpack }) => buildpack === choice.buildpack)
    return reader ? [`${releaseText(choice)} ignores it, ${whenRead(reader, choice.release)}`] : []
  })
  return `${name} is not set: ${why.join('; ')}. Instead: ${instead}`
}

function placed(variable: Variable, { choices, repositories, url, stack }: Wish): Outcome {
  const { name, takes, demands, isArchiveOf } = variable
  const pinned = choices.find(({ buildpack }) => buildpack === isArchiveOf)
  const archive = pinned && archiveOf(pinned)
  const leadsTo = archive === undefined ? variable.leadsTo : { repository: 'github', path: archive }
  if (!leadsTo) return {}
  const repository = configuredAs(leadsTo.repository, repositories)
  if (!repository) return { warnings: [notConfigured(name, leadsTo.repository, variable.readBy)] }
  if (demands === 'no-port' && new URL(url).port !== '') {
    return { warnings: [`${name} is not set: nvm takes no URL with a port. Have Larder reached at port 80 or 443`] }
  }
  const value = placeIn(url, repository.name, pathFor(leadsTo.path, stack))
  // What stands before a lone dash, the buildpack's own repository, is taken off the list.
  return { settings: [{ name, value: takes === 'list' ? `- ${value}` : value }] }
}

const pathFor = (path: string, stack: StackName): string => path.replace('{stack-arch}', stacks[stack].byArchitecture)

function mirror({ name, readBy }: Variable, { url, repositories }: Wish): Outcome {
  if (!url.startsWith('https://')) {
    return {
      warnings: [`${name} is not set: Paketo takes https only. Give Larder's https URL with --url or publicUrl`],
    }
  }
  const hosts = hostsOfPaketo()
  const missing = hosts.filter((host) => !repositories.some((repository) => goesBy(repository, host)))
  if (missing.length === hosts.length) return { warnings: [notConfigured(name, 'paketo-artifacts', readBy)] }
  const partly = `${name}: no repository has these hosts for an alias, so what comes from them is not found: ${missing.join(', ')}. The preset paketo brings them`
  return { settings: [{ name, value: mirrorAt(url) }], warnings: missing.length > 0 ? [partly] : [] }
}

const hostsOfPaketo = () => Object.values(presets.paketo).flatMap(({ aliases = [] }) => aliases)

function notConfigured(variable: string, repository: string, wantedBy: readonly Pick<Reader, 'buildpack'>[]): string {
  const remote = presetRepository(repository)?.remote
  const preset = presetWith(
    repository,
    wantedBy.flatMap(({ buildpack = [] }) => buildpack),
  )
  return `${variable} is not set: no repository here has what ${remote} has. Add the preset ${preset} to repositories.yaml`
}
