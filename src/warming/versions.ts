/** Which of two versions is the newer, as people mean it: numbers by their value, `1.0-rc1` before `1.0`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [tokensOf(a), tokensOf(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = compareTokens(left[i], right[i])
    if (difference !== 0) return difference
  }
  return 0
}

type Token = number | string

const tokensOf = (version: string): Token[] =>
  (version.toLowerCase().match(/\d+|[a-z]+/g) ?? []).map((token) => (/^\d/.test(token) ? Number(token) : token))

/** A word stands for something before the release; nothing more, for the release. */
const rank = (token: Token | undefined) => (token === undefined ? 1 : typeof token === 'string' ? 0 : 2)

function compareTokens(a: Token | undefined, b: Token | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return rank(a) - rank(b)
}

const architecture =
  /(?<![a-z0-9])(?:x86[_-]64|amd64|x64|aarch64|arm64|armv\d\w*|i[3-6]86|x86|ppc64le|s390x|riscv64)(?![a-z0-9])/gi
const extension = /(?:\.tar)?\.(?:gz|xz|bz2|zst|lzma|tgz|zip|7z|jar|deb|rpm|sh|whl)$/i
const dotted = /\d+(?:[._]\d+)+(?:\+\d+)?/

/** The version in a file's path: `jdk/heroku-24/openjdk1.8.0_432.tar.gz` is 1.8.0_432, `v20.11.1/node.tar.gz` 20.11.1. */
export function versionIn(path: string): string | undefined {
  const [name = '', ...folders] = path.split('/').reverse()
  const bare = name.replace(extension, '').replace(architecture, '')
  const whole = /\d+/
  for (const place of [dotted.exec(bare), ...folders.map((folder) => dotted.exec(folder)), whole.exec(bare)]) {
    if (place) return place[0]
  }
  return undefined
}

/** The architecture a path names, by one name for each; `undefined` where it names none. */
export const architectureIn = (path: string): string | undefined => {
  const named = path.match(architecture)?.at(-1)
  return named === undefined ? undefined : architectureOf(named)
}

const sameArchitecture: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  x64: 'amd64',
  aarch64: 'arm64',
}

/** `x86_64` and `x64` are `amd64`, `aarch64` is `arm64`. */
export const architectureOf = (name: string): string => sameArchitecture[name.toLowerCase()] ?? name.toLowerCase()
