import type { Releases } from './releases.js'

export interface Download extends Releases {
  readonly what: string
  /** The shape of its URL, as the buildpack writes it. */
  readonly url: string
  /** The repositories that have it, as presets name them. */
  readonly repositories: readonly string[]
  /** The variable that leads it elsewhere; without one, only the rewritten buildpack does. */
  readonly variable?: string
  /** The files of the buildpack that hold its URL; beside a variable, unless a fork changed them to read it. */
  readonly writtenIn?: string
}

export interface Buildpack {
  /** `owner/name` on GitHub, whose tags are its releases; without one it is no single archive. */
  readonly source?: string
  /** Path of its newest release in Heroku's registry, which the repository buildpack-registry serves. */
  readonly published?: string
  /** The buildpack it downloads and calls, always its newest release unless told otherwise. */
  readonly uses?: BuildpackName
  readonly downloads: readonly Download[]
}

export const buildpackNames = [
  'jvm-common',
  'gradle',
  'java',
  'scala',
  'clojure',
  'ruby',
  'nodejs',
  'python',
  'go',
  'php',
  'paketo',
] as const

export type BuildpackName = (typeof buildpackNames)[number]

export const isBuildpackName = (name: string): name is BuildpackName => buildpackNames.some((known) => known === name)
