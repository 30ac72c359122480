import type { Repository } from '../caching/repository.js'
import { type Config, loadConfig } from '../config/load.js'
import { repositoryIndex } from '../config/repositories.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'

/** The configuration in force. A reload replaces it whole, or leaves it as it is (O4). */
export interface LiveConfig {
  readonly current: Config
  readonly repositories: () => readonly Repository[]
  readonly find: (nameOrAlias: string) => Repository | undefined
  /** Never rejects: what is wrong with the new one is logged. */
  reload(): Promise<void>
  /** Tells that the one read at the start is in force. */
  loaded(): void
}

export interface LiveConfigOptions {
  readonly file: string
  readonly env: NodeJS.ProcessEnv
  /** What is read anew with it; where that fails the old one stays. */
  readonly together: () => Promise<void>
  readonly onReload: (config: Config) => void
  readonly metrics: Metrics
  readonly log: Logger
}

/** Throws `ConfigError`. */
export async function openLiveConfig(options: LiveConfigOptions): Promise<LiveConfig> {
  const { file, env, together, onReload, metrics, log } = options
  let current = await loadConfig(file, env)
  let find = repositoryIndex(current.repositories)

  const loaded = () => {
    metrics.configReloads.inc({ result: 'loaded' })
    metrics.configLoaded.setToCurrentTime()
  }

  const reloadNow = async () => {
    try {
      const next = await loadConfig(file, env)
      await together()
      current = next
      find = repositoryIndex(next.repositories)
      onReload(next)
      loaded()
      log.info({ repositories: next.repositories.map(({ name }) => name) }, 'configuration reloaded')
    } catch (error) {
      metrics.configReloads.inc({ result: 'failed' })
      log.error({ err: error }, 'cannot reload the configuration; the old one stays in force')
    }
  }

  let reloading = Promise.resolve()

  return {
    get current() {
      return current
    },
    repositories: () => current.repositories,
    find: (nameOrAlias) => find(nameOrAlias),
    /** One after another, so that the file read last is the one in force. */
    reload() {
      reloading = reloading.then(reloadNow)
      return reloading
    },
    loaded,
  }
}
