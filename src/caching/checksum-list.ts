/** A line of a list: a digest in lower-case hex, and the name it is told of, if it is of any. */
interface Entry {
  readonly sha256: string
  readonly name: string | undefined
}

/**
 * The SHA-256 (hex) that a list has for the artifact at `path`; both paths without leading slash and query, still
 * percent-encoded. Lists are: a lone digest, lines of `sha256sum` or BSD's `sha256`, an `inventory.json`. `undefined` where
 * it names none, or two that differ.
 */
export function digestIn(list: string, listedAt: string, path: string): string | undefined {
  const text = list.replace(/^\ufeff/, '').trim()
  return only(text.startsWith('{') ? inventoryDigests(text, path) : listedDigests(text, listedAt, path))
}

function only(digests: readonly string[]): string | undefined {
  return new Set(digests).size === 1 ? digests[0] : undefined
}

function listedDigests(text: string, listedAt: string, path: string): string[] {
  const entries = text.split(/\r?\n/).flatMap((line) => entryOf(line) ?? [])
  const [first, ...others] = entries
  if (first && others.length === 0 && speaksOf(first, listedAt, path)) return [first.sha256]
  const directory = listedAt.slice(0, listedAt.lastIndexOf('/') + 1)
  const isMeant = (name: string) => directory + name === path || decoded(directory) + name === decoded(path)
  return entries.filter(({ name }) => name !== undefined && isMeant(name)).map(({ sha256 }) => sha256)
}

/** A digest that stands alone: of no name, of this one, or in a file made for the artifact, wherever that was built. */
function speaksOf({ name }: Entry, listedAt: string, path: string): boolean {
  const own = lastSegment(path)
  return name === undefined || lastSegment(name) === decoded(own) || lastSegment(listedAt).startsWith(`${own}.`)
}

const lastSegment = (path: string) => path.slice(path.lastIndexOf('/') + 1)

function entryOf(line: string): Entry | undefined {
  const gnu = /^([0-9a-f]{64})(?:[ \t]+\*?(\S.*))?$/i.exec(line.trim())
  const bsd = gnu ? undefined : /^SHA(?:2-)?256 ?\((.+)\) ?= ?([0-9a-f]{64})$/i.exec(line.trim())
  const [sha256, name] = gnu ? [gnu[1], gnu[2]] : [bsd?.[2], bsd?.[1]]
  return sha256 === undefined ? undefined : { sha256: sha256.toLowerCase(), name: name?.replace(/^(?:\.\/)+/, '') }
}

/** Artifacts are told apart by the end of their URL: the list may name another mirror, or stand above the repository. */
function inventoryDigests(text: string, path: string): string[] {
  const names = [path, decoded(path)]
  return artifactsOf(text).flatMap(({ url, checksum }) => {
    const sha256 = typeof checksum === 'string' ? /^sha256:([0-9a-f]{64})$/i.exec(checksum)?.[1] : undefined
    const place = typeof url === 'string' && URL.canParse(url) ? new URL(url).pathname : ''
    const isMeant = names.some((name) => place.endsWith(`/${name}`) || decoded(place).endsWith(`/${name}`))
    return isMeant && sha256 !== undefined ? [sha256.toLowerCase()] : []
  })
}

function artifactsOf(text: string): readonly Record<string, unknown>[] {
  try {
    const { artifacts } = JSON.parse(text) as { readonly artifacts?: unknown }
    return Array.isArray(artifacts) ? artifacts.filter((entry) => typeof entry === 'object' && entry !== null) : []
  } catch {
    return []
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
