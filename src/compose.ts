import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { createAdministration } from './administration/administration.js'
import { createSchedule } from './administration/schedule.js'
import { createTasks } from './administration/tasks.js'
import { createTurns } from './administration/turns.js'
import { createWarmJobs } from './administration/warm-jobs.js'
import type { Repository } from './caching/repository.js'
import type { Settings } from './config/environment.js'
import { loadConfig } from './config/load.js'
import { repositoryIndex } from './config/repositories.js'
import { watchFile } from './config/watch.js'
import { openCredentials } from './credentials.js'
import { createAccessRecorder, openAccessLog } from './http/access.js'
import { createApp } from './http/app.js'
import { createArtifactHeaders } from './http/artifact-headers.js'
import { createArtifacts } from './http/artifacts.js'
import { createAdmit } from './http/auth.js'
import type { Health } from './http/operations.js'
import { createBufferPool } from './http/pump.js'
import { createRequestIds } from './http/request-id.js'
import { createRequestMetrics } from './http/request-metrics.js'
import { createSend } from './http/send.js'
import { createServers } from './http/server.js'
import type { Logger } from './log.js'
import { createMetrics } from './metrics.js'
import { createProxy } from './proxy/proxy.js'
import { createArtifactStore } from './storage/artifact-store.js'
import { createDamageReport } from './storage/damage.js'
import { openDataDirectory } from './storage/disk/data-directory.js'
import { openDiskBlobStore } from './storage/disk/disk-blob-store.js'
import { diskFaults } from './storage/disk/disk-fault.js'
import { watchDisk } from './storage/disk/disk-health.js'
import { openLmdbRecordStore } from './storage/disk/lmdb-record-store.js'
import { freeOnVolume, shareOfVolume } from './storage/disk/volume.js'
import type { SharedCache } from './storage/shared-cache.js'
import { openStaging } from './storage/staging.js'
import { createGotUpstream } from './upstream/got-upstream.js'
import type { Upstream } from './upstream/upstream.js'

export interface Larder {
  readonly urls: readonly string[]
  /** Reads the configuration anew; a bad one leaves the old in force (O4). Reopens the access log. */
  reload(): Promise<void>
  /** Finishes what is under way within the grace, then ends it (O1). */
  stop(): Promise<void>
}

/** Milliseconds. */
const cleanedUpEvery = 24 * 3600 * 1000

const breakerLevels = { closed: 0, 'half-open': 1, open: 2 } as const

/** Wires everything; the only place that names drivers. */
export async function startLarder(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  version: string,
  log: Logger,
): Promise<Larder> {
  let config = await loadConfig(settings.configFile, env)
  let find = repositoryIndex(config.repositories)
  const data = await openDataDirectory(settings.dataDirectory)
  const disk = watchDisk({ data, log })
  const credentials = await openCredentials(settings, log)
  const metrics = createMetrics()
  metrics.buildInfo.set({ version }, 1)
  const { redisUrl, redisDeadline, maxSize } = settings
  const shared = redisUrl === undefined ? undefined : await sharedCache(redisUrl, redisDeadline, log)
  const store = createArtifactStore({
    records: openLmdbRecordStore(data.records, disk),
    blobs: await openDiskBlobStore(data.blobs, disk),
    staging: await openStaging(data.staging, disk),
    shared,
    hotBytes: settings.hotBytes,
    maxSize: 'bytes' in maxSize ? maxSize.bytes : await shareOfVolume(settings.dataDirectory, maxSize.percent),
    retentionOf: (repository) => config.repositories.find(({ name }) => name === repository)?.retention,
    ...{ metrics, log },
    onDamaged: createDamageReport(metrics, log),
  })
  const upstream = await openUpstream(settings, env, () => config.repositories)
  const via = `1.1 larder-${data.id}`
  const proxy = createProxy({ store, upstream, metrics, log, userAgent: `larder/${version}`, via })
  const servers = createServers({
    ...settings,
    log,
    refused: (reason) => metrics.connectionsRefused.inc({ reason }),
  })
  const requestMetrics = createRequestMetrics(metrics)
  const accessLog = openAccessLog(settings.accessLog, log)
  let stopping = false

  const health = async (): Promise<Health> => {
    const degraded = [await disk.fault(), shared && !shared.healthy ? 'redis' : undefined]
    return { stopping, degraded: degraded.filter((fault) => fault !== undefined) }
  }

  const measure = async () => {
    requestMetrics.flush()
    store.measure()
    metrics.volumeFree.set(await freeOnVolume(settings.dataDirectory).catch(() => Number.NaN))
    metrics.connections.set(servers.connections())
    metrics.fillsInFlight.set(proxy.fillsInFlight())
    metrics.breakerState.reset()
    for (const repository of config.repositories) {
      for (const { url, breaker } of proxy.availability.remotes(repository)) {
        metrics.breakerState.set({ repository: repository.name, remote: url }, breakerLevels[breaker])
      }
    }
    const { degraded } = await health()
    metrics.degraded.set(degraded.length > 0 ? 1 : 0)
    for (const reason of [...diskFaults, ...(shared ? ['redis'] : [])]) {
      metrics.degradedBy.set({ reason }, degraded.includes(reason) ? 1 : 0)
    }
    if (shared) metrics.redisUp.set(shared.healthy ? 1 : 0)
  }

  const reloadNow = async () => {
    accessLog?.reopen()
    servers.reloadCertificate()
    try {
      const next = await loadConfig(settings.configFile, env)
      await credentials.reload()
      config = next
      find = repositoryIndex(config.repositories)
      schedule.set(config.schedule)
      loaded()
      log.info({ repositories: config.repositories.map(({ name }) => name) }, 'configuration reloaded')
    } catch (error) {
      metrics.configReloads.inc({ result: 'failed' })
      log.error({ err: error }, 'cannot reload the configuration; the old one stays in force')
    }
  }

  let reloading = Promise.resolve()
  /** One after another, so that the file read last is the one in force. */
  const reload = () => {
    reloading = reloading.then(reloadNow)
    return reloading
  }

  const loaded = () => {
    metrics.configReloads.inc({ result: 'loaded' })
    metrics.configLoaded.setToCurrentTime()
  }

  const artifacts = createArtifacts({
    proxy,
    find: (nameOrAlias) => find(nameOrAlias),
    admit: createAdmit(credentials.current),
    send: createSend({ fieldsOf: createArtifactHeaders(via), pool: createBufferPool() }),
    log,
    via,
    record: createAccessRecorder(requestMetrics, accessLog),
    reset: servers.reset,
    nextRequestId: createRequestIds(),
  })
  const tasks = createTasks(log)
  const shelves = {
    repositories: () => config.repositories,
    find: (nameOrAlias: string) => find(nameOrAlias),
  }
  const warmJobs = createWarmJobs({ ...shelves, warming: proxy.warming, tasks, metrics })
  const schedule = createSchedule({ jobs: warmJobs, inTurn: createTurns(shared, randomUUID()), log })
  const administration = createAdministration({
    ...{ ...shelves, store, tasks, warmJobs, metrics, measure },
    availability: proxy.availability,
  })
  const admin = { administration, tokens: credentials.current, log, version }
  const app = createApp({ artifacts, metrics, health, measure, log, admin })
  const { configFile, readTokensFile, adminTokenFile, tls } = settings
  const watched = [configFile, readTokensFile, adminTokenFile, tls?.cert, tls?.key].filter((file) => file !== undefined)
  const watches = watched.map((file) =>
    watchFile(
      file,
      () => void reload(),
      (error) => log.error({ err: error, file }, 'cannot watch a file for changes; send SIGHUP after a change'),
    ),
  )
  const urls = await servers.listen(app, artifacts)
  schedule.set(config.schedule)
  loaded()
  const cleanUp = () =>
    void store.gc().then(
      (collected) => log.info(collected, 'cleaned up'),
      (error) => stopping || log.error({ err: error }, 'cannot clean up'),
    )
  cleanUp()
  const cleaning = setInterval(cleanUp, cleanedUpEvery).unref()

  return {
    urls,
    reload,
    async stop() {
      stopping = true
      schedule.stop()
      clearInterval(cleaning)
      const grace = new Promise<void>((resolve) => setTimeout(resolve, settings.shutdownGrace).unref())
      for (const watch of watches) watch.close()
      await Promise.race([Promise.all([servers.close(settings.shutdownGrace), proxy.idle(), tasks.stop()]), grace])
      proxy.abort()
      await proxy.idle()
      upstream.close()
      await accessLog?.close()
      await store.close()
      disk.close()
      await data.unlock()
    },
  }
}

/** The way out to the remotes, as the process's settings have it. */
export async function openUpstream(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  repositories: () => readonly Repository[],
): Promise<Upstream> {
  const ca = await trusted(settings.caFile, env)
  return createGotUpstream({
    egress: settings.egress,
    ...(ca && { ca }),
    configuredRemotes: () => repositories().flatMap(({ remotes }) => remotes.map(({ url }) => url)),
  })
}

/** Loaded only where it is asked for: its client takes a good part of a start. */
async function sharedCache(url: string, deadline: number, log: Logger): Promise<SharedCache> {
  const { connectKeyvSharedCache } = await import('./storage/keyv/keyv-shared-cache.js')
  return connectKeyvSharedCache({ url, deadline, log })
}

/** The public roots, those Node was given by its own variable, and ours: giving a list replaces all others. */
async function trusted(caFile: string | undefined, env: NodeJS.ProcessEnv): Promise<string[] | undefined> {
  const files = [caFile, env.NODE_EXTRA_CA_CERTS].filter((file): file is string => file !== undefined && file !== '')
  if (files.length === 0) return undefined
  return [...rootCertificates, ...(await Promise.all(files.map((file) => readFile(file, 'utf8'))))]
}
