import type { Repository } from '../caching/repository.js'
import { openUpstream } from '../compose/open-upstream.js'
import { ConfigError, type Fault } from '../config/config-error.js'
import { readEnvironment, type Settings } from '../config/environment.js'
import { type Config, loadConfig } from '../config/load.js'
import { loadTokens } from '../config/tokens.js'
import { type Probe, probe } from './probe.js'
import { CommandFailed, json, NotUnderstood, type Terminal, table } from './terminal.js'

export interface CheckOptions {
  /** Ask every remote, too. */
  readonly remotes?: boolean
  /** `<repository>/<path>` of artifacts to ask for, instead of the remote's top. */
  readonly path: readonly string[]
  readonly json?: boolean
}

/** Judges environment, repositories.yaml and files of tokens as `serve` would. Throws `CommandFailed` with every fault. */
export async function check(terminal: Terminal, options: CheckOptions): Promise<void> {
  const { settings, config, faults } = await configuration(terminal.env)
  if (!settings || faults.length > 0) {
    if (options.json) terminal.out(json({ faults }))
    throw new CommandFailed(`the configuration has faults\n${new ConfigError(faults).message}`)
  }
  const repositories = config?.repositories ?? []
  if (config && rewritesForNobody(config)) terminal.err(withoutPublicUrl)
  if (!options.remotes && options.path.length === 0) {
    const checked = repositories.map(({ name, type, remotes, members }) => ({
      ...{ repository: name, type },
      remotes: remotes.map(({ url }) => url),
      members: members.map((member) => member.name),
    }))
    const rows = checked.map(({ repository, type, remotes, members }) => [
      ...[repository, type],
      type === 'hosted' ? 'uploads' : [...remotes, ...members].join(', '),
    ])
    const text = `${table(['repository', 'type', 'comes from'], rows)}configuration is good\n`
    return terminal.out(options.json ? json({ faults, repositories: checked }) : text)
  }
  const probes = await probeAll(settings, repositories, terminal.env, options.path)
  terminal.out(options.json ? json({ faults, remotes: probes }) : probeTable(probes))
  const failed = probes.filter(({ fault }) => fault !== null)
  if (failed.length > 0) throw new CommandFailed(`${failed.length} of ${probes.length} remotes cannot be reached`)
}

const rewritesForNobody = ({ publicUrl, publicHosts, repositories }: Config) =>
  publicUrl === undefined && publicHosts.length === 0 && repositories.some(({ rewrite }) => rewrite.length > 0)

const withoutPublicUrl =
  'warning: URLs are rewritten for requests from this machine only; others get originals until publicUrl or publicHosts is set\n'

/** Environment and files are judged together, so that all faults are told at once. */
async function configuration(env: NodeJS.ProcessEnv) {
  const faults: Fault[] = []
  const judged = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      faults.push(...error.faults)
      return undefined
    }
  }
  const settings = await judged(() => readEnvironment(env))
  const file = settings?.configFile ?? (env.LARDER_CONFIG || './repositories.yaml')
  const config = await judged(() => loadConfig(file, env))
  for (const tokens of [settings?.readTokensFile, settings?.writeTokensFile, settings?.adminTokenFile]) {
    if (tokens !== undefined) await judged(() => loadTokens(tokens))
  }
  return { settings, config, faults }
}

async function probeAll(
  settings: Settings,
  repositories: readonly Repository[],
  env: NodeJS.ProcessEnv,
  paths: readonly string[],
): Promise<readonly Probe[]> {
  const isIn = (path: string, { name, remotes }: Repository) => remotes.length > 0 && path.startsWith(`${name}/`)
  const stray = paths.find((path) => !repositories.some((repository) => isIn(path, repository)))
  if (stray !== undefined)
    throw new NotUnderstood(`--path: "${stray}" does not begin with the name of a repository that has a remote`)
  const upstream = await openUpstream(settings, env, () => repositories)
  const probes = repositories.flatMap((repository) => {
    const target = paths.find((path) => isIn(path, repository))?.slice(repository.name.length) ?? '/'
    return repository.remotes.map((remote) => probe(upstream, repository, remote, target))
  })
  return Promise.all(probes).finally(() => upstream.close())
}

const probeTable = (probes: readonly Probe[]) =>
  table(
    ['repository', 'asked for', 'addresses', 'status', 'ms', 'redirected', 'ranges', 'fault'],
    probes.map(({ repository, url, addresses, status, milliseconds, redirected, ranges, fault }) => [
      ...[repository, url, addresses.join(' ') || '-', status ?? '-', milliseconds, redirected ? 'yes' : 'no'],
      ...[ranges === null ? '?' : ranges ? 'yes' : 'no', fault ?? ''],
    ]),
  )
