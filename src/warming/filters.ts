import { compileGlob } from '../caching/glob.js'
import type { Filters } from './order.js'
import { architectureIn, architectureOf, compareVersions, versionIn } from './versions.js'

/** Something a source lists. */
export interface Candidate {
  /** A path within the source's repository, without leading slash, or a URL. */
  readonly location: string
  /** What the source itself tells of it; what it doesn't is read off its path. */
  readonly version?: string | undefined
  readonly arch?: string | undefined
  readonly stacks?: readonly string[] | undefined
}

/** Those that are meant, in the order of the source. */
export function selectCandidates(candidates: readonly Candidate[], filters: Filters): readonly Candidate[] {
  const fitting = candidates.filter(matcher(filters))
  const { version: patterns, latest } = filters
  if (!patterns && latest === undefined) return fitting
  const chosen = new Set((patterns ?? ['*']).flatMap((pattern) => newest(fitting, pattern, latest)))
  return fitting.filter((candidate) => chosen.has(candidate))
}

function newest(candidates: readonly Candidate[], pattern: string, latest: number | undefined): readonly Candidate[] {
  const isMeant = versionMatcher(pattern)
  const versioned = candidates.flatMap((candidate) => {
    const version = versionOf(candidate)
    return version !== undefined && isMeant(version) ? [{ candidate, version }] : []
  })
  const versions = [...new Set(versioned.map(({ version }) => version))].sort((a, b) => compareVersions(b, a))
  const kept = new Set(versions.slice(0, latest))
  return versioned.filter(({ version }) => kept.has(version)).map(({ candidate }) => candidate)
}

function matcher({ match, arch, stack }: Filters): (candidate: Candidate) => boolean {
  const glob = match === undefined ? undefined : compileGlob(match)
  return (candidate) => {
    const path = pathOf(candidate.location)
    if (match !== undefined && !glob?.matches(path)) return false
    const told = candidate.arch ?? architectureIn(path)
    // What names no architecture is for all.
    if (arch !== undefined && told !== undefined && architectureOf(told) !== architectureOf(arch)) return false
    if (stack === undefined) return true
    const { stacks = path.split('/') } = candidate
    return stacks.includes(stack) || stacks.includes('*')
  }
}

const versionOf = ({ version, location }: Candidate) => version ?? versionIn(pathOf(location))

const pathOf = (location: string) => location.replace(/^https?:\/\/[^/]*\/?/i, '').replace(/[?#].*$/s, '')

/** `21` is 21 and all that begins so; with a wildcard in it, it is a glob. */
function versionMatcher(pattern: string): (version: string) => boolean {
  const glob = compileGlob(pattern)
  return (version) =>
    glob?.matches(version) === true || (version.startsWith(pattern) && /^[._+-]/.test(version.slice(pattern.length)))
}
