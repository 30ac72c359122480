import { constants } from 'node:fs'
import { access, readFile, statfs } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { Settings } from './config/environment.js'
import { loadConfig } from './config/load.js'
import { repositoryIndex } from './config/repositories.js'
import { watchFile } from './config/watch.js'
import { createAccessRecorder, openAccessLog } from './http/access.js'
import { createApp } from './http/app.js'
import { createArtifactHeaders } from './http/artifact-headers.js'
import { createArtifacts } from './http/artifacts.js'
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
import { openDataDirectory } from './storage/disk/data-directory.js'
import { openDiskBlobStore } from './storage/disk/disk-blob-store.js'
import { openLmdbRecordStore } from './storage/disk/lmdb-record-store.js'
import type { SharedCache } from './storage/shared-cache.js'
import { openStaging } from './storage/staging.js'
import { createGotUpstream } from './upstream/got-upstream.js'

export interface Larder {
  readonly urls: readonly string[]
  /** Reads the configuration anew; a bad one leaves the old in force (O4). Reopens the access log. */
  reload(): Promise<void>
  /** Finishes what is under way within the grace, then ends it (O1). */
  stop(): Promise<void>
}

/** Below this many free bytes the disk counts as full. */
const scarceSpace = 64 * 1024 * 1024

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
  const metrics = createMetrics()
  const { redisUrl, redisDeadline } = settings
  const shared = redisUrl === undefined ? undefined : await sharedCache(redisUrl, redisDeadline, log)
  const store = createArtifactStore({
    records: openLmdbRecordStore(data.records),
    blobs: await openDiskBlobStore(data.blobs),
    staging: await openStaging(data.staging),
    shared,
    hotBytes: settings.hotBytes,
  })
  const ca = await trusted(settings.caFile, env)
  const upstream = createGotUpstream({
    egress: settings.egress,
    ...(ca && { ca }),
    configuredRemotes: () => config.repositories.flatMap(({ remotes }) => remotes),
  })
  const via = `1.1 larder-${data.id}`
  const proxy = createProxy({ store, upstream, metrics, log, userAgent: `larder/${version}`, via })
  const servers = createServers({ ...settings, log })
  const requestMetrics = createRequestMetrics(metrics)
  const accessLog = openAccessLog(settings.accessLog, log)
  let stopping = false

  const health = async (): Promise<Health> => {
    const degraded = [await diskFault(settings.dataDirectory), shared && !shared.healthy ? 'redis' : undefined]
    return { stopping, degraded: degraded.filter((fault) => fault !== undefined) }
  }

  const measure = async () => {
    requestMetrics.flush()
    const { records, bytes } = store.totals()
    metrics.records.set(records)
    metrics.storedBytes.set(bytes)
    metrics.connections.set(servers.connections())
    metrics.fillsInFlight.set(proxy.fillsInFlight())
    metrics.degraded.set((await health()).degraded.length > 0 ? 1 : 0)
    if (shared) metrics.redisUp.set(shared.healthy ? 1 : 0)
  }

  const reloadNow = async () => {
    accessLog?.reopen()
    servers.reloadCertificate()
    try {
      config = await loadConfig(settings.configFile, env)
      find = repositoryIndex(config.repositories)
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
    send: createSend({ fieldsOf: createArtifactHeaders(via), pool: createBufferPool() }),
    log,
    via,
    record: createAccessRecorder(requestMetrics, accessLog),
    reset: servers.reset,
    nextRequestId: createRequestIds(),
  })
  const app = createApp({ artifacts, metrics, health, measure, log })
  const watched = [settings.configFile, ...(settings.tls ? [settings.tls.cert, settings.tls.key] : [])]
  const watches = watched.map((file) =>
    watchFile(
      file,
      () => void reload(),
      (error) => log.error({ err: error, file }, 'cannot watch a file for changes; send SIGHUP after a change'),
    ),
  )
  const urls = await servers.listen(app, artifacts)
  loaded()
  store.sweep().then(
    (removed) => removed > 0 && log.info({ removed }, 'blobs without a record removed'),
    (error) => log.error({ err: error }, 'cannot look for blobs without a record'),
  )

  return {
    urls,
    reload,
    async stop() {
      stopping = true
      const grace = new Promise<void>((resolve) => setTimeout(resolve, settings.shutdownGrace).unref())
      for (const watch of watches) watch.close()
      await Promise.race([Promise.all([servers.close(settings.shutdownGrace), proxy.idle()]), grace])
      proxy.abort()
      await proxy.idle()
      upstream.close()
      await accessLog?.close()
      await store.close()
      await data.unlock()
    },
  }
}

/** Loaded only where it is asked for: its client takes a good part of a start. */
async function sharedCache(url: string, deadline: number, log: Logger): Promise<SharedCache> {
  const { connectKeyvSharedCache } = await import('./storage/keyv/keyv-shared-cache.js')
  return connectKeyvSharedCache({ url, deadline, log })
}

/** The public roots, those Node was given by its own variable, and ours: giving a list replaces all others. */
async function trusted(caFile: string | undefined, env: NodeJS.ProcessEnv): Promise<string[] | undefined> {
  if (caFile === undefined) return undefined
  const extra = env.NODE_EXTRA_CA_CERTS
  const files = extra === undefined || extra === '' ? [caFile] : [caFile, extra]
  return [...rootCertificates, ...(await Promise.all(files.map((file) => readFile(file, 'utf8'))))]
}

/** Why nothing could be stored now, if so. */
async function diskFault(directory: string): Promise<string | undefined> {
  try {
    await access(directory, constants.W_OK)
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize < scarceSpace ? 'disk full' : undefined
  } catch {
    return 'disk not writable'
  }
}
