import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Internet } from '../support/internet.js'
import type { OriginFile } from '../support/origin.js'
import { noise } from '../support/stage.js'
import { gitArchive, publishedArchive, type Tree, tarball, treeOf } from './archives.js'

/** What the internet has for buildpacks: by URL. Its buildpacks have the shape, the URLs and the commands of the real ones. */
export interface World {
  readonly files: ReadonlyMap<string, Buffer>
  /** The archive of a buildpack of `buildpacks/`, as published. */
  published(name: string): Buffer
}

/** Buildpacks that are others but for the files they have themselves. */
const bases: Readonly<Record<string, string>> = {
  ...{ 'jvm-2024': 'jvm-2021', 'gradle-2021-fork': 'gradle-2021', 'gradle-2024': 'gradle-2021', java: 'gradle-today' },
}

/** The directories a buildpack is made of; a later one's files are in the place of an earlier one's. */
export const sourcesOf = (name: string): readonly string[] =>
  [bases[name], name]
    .filter((each) => each !== undefined)
    .map((each) => fileURLToPath(new URL(`buildpacks/${each}`, import.meta.url)))

const program = (name: string): Tree => ({ [`bin/${name}`]: `#!/bin/sh\necho ${name}\n`, 'lib/blob': noise(50_000) })
const nested = (name: string, directory: string): Tree =>
  Object.fromEntries(Object.entries(program(name)).map(([path, content]) => [`${directory}/${path}`, content]))
const jdk8: Tree = { ...program('java'), 'jre/lib/ext/sunec.jar': noise(100) }
const zulu = 'https://heroku-buildpacks-jvm.s3.amazonaws.com/openjdk/zulu/amd64'
const ruby = 'https://heroku-buildpack-ruby.s3.amazonaws.com/heroku-24/amd64'
const nodebin = 'https://heroku-nodebin.s3.amazonaws.com/node/release/linux-x64'
/** The metrics agent of JVM builds. */
export const agents = 'https://repo1.maven.org/maven2/com/heroku/agent/heroku-java-metrics-agent'

const runtimes: Readonly<Record<string, Tree>> = {
  'https://lang-jvm.s3.amazonaws.com/jdk/heroku-20/openjdk17.0.1.tar.gz': program('java'),
  'https://lang-jvm.s3.amazonaws.com/jdk/heroku-22/zulu-17.0.10.tar.gz': program('java'),
  [`${zulu}/1.8.0_482.tar.gz`]: jdk8,
  [`${zulu}/17.0.18.tar.gz`]: program('java'),
  [`${zulu}/21.0.10.tar.gz`]: program('java'),
  'https://repo1.maven.org/maven2/org/apache/maven/apache-maven/3.9.11/apache-maven-3.9.11-bin.tar.gz': nested(
    'mvn',
    'apache-maven-3.9.11',
  ),
  [`${ruby}/ruby-3.3.9.tgz`]: program('ruby'),
  [`${ruby}/ruby-3.4.1.tgz`]: program('ruby'),
  [`${nodebin}/node-v12.22.12-linux-x64.tar.gz`]: nested('node', 'node-v12.22.12-linux-x64'),
  [`${nodebin}/node-v22.11.0-linux-x64.tar.gz`]: nested('node', 'node-v22.11.0-linux-x64'),
  'https://nodejs.org/download/release/v22.11.0/node-v22.11.0-linux-x64.tar.gz': nested(
    'node',
    'node-v22.11.0-linux-x64',
  ),
  'https://heroku-buildpack-python.s3.amazonaws.com/python-3.13.1-ubuntu-24.04-amd64.tar.zst': program('python'),
  'https://github.com/astral-sh/uv/releases/download/0.8.0/uv-x86_64-unknown-linux-gnu.tar.gz': {
    'uv-x86_64-unknown-linux-gnu/uv': '#!/bin/sh\necho uv\n',
  },
  'https://dl.google.com/go/go1.22.12.linux-amd64.tar.gz': nested('go', 'go'),
  'https://storage.googleapis.com/golang/go1.10.5.linux-amd64.tar.gz': nested('go', 'go'),
}

const single: Readonly<Record<string, string | Buffer>> = {
  'https://lang-common.s3.amazonaws.com/buildpack-stdlib/v7/stdlib.sh': 'puts_step() { echo "-----> $*"; }\n',
  'https://lang-jvm.s3.amazonaws.com/pgconfig.jar': noise(1000),
  [`${agents}/3.14/heroku-java-metrics-agent-3.14.jar`]: noise(20_000),
  [`${agents}/4.0.1/heroku-java-metrics-agent-4.0.1.jar`]: noise(20_000),
  'https://github.com/stedolan/jq/releases/download/jq-1.6/jq-linux64': '#!/bin/sh\necho jq\n',
}

/** Every host that has something, and those GitHub redirects to. */
export const hosts: readonly string[] = [
  ...new Set([...Object.keys(runtimes), ...Object.keys(single)].map((url) => new URL(url).host)),
  ...['buildpack-registry.s3.amazonaws.com', 'codeload.github.com', 'release-assets.githubusercontent.com'],
]

const buildpacks = ['gradle', 'java', 'ruby', 'nodejs', 'python', 'go'] as const

/** The release of a buildpack whose source archive GitHub has. */
export const sourceOf = (name: string): string =>
  `/heroku/heroku-buildpack-${name.replace(/-.*/, '')}/archive/refs/tags/${releases[name] ?? 'v300'}.tar.gz`

const releases: Readonly<Record<string, string>> = {
  ...{ 'gradle-2021': 'v36', 'gradle-2024': 'v41', 'gradle-today': 'v49' },
  python: 'v302',
}

export async function createWorld(): Promise<World> {
  const files = new Map<string, Buffer>()
  for (const [url, tree] of Object.entries(runtimes)) {
    files.set(url, await tarball(tree, url.endsWith('.zst') ? '--zstd' : '--gzip'))
  }
  for (const [url, body] of Object.entries(single)) files.set(url, Buffer.from(body))
  const trees = new Map<string, Tree>()
  const published = new Map<string, Buffer>()
  for (const name of ['jvm-2021', 'jvm-2024', 'jvm-today', ...buildpackTrees]) {
    const tree = { ...(await digested(name, files)), ...oddities }
    trees.set(name, tree)
    published.set(name, await publishedArchive(tree))
  }
  for (const name of buildpackTrees) {
    const path = sourceOf(name)
    const directory = `${path.split('/')[2]}-${path.replace(/.*\/v(.*)\.tar\.gz/, '$1')}`
    files.set(`https://github.com${path}`, await gitArchive(trees.get(name) ?? {}, directory))
  }
  for (const name of buildpacks) {
    const archive = published.get(trees.has(name) ? name : `${name}-today`)
    if (archive) files.set(`https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/${name}.tgz`, archive)
  }
  return {
    files,
    published(name) {
      const archive = published.get(name)
      if (!archive) throw new Error(`there is no ${name}`)
      return archive
    },
  }
}

const buildpackTrees = ['gradle-2021', 'gradle-2024', 'gradle-today', ...buildpacks.slice(1)]

/** Members that are to come through as they are: a program that holds a URL, a link, and what no rule names. */
const oddities: Tree = {
  'lib/vendor/tool': Buffer.concat([Buffer.from('\x7fELF\0https://nodejs.org/dist/\0'), noise(30_000)]),
  'bin/tool': { linkTo: '../lib/vendor/tool' },
  'README.md': 'It downloads from https://lang-jvm.s3.amazonaws.com/jdk.\n',
}

/** A buildpack of `buildpacks/`; `SHA256(url)` in it stands for the digest of what is there. */
async function digested(name: string, files: ReadonlyMap<string, Buffer>): Promise<Tree> {
  const tree = Object.assign({}, ...(await Promise.all(sourcesOf(name).map(treeOf)))) as Record<string, string>
  const digest = (url: string) =>
    createHash('sha256')
      .update(files.get(url) ?? '')
      .digest('hex')
  const entries = Object.entries(tree).map(([path, text]) => [
    path,
    text.replaceAll(/SHA256\((.*?)\)/g, (_, url: string) => digest(url)),
  ])
  return Object.fromEntries(entries)
}

/** Gives all of it to an internet; `jvm` is the archive of jvm-common that is published. */
export function populate(internet: Internet, world: World, jvm = 'jvm-today'): void {
  for (const [url, body] of world.files) {
    if (url.startsWith('https://github.com/')) putOnGitHub(internet, url, body)
    else internet.put(url, body)
  }
  internet.put('https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/jvm.tgz', world.published(jvm))
}

/**
 * GitHub redirects: source archives to a host that makes them as it answers, without a length, with a weak tag and for
 * browsers' sake varying by what we never send; release assets to a store, by URLs that are signed for minutes.
 */
export function putOnGitHub(internet: Internet, url: string, body: Buffer, rest: Omit<OriginFile, 'body'> = {}): void {
  const { pathname } = new URL(url)
  const [, owner, name, kind, ...tail] = pathname.split('/')
  const github = internet.host('github.com')
  if (kind === 'archive') {
    const path = `/${owner}/${name}/tar.gz/${tail.join('/').replace(/\.tar\.gz$/, '')}`
    const codeload = internet.host('codeload.github.com')
    codeload.put(path, body, {
      ...{ etag: `W/"${createHash('sha256').update(body).digest('hex')}"`, lastModified: false, ranges: false },
      headers: { 'Content-Type': 'application/x-gzip', Vary: 'Authorization,Accept-Encoding,Origin' },
      ...rest,
    })
    codeload.plan(path, { framing: 'chunked' })
    github.plan(pathname, { redirectTo: `https://codeload.github.com${path}` })
  } else {
    const path = `/github-production-release-asset/1/${createHash('md5').update(pathname).digest('hex')}`
    internet.host('release-assets.githubusercontent.com').put(path, body, { etag: '"0x8DCE1A2B3C4D5E6"', ...rest })
    github.plan(pathname, {
      redirectTo: `https://release-assets.githubusercontent.com${path}?sp=r&sig=c2lnbmF0dXJl&se=2026-01-01T00%3A05%3A00Z`,
    })
  }
}
