import { randomUUID } from 'node:crypto'
import { createAdministration } from './administration/administration.js'
import { createSchedule } from './administration/schedule.js'
import { createTasks } from './administration/tasks.js'
import { createTurns } from './administration/turns.js'
import { createWarmJobs } from './administration/warm-jobs.js'
import { createRewriter } from './buildpacks/rewriting/rewriter.js'
import { openLiveConfig } from './compose/live-config.js'
import { createMeasuring } from './compose/measuring.js'
import { openReplicas } from './compose/open-replicas.js'
import { openSharedCache } from './compose/open-shared-cache.js'
import { openStorage } from './compose/open-storage.js'
import { openUpstream } from './compose/open-upstream.js'
import type { Settings } from './config/environment.js'
import { watchFile } from './config/watch.js'
import { openCredentials } from './credentials.js'
import { createAccessRecorder, openAccessLog } from './http/access.js'
import { createApp } from './http/app.js'
import { createArtifactHeaders } from './http/artifact-headers.js'
import { createArtifacts } from './http/artifacts.js'
import { createAttempts } from './http/attempts.js'
import { createAdmit, createAdmitWriter } from './http/auth.js'
import { createPeersRoute } from './http/peers-route.js'
import { createPublicUrl } from './http/public-url.js'
import { createBufferPool } from './http/pump.js'
import { createRequestIds } from './http/request-id.js'
import { createRequestMetrics } from './http/request-metrics.js'
import { createSend } from './http/send.js'
import { createServers } from './http/server.js'
import { createUploadRoutes } from './http/uploads.js'
import type { Logger } from './log.js'
import { createMetrics } from './metrics.js'
import { isPass } from './peers/passes.js'
import { createProxy } from './proxy/proxy.js'
import { createBulletin, noBulletin } from './storage/bulletin.js'
import { createDamageReport } from './storage/damage.js'
import { openDataDirectory } from './storage/disk/data-directory.js'
import { watchDisk } from './storage/disk/disk-health.js'
import { openArtifactStore } from './storage/open-artifact-store.js'

export interface Larder {
  readonly urls: readonly string[]
  /** Reads the configuration anew; a bad one leaves the old in force (O4). Reopens the access log. */
  reload(): Promise<void>
  /** Finishes what is under way within the grace, then ends it (O1). */
  stop(): Promise<void>
}

/** Milliseconds. */
const cleanedUpEvery = 24 * 3600 * 1000

/** Milliseconds; a peer that is silent for three times as long is given up. */
const peersBeat = 10_000

/** Wires everything; the only place that names drivers. */
export async function startLarder(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  version: string,
  log: Logger,
): Promise<Larder> {
  const metrics = createMetrics()
  metrics.buildInfo.set({ version }, 1)
  const config = await openLiveConfig({
    ...{ file: settings.configFile, env, metrics, log },
    together: () => credentials.reload(),
    onReload: ({ schedule: next }) => schedule.set(next),
  })
  const { find, repositories } = config
  const data = await openDataDirectory(settings.dataDirectory)
  const disk = watchDisk({ data, log })
  const credentials = await openCredentials(settings, log)
  const shared = await openSharedCache(settings, env, log)
  const bulletin = shared ? createBulletin(shared, log) : noBulletin
  const storage = await openStorage({ settings, env, data, disk, shared, log }).catch(async (error) => {
    await data.unlock()
    throw error
  })
  const store = openArtifactStore({
    ...storage,
    shared,
    bulletin,
    hotBytes: settings.hotBytes,
    retentionOf: (repository) => repositories().find(({ name }) => name === repository)?.retention,
    ...{ metrics, log },
    onDamaged: createDamageReport(metrics, log),
  })
  const upstream = await openUpstream(settings, env, repositories)
  const via = `1.1 larder-${data.id}`
  const replicas = await openReplicas({ settings, env, shared, secrets: credentials.peerSecrets, metrics, log })
  const proxy = createProxy({
    ...{ store, replicas, bulletin, repositories, upstream, metrics, log, userAgent: `larder/${version}`, via },
    rewriter: createRewriter({ repositories }),
    publicUrl: () => config.current.publicUrl,
  })
  const servers = createServers({
    ...settings,
    log,
    refused: (reason) => metrics.connectionsRefused.inc({ reason }),
  })
  const requestMetrics = createRequestMetrics(metrics)
  const accessLog = openAccessLog(settings.accessLog, log)
  let stopping = false

  const { health, measure } = createMeasuring({
    ...{ store, proxy, disk, shared, servers, requestMetrics, metrics },
    bucket: storage.bucket,
    repositories,
    dataDirectory: settings.dataDirectory,
    isStopping: () => stopping,
  })

  const reload = () => {
    accessLog?.reopen()
    servers.reloadCertificate()
    return config.reload()
  }

  const pool = createBufferPool()
  const peers = createPeersRoute({
    ...{ underWay: replicas.underWay, pool, reset: servers.reset, beat: peersBeat },
    isPass: (id, shown) => isPass(credentials.peerSecrets(), id, shown),
  })
  const attempts = createAttempts()
  const artifacts = createArtifacts({
    proxy,
    find,
    admit: createAdmit(credentials.current),
    change: createUploadRoutes({
      ...{ uploads: proxy.uploads, unhurried: servers.unhurried, via, log },
      admitWriter: createAdmitWriter(credentials.current, attempts, log),
    }),
    publicUrl: createPublicUrl(() => config.current),
    send: createSend({ fieldsOf: createArtifactHeaders(via), pool }),
    log,
    via,
    record: createAccessRecorder(requestMetrics, accessLog),
    reset: servers.reset,
    nextRequestId: createRequestIds(),
  })
  const tasks = createTasks(log)
  const shelves = { repositories, find }
  const warmJobs = createWarmJobs({ ...shelves, warming: proxy.warming, tasks, metrics })
  const schedule = createSchedule({ jobs: warmJobs, inTurn: createTurns(shared, randomUUID()), log })
  const administration = createAdministration({
    ...{ ...shelves, store, tasks, warmJobs, bulletin, metrics, measure, log },
    availability: proxy.availability,
    foresee: proxy.foresee,
  })
  const admin = { administration, tokens: credentials.current, attempts, unhurried: servers.unhurried, log, version }
  const app = createApp({ artifacts, metrics, health, measure, log, admin })
  const { configFile, readTokensFile, writeTokensFile, adminTokenFile, peer, tls } = settings
  const tokenFiles = [readTokensFile, writeTokensFile, adminTokenFile, peer?.secretFile]
  const watched = [configFile, ...tokenFiles, tls?.cert, tls?.key].filter((file) => file !== undefined)
  const watches = watched.map((file) =>
    watchFile(
      file,
      () => void reload(),
      (error) => log.error({ err: error, file }, 'cannot watch a file for changes; send SIGHUP after a change'),
    ),
  )
  const urls = await servers.listen({ app, artifacts, peers })
  schedule.set(config.current.schedule)
  config.loaded()
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
      await storage.settle()
      await store.close()
      storage.close()
      disk.close()
      await data.unlock()
    },
  }
}
