import { type BuildpackName, buildpackNames, isBuildpackName } from '../catalogue/buildpack.js'
import { buildpacks } from '../catalogue/buildpacks.js'
import { isAmong, newest } from '../catalogue/releases.js'
import type { Reader } from '../catalogue/variables.js'

/** A buildpack and its release; `newest` where none is pinned. */
export interface Choice {
  readonly buildpack: BuildpackName
  readonly release: number
}

/** What `gradle@v49` or `gradle` says; a text tells what is wrong with it. */
export function readChoice(text: string): Choice | { readonly unknown: string } | { readonly wanted: string } {
  const [, name = '', release] = /^([^@]*)(?:@(.*))?$/.exec(text) ?? []
  if (!isBuildpackName(name)) return { unknown: name }
  if (release === undefined) return { buildpack: name, release: newest }
  if (buildpacks[name].source === undefined) return { wanted: `${name} alone: it has no release of its own` }
  const [, number] = /^v([1-9]\d{0,4})$/.exec(release) ?? []
  if (number === undefined) return { wanted: `a release as its tags have it, such as ${name}@v49` }
  return { buildpack: name, release: Number(number) }
}

/** Those chosen and those they download and call, at their newest unless they are chosen themselves. */
export function withUsed(choices: readonly Choice[]): readonly Choice[] {
  const used = choices.flatMap(({ buildpack }) => buildpacks[buildpack].uses ?? [])
  const missing = [...new Set(used)].filter((name) => !choices.some(({ buildpack }) => buildpack === name))
  return [...choices, ...missing.map((buildpack) => ({ buildpack, release: newest }))]
}

export const everyBuildpack: readonly Choice[] = buildpackNames.map((buildpack) => ({ buildpack, release: newest }))

/** Whether a release reads what `reader` tells of; a tool is there whatever the release. */
export const reads = (reader: Reader, { buildpack, release }: Choice): boolean =>
  reader.buildpack === buildpack && isAmong(reader, release)

export const releaseText = ({ buildpack, release }: Choice): string =>
  release === newest ? `${buildpack} (newest)` : `${buildpack}@v${release}`

/** Of a choice that does not read it, since when or until when it is so. */
export function whenRead({ since, until }: Reader, release: number): string {
  if (until !== undefined && release > until) return `only releases up to v${until} read it`
  return `only releases from v${since} on read it`
}
