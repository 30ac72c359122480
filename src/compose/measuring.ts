import type { Repository } from '../caching/repository.js'
import type { Health } from '../http/operations.js'
import type { RequestMetrics } from '../http/request-metrics.js'
import type { Servers } from '../http/server.js'
import type { Metrics } from '../metrics.js'
import type { Proxy as ArtifactProxy } from '../proxy/proxy.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import { diskFaults } from '../storage/disk/disk-fault.js'
import type { DiskHealth } from '../storage/disk/disk-health.js'
import { freeOnVolume } from '../storage/disk/volume.js'
import type { SharedCache } from '../storage/shared-cache.js'

export interface MeasuringOptions {
  readonly store: ArtifactStore
  readonly proxy: ArtifactProxy
  readonly disk: DiskHealth
  readonly shared: SharedCache | undefined
  /** Where the store is one. */
  readonly bucket: { readonly healthy: boolean } | undefined
  readonly servers: Servers
  readonly requestMetrics: RequestMetrics
  readonly metrics: Metrics
  readonly repositories: () => readonly Repository[]
  readonly dataDirectory: string
  readonly isStopping: () => boolean
}

const breakerLevels = { closed: 0, 'half-open': 1, open: 2 } as const

/** What the process says of itself when asked: its health (O1), and the gauges of a scrape (O2). */
export function createMeasuring(options: MeasuringOptions) {
  const {
    store,
    proxy,
    disk,
    shared,
    bucket,
    servers,
    requestMetrics,
    metrics,
    repositories,
    dataDirectory,
    isStopping,
  } = options

  const health = async (): Promise<Health> => {
    const degraded = [
      await disk.fault(),
      shared && !shared.healthy ? 'redis' : undefined,
      bucket && !bucket.healthy ? 's3' : undefined,
    ]
    return { stopping: isStopping(), degraded: degraded.filter((fault) => fault !== undefined) }
  }

  const measure = async () => {
    requestMetrics.flush()
    store.measure()
    metrics.volumeFree.set(await freeOnVolume(dataDirectory).catch(() => Number.NaN))
    metrics.connections.set(servers.connections())
    metrics.fillsInFlight.set(proxy.fillsInFlight())
    metrics.breakerState.reset()
    for (const repository of repositories()) {
      for (const { url, breaker } of proxy.availability.remotes(repository)) {
        metrics.breakerState.set({ repository: repository.name, remote: url }, breakerLevels[breaker])
      }
    }
    const { degraded } = await health()
    metrics.degraded.set(degraded.length > 0 ? 1 : 0)
    for (const reason of [...diskFaults, ...(shared ? ['redis'] : []), ...(bucket ? ['s3'] : [])]) {
      metrics.degradedBy.set({ reason }, degraded.includes(reason) ? 1 : 0)
    }
    if (shared) metrics.redisUp.set(shared.healthy ? 1 : 0)
  }

  return { health, measure }
}
