/** What is to be made ready ahead of time, as prewarm.yaml, `schedule:` and the API have it. */
export interface WarmOrder {
  /** `<repository>/<path>` or a URL that one of the repositories stands for; with braces, several. */
  readonly items: readonly string[]
  readonly from: readonly WarmSource[]
  /** Fills at a time. */
  readonly concurrency: number
  /** Bytes a second, of all its fills together. */
  readonly rate?: number | undefined
}

export const defaultConcurrency = 4

/** Where items are written down: `<repository>/<path>` of an artifact that lists others, under exactly one of these names. */
export const sourceKinds = ['inventory', 'shasums', 'maven', 'buildpack', 's3'] as const

export type SourceKind = (typeof sourceKinds)[number]

/** Which of a source's items are meant. */
export interface Filters {
  /** Glob over the path. */
  readonly match?: string | undefined
  /** Globs over the version, or what it begins with: `21` is 21.0.5, too. */
  readonly version?: readonly string[] | undefined
  readonly arch?: string | undefined
  readonly stack?: string | undefined
  /** So many newest versions of each `version`. */
  readonly latest?: number | undefined
}

export type WarmSource = Filters & { readonly [K in SourceKind]?: string | undefined } & {
  /** The file's name, where `inventory` or `buildpack` names an archive. */
  readonly file?: string | undefined
  /** What `maven` takes of each version, `{artifact}` and `{version}` standing for their names. */
  readonly files?: readonly string[] | undefined
}

/** Which of the source's names is given; `undefined` unless it is one. */
export function kindOf(source: WarmSource): SourceKind | undefined {
  const given = sourceKinds.filter((kind) => source[kind] !== undefined)
  return given.length === 1 ? given[0] : undefined
}

/** A warm-up by the clock. */
export interface ScheduledWarmUp {
  /** In cron's notation. */
  readonly cron: string
  /** IANA's name; the process's own unless told. */
  readonly timezone?: string | undefined
  readonly order: WarmOrder
}
