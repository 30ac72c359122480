import type { BuildpackName } from './buildpack.js'
import type { Releases } from './releases.js'

/** Who reads a variable. */
export interface Reader extends Releases {
  /** Without one, a tool that may run in any build. */
  readonly buildpack?: BuildpackName
  /** What runs in its builds and reads the variable, where it is not the buildpack itself. */
  readonly tool?: string
  /** Only copies of it that were changed to do so. */
  readonly forksOnly?: true
}

/** What a variable's value is. */
type Taken =
  /** The URL of one file. */
  | 'file'
  /** A URL that paths are appended to. */
  | 'base'
  /** A base with `{originalHost}` in it, or one for a single host. */
  | 'mirror'
  /** URLs of Composer repositories between blanks; what stands before a lone dash doesn't count. */
  | 'list'

export interface Variable {
  readonly name: string
  readonly takes: Taken
  readonly readBy: readonly Reader[]
  /** Where it has to lead; nothing where its value differs from project to project. `{stack-arch}` stands for the stack. */
  readonly leadsTo?: { readonly repository: string; readonly path: string }
  /** The buildpack whose newest release is there; a pinned one comes from GitHub. */
  readonly isArchiveOf?: BuildpackName
  /** What the URL of its file ends with, one of these. */
  readonly endings?: readonly string[]
  /** What its reader demands of the URL. */
  readonly demands?: 'https' | 'no-port' | 'slash-at-end'
  /** Whether a file of the project's own is usual, too. */
  readonly mayLeadElsewhere?: true
  /** What does its work where the release does not read it. */
  readonly instead?: string
}

const archive: readonly string[] = ['.tgz', '.tar.gz']

/** What reaches the URLs that are written in a buildpack. */
export const rewrittenBuildpack =
  "BUILDPACK_URL with the buildpack's archive from the repository github, which is served with its URLs rewritten"

/** Every variable that points a build at other hosts. */
export const variables: readonly Variable[] = [
  { name: 'BUILDPACK_URL', takes: 'file', endings: archive, readBy: [{ tool: 'herokuish' }] },
  {
    name: 'BUILDPACK_STDLIB_URL',
    takes: 'file',
    endings: ['.sh'],
    leadsTo: { repository: 'lang-common', path: 'buildpack-stdlib/v7/stdlib.sh' },
    readBy: [
      { buildpack: 'gradle', until: 37, forksOnly: true },
      { buildpack: 'java', until: 71, forksOnly: true },
      { buildpack: 'scala', until: 93, forksOnly: true },
    ],
    instead: 'nothing, for later releases bring the file with them',
  },
  {
    name: 'JVM_COMMON_BUILDPACK',
    takes: 'file',
    endings: archive,
    leadsTo: { repository: 'buildpack-registry', path: 'buildpacks/heroku/jvm.tgz' },
    isArchiveOf: 'jvm-common',
    readBy: [{ buildpack: 'gradle' }, { buildpack: 'java' }, { buildpack: 'scala' }, { buildpack: 'clojure' }],
  },
  {
    name: 'JVM_BUILDPACK_ASSETS_BASE_URL',
    takes: 'base',
    leadsTo: { repository: 'lang-jvm', path: '' },
    readBy: [{ buildpack: 'jvm-common', since: 110, until: 158 }],
    instead: 'JVM_COMMON_BUILDPACK: the inventory.json inside jvm.tgz is served with its URLs rewritten',
  },
  {
    name: 'JDK_BASE_URL',
    takes: 'base',
    readBy: [{ buildpack: 'jvm-common', until: 158 }],
    instead: 'JVM_COMMON_BUILDPACK: the inventory.json inside jvm.tgz is served with its URLs rewritten',
  },
  {
    name: 'HEROKU_METRICS_JAR_URL',
    takes: 'file',
    endings: ['.jar'],
    leadsTo: {
      repository: 'maven-central',
      path: 'com/heroku/agent/heroku-java-metrics-agent/4.0.1/heroku-java-metrics-agent-4.0.1.jar',
    },
    readBy: [{ buildpack: 'jvm-common' }],
  },
  {
    name: 'MAVEN_SETTINGS_URL',
    takes: 'file',
    mayLeadElsewhere: true,
    readBy: [{ buildpack: 'java' }],
  },
  {
    name: 'MVNW_REPOURL',
    takes: 'base',
    leadsTo: { repository: 'maven-central', path: '' },
    readBy: [{ buildpack: 'java', tool: "Maven's wrapper" }],
  },
  {
    name: 'BUILDPACK_VENDOR_URL',
    takes: 'base',
    leadsTo: { repository: 'heroku-buildpack-ruby', path: '' },
    readBy: [{ buildpack: 'ruby' }],
  },
  { name: 'NODE_BINARY_URL', takes: 'file', endings: ['.tar.gz'], readBy: [{ buildpack: 'nodejs' }] },
  { name: 'YARN_BINARY_URL', takes: 'file', endings: ['.tar.gz'], readBy: [{ buildpack: 'nodejs' }] },
  {
    name: 'NVM_NODEJS_ORG_MIRROR',
    takes: 'base',
    leadsTo: { repository: 'nodejs', path: 'dist' },
    demands: 'no-port',
    readBy: [{ buildpack: 'nodejs', tool: 'nvm' }],
  },
  {
    name: 'npm_config_disturl',
    takes: 'base',
    leadsTo: { repository: 'nodejs', path: 'dist' },
    readBy: [{ buildpack: 'nodejs', tool: 'node-gyp' }],
  },
  {
    name: 'ELECTRON_MIRROR',
    takes: 'base',
    leadsTo: { repository: 'github', path: 'electron/electron/releases/download/' },
    demands: 'slash-at-end',
    readBy: [{ buildpack: 'nodejs', tool: 'Electron' }],
  },
  { name: 'CYPRESS_DOWNLOAD_MIRROR', takes: 'base', readBy: [{ buildpack: 'nodejs', tool: 'Cypress' }] },
  { name: 'PLAYWRIGHT_DOWNLOAD_HOST', takes: 'base', readBy: [{ buildpack: 'nodejs', tool: 'Playwright' }] },
  { name: 'SENTRYCLI_CDNURL', takes: 'base', readBy: [{ buildpack: 'nodejs', tool: 'Sentry CLI' }] },
  {
    name: 'BUILDPACK_S3_BASE_URL',
    takes: 'base',
    leadsTo: { repository: 'heroku-buildpack-python', path: '' },
    readBy: [{ buildpack: 'python', since: 182, until: 301 }],
    instead: rewrittenBuildpack,
  },
  { name: 'PYTHON_BUILD_MIRROR_URL', takes: 'base', readBy: [{ tool: 'pyenv' }] },
  {
    name: 'GO_BUCKET_URL',
    takes: 'base',
    leadsTo: { repository: 'heroku-golang-prod', path: '' },
    readBy: [{ buildpack: 'go', until: 225 }],
    instead: rewrittenBuildpack,
  },
  {
    name: 'HEROKU_PHP_PLATFORM_REPOSITORIES',
    takes: 'list',
    leadsTo: { repository: 'lang-php', path: 'dist-{stack-arch}-stable/' },
    readBy: [{ buildpack: 'php' }],
  },
  { name: 'RUSTUP_DIST_SERVER', takes: 'base', readBy: [{ tool: 'rustup' }] },
  { name: 'BP_DEPENDENCY_MIRROR', takes: 'mirror', demands: 'https', readBy: [{ buildpack: 'paketo' }] },
]

/** What GitLab passes into a build, by name, between commas without blanks. */
export const forwardedNames = 'AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES'

/** Ends in the host it is for: dots as `_`, dashes as `__`. */
const mirrorOfHost = 'BP_DEPENDENCY_MIRROR_'

/** npm reads its settings in either case. */
const sameInAnyCase = /^npm_config_/i

export function variableNamed(name: string): Variable | undefined {
  const found = variables.find(
    (variable) =>
      variable.name === name || (sameInAnyCase.test(name) && variable.name.toLowerCase() === name.toLowerCase()),
  )
  if (found || !name.startsWith(mirrorOfHost)) return found
  return { name, takes: 'mirror', demands: 'https', readBy: [{ buildpack: 'paketo' }] }
}

/** The host a mirror is for; `undefined` for the mirror of all. */
export const mirroredHost = (name: string): string | undefined =>
  name.startsWith(mirrorOfHost)
    ? name.slice(mirrorOfHost.length).replaceAll('__', '-').replaceAll('_', '.').toLowerCase()
    : undefined
