import { beforeAll, describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { type Member, membersOf } from './archives.js'
import { type Build, build, herokuish, multi, pinned } from './build.js'
import { type Online, onlineStage } from './online.js'
import { agents, createWorld, hosts, populate, sourceOf, sourcesOf, type World } from './world.js'

const programs = ['curl', 'git', 'jq', 'openssl', 'zstd'] as const

/** A project of some family, and how its buildpack comes to it. */
interface Case {
  readonly name: string
  readonly script: string
  /** Path of the buildpack behind `/repository/`; nothing where the image has it. */
  readonly buildpack?: string
  /** Other variables, by their paths behind `/repository/`. */
  readonly variables?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly app: Readonly<Record<string, string>>
  /** What is below the application in the end, and what it says. */
  readonly installs: Readonly<Record<string, string>>
  /** What is below the application as it came from a URL. */
  readonly holds?: Readonly<Record<string, string>>
  /** The archive of jvm-common that is published. */
  readonly jvm?: string
  /** What the image has at `buildpack`. */
  readonly baked?: string
}

const agentOf = (version: string) => ({
  '.heroku/bin/heroku-metrics-agent.jar': `${agents}/${version}/heroku-java-metrics-agent-${version}.jar`,
})
const gradle = {
  app: { gradlew: '', 'system.properties': 'java.runtime.version=17\n' },
  installs: { '.jdk/bin/java': 'java\n' },
  holds: agentOf('4.0.1'),
}
const maven = { app: { 'pom.xml': '', 'system.properties': 'java.runtime.version=8\n' } }
const jvmVariables = {
  JVM_COMMON_BUILDPACK: 'buildpack-registry/buildpacks/heroku/jvm.tgz',
  JVM_BUILDPACK_ASSETS_BASE_URL: 'lang-jvm',
}
const agent = (version: string) =>
  `maven-central/com/heroku/agent/heroku-java-metrics-agent/${version}/heroku-java-metrics-agent-${version}.jar`
const registry = (name: string) => `buildpack-registry/buildpacks/heroku/${name}.tgz`
const github = (name: string) => `github${sourceOf(name)}`
const baked = 'buildpack/bin/detect "$PWD/app" && buildpack/bin/compile "$PWD/app" "$PWD/cache" "$PWD/env"'

const families: readonly (Pick<Case, 'name' | 'app' | 'installs' | 'holds'> & { readonly source: string })[] = [
  { name: 'gradle', source: 'gradle-today', ...gradle },
  {
    ...{ name: 'java', source: 'java', ...maven },
    installs: { '.jdk/bin/java': 'java\n', '.heroku/bin/mvn': 'mvn\n' },
    holds: { ...agentOf('4.0.1'), '.jdk/jre/lib/ext/pgconfig.jar': 'https://lang-jvm.s3.amazonaws.com/pgconfig.jar' },
  },
  {
    ...{ name: 'ruby', source: 'ruby', app: { Gemfile: '' } },
    installs: { 'vendor/ruby/bin/ruby': 'ruby\n', 'vendor/node/bin/node': 'node\n' },
  },
  {
    ...{ name: 'nodejs', source: 'nodejs', app: { 'package.json': '{ "engines": {\n"node": "22.11.0"\n} }' } },
    installs: { '.heroku/node/bin/node': 'node\n' },
  },
  {
    ...{ name: 'python', source: 'python', app: { 'requirements.txt': '' } },
    installs: { '.heroku/python/bin/python': 'python\n' },
  },
  {
    ...{ name: 'go', source: 'go', app: { 'go.mod': '' } },
    installs: { '.go1.22.12/bin/go': 'go\n', '.go1.10.5/bin/go': 'go\n', 'bin/jq-linux64': 'jq\n' },
  },
]

const cases: readonly Case[] = [
  {
    ...{ name: 'gradle of 2021, as a fork, by variables', ...gradle, script: baked, baked: 'gradle-2021-fork' },
    ...{ jvm: 'jvm-2021', env: { STACK: 'heroku-20' }, holds: agentOf('3.14') },
    variables: {
      ...jvmVariables,
      BUILDPACK_STDLIB_URL: 'lang-common/buildpack-stdlib/v7/stdlib.sh',
      HEROKU_METRICS_JAR_URL: agent('3.14'),
    },
  },
  {
    ...{ name: 'gradle of 2021 without a fork, its release rewritten', ...gradle, script: pinned },
    ...{ jvm: 'jvm-2021', env: { STACK: 'heroku-20' }, buildpack: github('gradle-2021'), holds: agentOf('3.14') },
  },
  {
    ...{ name: 'gradle of 2024, by variables', ...gradle, script: baked, baked: 'gradle-2024' },
    ...{
      jvm: 'jvm-2024',
      env: { STACK: 'heroku-22' },
      variables: { ...jvmVariables, HEROKU_METRICS_JAR_URL: agent('4.0.1') },
    },
  },
  {
    ...{ name: 'gradle of 2024, its release rewritten', ...gradle, script: pinned },
    ...{ jvm: 'jvm-2024', env: { STACK: 'heroku-22' }, buildpack: github('gradle-2024') },
  },
  {
    ...{ name: 'gradle of today, as the image has it', ...gradle, script: baked, baked: 'gradle-today' },
    variables: jvmVariables,
  },
  ...families.flatMap(({ source, ...family }) => [
    { ...family, name: `${family.name} as published`, script: herokuish, buildpack: registry(family.name) },
    { ...family, name: `${family.name}, a release`, script: herokuish, buildpack: github(source) },
  ]),
  {
    ...{ name: 'several buildpacks', script: `echo "$BUILDPACK_URL?.tgz" > app/.buildpacks\n${multi}` },
    ...{ buildpack: github('nodejs'), app: { 'package.json': '{ "engines": {\n"node": "22.11.0"\n} }' } },
    installs: { '.heroku/node/bin/node': 'node\n' },
  },
  {
    ...{ name: 'nodejs with a version of S3, path style', script: herokuish, buildpack: registry('nodejs') },
    app: { 'package.json': '{ "engines": {\n"node": "12.22.12"\n} }' },
    installs: { '.heroku/node/bin/node': 'node\n' },
  },
]

describe.skipIf(missing(...programs).length > 0)(title('buildpacks without forks', ...programs), () => {
  const online = onlineStage()
  let world: World
  beforeAll(async () => {
    world = await createWorld()
  })

  const start = (jvm?: string): Promise<Online> =>
    online({ hosts, populate: (internet) => populate(internet, world, jvm) })

  const run = ({ ca }: Online, base: string, { script, buildpack, variables, env, app, baked }: Case) => {
    const at = (path: string) => `${base}/repository/${path}`
    const urls = Object.entries({ ...variables, ...(buildpack && { BUILDPACK_URL: buildpack }) })
    const sources = baked === undefined ? [] : sourcesOf(baked).map((directory) => `${directory}/.`)
    const image = sources.length === 0 ? '' : `mkdir buildpack && cp -r ${sources.join(' ')} buildpack\n`
    const all = { ...Object.fromEntries(urls.map(([name, path]) => [name, at(path)])), ...env }
    return build({ script: image + script, app, env: all, ca })
  }

  const expectGood = async (built: Build, { installs, holds = {} }: Case) => {
    expect([built.code, built.stderr]).toEqual([0, ''])
    for (const [path, said] of Object.entries(installs)) expect([path, await built.says(path)]).toEqual([path, said])
    for (const [path, url] of Object.entries(holds)) {
      expect([path, (await built.file(path))?.equals(world.files.get(url) as Buffer)]).toEqual([path, true])
    }
  }

  it.each(cases)('$name: all through Larder, by http and https, then without the internet', async (each) => {
    const stage = await start(each.jvm)
    const { internet, larder } = stage
    for (const base of [larder.url, larder.httpsUrl]) await expectGood(await run(stage, base, each), each)
    const requests = internet.requests()
    const got = requests.filter(({ method }) => method === 'GET').map(({ host, url }) => `${host}${url}`)
    expect(got.filter((url, index) => got.indexOf(url) !== index)).toEqual([])
    expect(requests.filter(({ headers }) => !String(headers['user-agent']).startsWith('larder/'))).toEqual([])
    expect(internet.strangers).toEqual([])
    await internet.cut()
    for (const base of [larder.url, larder.httpsUrl]) await expectGood(await run(stage, base, each), each)
  })

  it('a build whose buildpack is not rewritten fails here: it wants to go out', async () => {
    const config = 'presets: [github-archives, heroku-python]\nrepositories: { github: { rewrite: [] } }'
    const stage = await online({ hosts, populate: (internet) => populate(internet, world), config })
    const each = cases.find(({ name }) => name === 'python, a release') as Case
    const { code, stderr } = await run(stage, stage.larder.url, { ...each, script: pinned })
    expect(code).not.toBe(0)
    expect(stderr).toContain('127.0.0.1 port 9')
  })

  it.each(['jvm-2021', 'jvm-2024', 'jvm-today'])('%s: nothing but URLs is other than it was', async (name) => {
    const { larder } = await start(name)
    const { body } = await get(`${larder.url}/repository/${registry('jvm')}`)
    await expectOnlyUrlsToDiffer(await membersOf(world.published(name)), await membersOf(body), larder.url)
  })

  it.each(['gradle-2021', 'gradle-today', 'ruby', 'nodejs', 'python', 'go'])(
    '%s from GitHub: nothing but URLs is other than it was, and the directory at the top has no name',
    async (name) => {
      const { larder } = await start()
      const { body } = await get(`${larder.url}/repository/${github(name)}`)
      const original = world.files.get(`https://github.com${sourceOf(name)}`) ?? Buffer.alloc(0)
      const unwrapped = (await membersOf(original)).map(({ header, content }) => ({
        header: { ...header, name: String(header.name).replace(/^[^/]*\//, './') },
        content,
      }))
      await expectOnlyUrlsToDiffer(unwrapped, await membersOf(body), larder.url)
    },
  )
})

/** Members, their order and all their headers but sizes are the same, and so is their content but for URLs in texts. */
async function expectOnlyUrlsToDiffer(
  before: readonly Member[],
  after: readonly Member[],
  base: string,
): Promise<void> {
  expect(after.map(({ header }) => header)).toEqual(before.map(({ header }) => header))
  const changed = after.filter(({ content }, index) => !content.equals(before[index]?.content ?? Buffer.alloc(0)))
  expect(changed.length).toBeGreaterThan(0)
  for (const { header, content } of changed) {
    const was = before.find((member) => member.header.name === header.name)?.content ?? Buffer.alloc(0)
    expect(content.toString('utf8')).toContain(`${base}/repository/`)
    expect(withoutUrls(content)).toBe(withoutUrls(was))
    expect(was.includes(0)).toBe(false)
  }
}

const withoutUrls = (text: Buffer): string => text.toString('utf8').replaceAll(/https?:\/\/[^\s"'|`)}]+/g, 'URL')
