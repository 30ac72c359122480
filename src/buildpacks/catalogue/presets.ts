import type { BuildpackName } from './buildpack.js'
import {
  buildpackRegistry,
  goBucket,
  jvmBuckets,
  nodeBucket,
  phpBucket,
  pythonBucket,
  rubyBucket,
} from './heroku-repositories.js'
import {
  clojureDownloads,
  codeload,
  github,
  goHosts,
  gradle,
  mavenByHost,
  mavenCentral,
  nodejs,
  paketoHosts,
} from './host-repositories.js'
import type { PresetRepositories, PresetRepository } from './preset-repository.js'

export const presetNames = [
  'heroku-jvm',
  'maven-central',
  'heroku-ruby',
  'heroku-nodejs',
  'heroku-python',
  'heroku-go',
  'heroku-php',
  'nodejs-dist',
  'gradle',
  'github-archives',
  'paketo',
] as const

export type PresetName = (typeof presetNames)[number]

export const isPresetName = (name: unknown): name is PresetName => presetNames.some((preset) => preset === name)

/** Repositories by preset and name. One that stands in several presets is the same in all. */
export const presets: Readonly<Record<PresetName, PresetRepositories>> = {
  'heroku-jvm': { ...jvmBuckets, ...clojureDownloads },
  'maven-central': { ...mavenCentral, ...mavenByHost },
  'heroku-ruby': { ...rubyBucket, ...buildpackRegistry, ...nodeBucket, ...nodejs },
  'heroku-nodejs': { ...buildpackRegistry, ...nodeBucket, ...nodejs },
  'heroku-python': { ...buildpackRegistry, ...pythonBucket, ...github },
  'heroku-go': { ...buildpackRegistry, ...goBucket, ...goHosts, ...github },
  'heroku-php': { ...buildpackRegistry, ...phpBucket },
  'nodejs-dist': nodejs,
  gradle,
  'github-archives': { ...github, ...codeload },
  paketo: { ...github, ...mavenByHost, ...nodejs, ...gradle, ...goHosts, ...clojureDownloads, ...paketoHosts },
}

/** Of the presets that bring a repository, the one with the fewest others; one made for a buildpack of those that want it comes first. */
export function presetWith(repository: string, wantedBy: readonly BuildpackName[]): PresetName | undefined {
  const fitting = presetNames.filter((preset) => repository in presets[preset])
  return (
    fitting.find((preset) => wantedBy.some((buildpack) => presetFor(buildpack) === preset)) ??
    fitting.sort((a, b) => Object.keys(presets[a]).length - Object.keys(presets[b]).length)[0]
  )
}

/** The preset that is made for a buildpack. */
export function presetFor(buildpack: BuildpackName): PresetName {
  const own = buildpack === 'paketo' ? buildpack : `heroku-${buildpack}`
  return isPresetName(own) ? own : 'heroku-jvm'
}

/** A repository that comes with Larder, whichever preset brings it. */
export const presetRepository = (name: string): PresetRepository | undefined =>
  presetNames.map((preset) => presets[preset][name]).find((repository) => repository !== undefined)
