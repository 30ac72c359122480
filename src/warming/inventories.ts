import { parse } from 'smol-toml'
import type { Candidate } from './filters.js'

/* What buildpacks write down of the artifacts they install. */

type Data = Readonly<Record<string, unknown>>

/** An `inventory.json`: `artifacts` with `url`, `version`, `arch`, and stacks in their `metadata`. `undefined` for what isn't one. */
export function inventoryCandidates(text: string): readonly Candidate[] | undefined {
  return listed(
    parsed(() => JSON.parse(text) as unknown),
    'artifacts',
    ({ url, version, arch, metadata }) => ({
      ...{ location: url, version: textOf(version), arch: textOf(arch) },
      stacks: isData(metadata) ? stacksOf(metadata) : undefined,
    }),
  )
}

/** A Paketo `buildpack.toml`: its dependencies. `undefined` for what isn't one. */
export function buildpackCandidates(text: string): readonly Candidate[] | undefined {
  const { metadata } = parsed(() => parse(text)) ?? {}
  return listed(metadata, 'dependencies', ({ uri, version, stacks, arch, purl, purls }) => ({
    // Paketo's clients decode this one escape before they ask.
    location: typeof uri === 'string' ? uri.replaceAll(/%2B/gi, '+') : uri,
    version: textOf(version),
    arch: textOf(arch) ?? architectureOfPurl([purl, purls].flat()),
    stacks: strings(stacks),
  }))
}

function listed(
  data: unknown,
  name: string,
  read: (entry: Data) => Omit<Candidate, 'location'> & { readonly location: unknown },
): readonly Candidate[] | undefined {
  const entries = isData(data) ? data[name] : undefined
  if (!Array.isArray(entries)) return undefined
  return entries.filter(isData).flatMap((entry) => {
    const { location, ...told } = read(entry)
    return typeof location === 'string' ? [{ location, ...told }] : []
  })
}

function parsed(parse: () => unknown): Data | undefined {
  try {
    const data = parse()
    return isData(data) ? data : undefined
  } catch {
    return undefined
  }
}

const isData = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined)

const strings = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : undefined

/** Heroku has them under `cedar_stacks`. */
const stacksOf = (metadata: Data) => strings(Object.entries(metadata).find(([name]) => name.endsWith('stacks'))?.[1])

function architectureOfPurl(purls: readonly unknown[]): string | undefined {
  const named = purls.map((purl) => (typeof purl === 'string' ? /[?&]arch=([\w-]+)/.exec(purl)?.[1] : undefined))
  return named.find((arch) => arch !== undefined)
}
