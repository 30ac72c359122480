import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { faultsIn } from '../config/faults.js'
import { gitArchive } from '../end-to-end/archives.js'
import { build, herokuish, isolated } from '../end-to-end/build.js'
import { type Online, onlineStage } from '../end-to-end/online.js'
import { mirrored } from '../end-to-end/paketo.js'
import { createWorld, hosts, populate, putOnGitHub, type World } from '../end-to-end/world.js'
import { startConnectProxy } from '../support/connect-proxy.js'
import { run } from '../support/http.js'
import { withParts } from '../support/markdown.js'
import { missing, title } from '../support/servers.js'
import { noise, temporaryDirectory } from '../support/stage.js'
import { documentsIn, inCheckout, textOf } from './files.js'

const programs = ['curl', 'git', 'jq', 'openssl', 'zstd'] as const
const paketo = 'https://github.com/paketo-buildpacks/bellsoft-liberica/archive/refs/tags/v10.4.2.tar.gz'
const dependency =
  'https://github.com/bell-sw/Liberica/releases/download/17.0.9+11/bellsoft-jre17.0.9+11-linux-amd64.tar.gz'

type Variables = Readonly<Record<string, string>>

interface Platform {
  readonly page: string
  /** The file the page has `larder env` write, and what that is in Markdown. */
  readonly printed: readonly [file: string, language: string]
  /** The variables a build is given, once the page's commands have run in `directory`. */
  readonly given: (directory: string, page: string) => Promise<Variables>
  /** What the platform fetches then, in bash. */
  readonly script: (given: Variables) => string
  readonly app: Readonly<Record<string, string>>
  /** What is below the application in the end. */
  readonly installs: readonly string[]
}

const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block)

const assignments = (text: string): Variables =>
  Object.fromEntries([...text.matchAll(/^(?:ARG )?(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))

const assignmentsIn = (file: string) => async (directory: string) =>
  assignments(await readFile(join(directory, file), 'utf8'))

/** What GitLab lets into a build of Auto DevOps. */
async function forwarded(directory: string): Promise<Variables> {
  const [document] = documentsIn(await readFile(join(directory, 'variables.yml'), 'utf8'))
  const variables = Object.entries(document?.variables ?? {}).map(([name, value]) => [name, String(value)] as const)
  const named = String(document?.variables?.AUTO_DEVOPS_BUILD_IMAGE_FORWARDED_CI_VARIABLES).split(',')
  return Object.fromEntries(variables.filter(([name]) => name === 'BUILDPACK_URL' || named.includes(name)))
}

const platforms: readonly Platform[] = [
  {
    ...{ page: 'gitlab-auto-devops', printed: ['variables.yml', 'yaml'], given: forwarded, script: () => herokuish },
    app: { gradlew: '', 'system.properties': 'java.runtime.version=17\n' },
    installs: ['.jdk/bin/java'],
  },
  {
    ...{ page: 'dokku', printed: ['set.sh', 'bash'], given: assignmentsIn('shop.env'), script: () => herokuish },
    app: { 'package.json': '{ "engines": {\n"node": "22.11.0"\n} }' },
    installs: ['.heroku/node/bin/node'],
  },
  {
    ...{ page: 'dockerfile', printed: ['build.env', 'bash'], script: () => herokuish },
    given: async (_, page) => assignments(blocks(page, 'dockerfile').join('')),
    app: { 'requirements.txt': '' },
    installs: ['.heroku/python/bin/python'],
  },
  {
    ...{ page: 'paketo', printed: ['arguments', 'bash'], given: assignmentsIn('packed'), app: {}, installs: [] },
    script: (given) => `curl -fsS "${mirrored(dependency, given)}" > /dev/null`,
  },
]

/** Programs of platforms, as far as the pages use them: they keep what they are told. */
const standIns = {
  dokku: '[ "$1 $2 $3" = "config:set --no-restart shop" ] && shift 3 && printf "%s\\n" "$@" > shop.env',
  pack: `
    [ "$1" = build ] && [ "$(cat bindings/ca-certificates/type)" = ca-certificates ] && grep -q BEGIN bindings/ca-certificates/ca.pem
    while [ $# -gt 0 ]; do if [ "$1" = --env ]; then echo "$2" > packed; fi; shift; done`,
}

/** Lays a page out: its files, the programs it calls, the authority. */
async function layOut(text: string, { larder, ca }: Online): Promise<{ directory: string; path: string }> {
  const directory = await temporaryDirectory()
  const programs = join(directory, 'programs')
  await mkdir(programs)
  const settings = `LARDER_CONFIG=repositories.yaml LARDER_SERVER=${larder.url} LARDER_TOKEN_FILE=${larder.data}/admin-token`
  const all = { ...standIns, larder: `exec env ${settings} ${process.execPath} ${inCheckout('dist/main.js')} "$@"` }
  for (const [name, script] of Object.entries(all)) {
    await writeFile(join(programs, name), `#!/usr/bin/env bash\nset -e\n${script}\n`)
    await chmod(join(programs, name), 0o755)
  }
  for (const [name, block] of filesOf(text)) await writeFile(join(directory, name), block)
  await writeFile(join(directory, 'ca.pem'), await readFile(ca))
  return { directory, path: `${programs}:${process.env.PATH}` }
}

/** The files of a page are blocks that begin with their name. */
const filesOf = (text: string): (readonly [name: string, block: string])[] =>
  blocks(text, 'yaml').flatMap((block) => {
    const [, name] = /^# (\S+\.yaml)\n/.exec(block) ?? []
    return name === undefined ? [] : [[name, block] as const]
  })

it.each([...platforms.map(({ page }) => `platforms/${page}`), 'rewriting'])(
  'docs/%s.md: its settings are a configuration',
  (page) => {
    const settings = blocks(textOf(`docs/${page}.md`), 'yaml').filter((block) =>
      /^(?:presets|repositories):/m.test(block),
    )
    expect(settings.length).toBeGreaterThan(0)
    for (const text of settings) expect(faultsIn('/', text)).toEqual([])
  },
)

describe.skipIf(missing(...programs).length > 0)(title('docs/platforms', ...programs), () => {
  const online = onlineStage()
  let world: World
  let buildpack: Buffer
  beforeAll(async () => {
    world = await createWorld()
    const listed = `[[metadata.dependencies]]\nid = "jre"\nversion = "17.0.9"\nuri = "${dependency}"\n`
    buildpack = await gitArchive({ 'buildpack.toml': listed }, 'bellsoft-liberica-10.4.2')
  })

  // `npx vitest run test/deploy/platforms.test.ts -u` writes what `larder env` prints anew.
  it.each(platforms)(
    '$page: its commands work, and a build by its variables reaches Larder alone',
    async (platform) => {
      const file = `docs/platforms/${platform.page}.md`
      const text = textOf(file)
      const stage = await online({
        ...{ hosts, config: filesOf(text)[0]?.[1] ?? '' },
        populate(internet) {
          populate(internet, world)
          putOnGitHub(internet, dependency, noise(50_000))
          putOnGitHub(internet, paketo, buildpack)
        },
      })
      const port = Number(new URL(stage.larder.httpsUrl).port)
      const way = await startConnectProxy((place) => (place === 'larder.example.com:443' ? port : undefined))
      onTestFinished(() => way.stop())
      const { directory, path } = await layOut(text, stage)
      const env = { ...isolated(way.url), CURL_CA_BUNDLE: stage.ca, PATH: path }
      const commands = ['set -eo pipefail', ...blocks(text, 'sh')].join('\n')
      const ran = await run('bash', ['-c', commands], directory, env)
      expect([ran.code, ran.stderr.replaceAll(/^warning: .*\n/gm, '')]).toEqual([0, ''])

      const [printed, language] = platform.printed
      const block = `\n\`\`\`${language}\n${await readFile(join(directory, printed), 'utf8')}\`\`\`\n\n`
      await expect(withParts(text, { env: block })).toMatchFileSnapshot(inCheckout(file))

      const given = await platform.given(directory, text)
      expect(Object.values(given).join()).toContain('https://larder.example.com/repository/')
      const { app, ca } = { app: platform.app, ca: stage.ca }
      const built = await build({ script: platform.script(given), app, env: given, ca, proxy: way.url })
      expect([built.code, built.stderr]).toEqual([0, ''])
      for (const installed of platform.installs) {
        expect(await built.says(installed)).toBe(`${installed.replace(/.*\//, '')}\n`)
      }
      expect([...way.refused, ...stage.internet.strangers]).toEqual([])
    },
  )
})
