/** A repository as repositories.yaml would have it. */
export interface PresetRepository {
  readonly remote: string
  readonly aliases?: readonly string[]
  readonly allow?: readonly string[]
  readonly query?: 'forward' | 'ignore'
  readonly freshness?: readonly PresetFreshness[]
  readonly rewrite?: readonly { readonly match: string; readonly in?: readonly string[]; readonly unwrap?: boolean }[]
}

interface PresetFreshness {
  readonly match: string
  readonly maxAge: string
}

/** Repositories by name. */
export type PresetRepositories = Readonly<Record<string, PresetRepository>>

/** The hosts an S3 bucket of the region us-east-1 goes by. */
export const bucketHosts = (bucket: string): readonly string[] =>
  ['s3', 's3.us-east-1', 's3.dualstack.us-east-1'].map((endpoint) => `${bucket}.${endpoint}.amazonaws.com`)

/**
 * A whole host, and its name for an alias: `/repository/HOST/PATH` is what a mirror by host asks for
 * (`BP_DEPENDENCY_MIRROR`). Only paths that fit one of `allow` are served; without it, all.
 */
export const wholeHost = (
  host: string,
  freshness: readonly PresetFreshness[],
  allow?: readonly string[],
): PresetRepository => ({ remote: `https://${host}`, aliases: [host], ...(allow && { allow }), freshness })

/** A file whose name or directory holds its version. */
export const archives = '**/*.{tgz,tar.gz,tar.xz,tar.bz2,tar.zst,zip,jar,whl,deb,sh}'

/** Where a buildpack's archive has its scripts and its lists of downloads: at its top, or in the one directory GitHub puts on top. */
export const buildpackSources: readonly string[] = [
  ...['**/bin/**', '**/lib/**', '**/opt/**', '**/conf/**', '**/support/**', '**/inventory/**'],
  ...['**/inventory.json', '**/data.json', '**/files.json', '**/*.toml', '**/*.sh'],
]
