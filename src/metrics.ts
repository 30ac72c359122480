import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric, declared once. Label values are bounded: configured names and closed sets, never a path (O2). */
export type Metrics = ReturnType<typeof createMetrics>

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Gauges that prom-client names like counters; what they count is of no use to an operator. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of misnamed) registry.removeSingleMetric(name)
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const repositoryGauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['repository'] as const, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Histogram({ name, help, labelNames, buckets: seconds, registers })

  return {
    registry,
    requests: counter('larder_requests_total', 'Requests answered on the artifact route.', [
      'repository',
      'method',
      'status',
      'outcome',
      'collapsed',
    ]),
    sentBytes: counter('larder_sent_bytes_total', 'Body bytes sent to clients.', ['repository']),
    upstreamBytes: counter('larder_upstream_bytes_total', 'Body bytes received from remotes.', ['repository']),
    upstreamRequests: counter('larder_upstream_requests_total', 'Exchanges with remotes, by status or fault.', [
      'repository',
      'result',
    ]),
    fills: counter('larder_fills_total', 'Bodies taken in from remotes, by how it ended.', ['repository', 'result']),
    peerFills: counter(
      'larder_peer_fills_total',
      'Fills that another replica had under way: followed (growing), told its end (refused, over), or gone alone (alone).',
      ['result'],
    ),
    uploads: counter('larder_uploads_total', 'Uploads to hosted repositories and removals, by how they ended.', [
      'repository',
      'result',
    ]),
    rewrites: counter('larder_rewrites_total', 'Bodies made with URLs rewritten, by how it ended.', [
      'repository',
      'result',
    ]),
    breakerOpenings: counter('larder_breaker_openings_total', 'How often the breaker of a remote opened.', [
      'repository',
      'remote',
    ]),
    breakerState: new Gauge({
      name: 'larder_breaker_state',
      help: 'The breaker of each configured remote: 0 closed, 1 half-open, 2 open.',
      labelNames: ['repository', 'remote'] as const,
      registers,
    }),
    retries: counter('larder_retries_total', 'Exchanges tried again after transient trouble.', ['repository']),
    resumes: counter('larder_resumes_total', 'Cut bodies resumed.', ['repository']),
    integrityFailures: counter(
      'larder_integrity_failures_total',
      'Bodies whose digest was wrong or not to be had: by what the head promised, a literal pin, a list, or unknown.',
      ['repository', 'kind'],
    ),
    damagedBodies: counter(
      'larder_damaged_bodies_total',
      'Stored bodies found damaged: dropped, or kept where they were uploaded.',
      ['repository', 'reason'],
    ),
    aborted: counter('larder_aborted_total', 'Answers cut short, by who ended them.', ['repository', 'by']),
    duration: histogram('larder_request_duration_seconds', 'From the request to the last byte sent.', [
      'repository',
      'outcome',
    ]),
    upstreamHead: histogram('larder_upstream_head_seconds', 'From the request to a remote to the head of its answer.', [
      'repository',
    ]),
    fillsInFlight: gauge('larder_fills_in_flight', 'Fills under way.'),
    connections: gauge('larder_connections', 'Open client connections.'),
    connectionsRefused: counter(
      'larder_connections_refused_total',
      'Client connections ended unserved: over their number (connections), or too many requests at once (pipelining).',
      ['reason'],
    ),
    records: gauge('larder_store_records', 'Records stored.'),
    storedBytes: gauge('larder_store_bytes', 'Bytes of bodies stored, a shared one counted once.'),
    storeCap: gauge('larder_store_cap_bytes', 'Bytes of bodies the store may hold; +Inf where nothing limits it.'),
    volumeFree: gauge('larder_volume_free_bytes', 'Bytes free on the volume of the store; NaN where it cannot tell.'),
    repositoryRecords: repositoryGauge('larder_repository_records', 'Records stored.'),
    repositoryBytes: repositoryGauge(
      'larder_repository_bytes',
      'Bytes of bodies stored, one with others counted fully.',
    ),
    repositoryCap: repositoryGauge(
      'larder_repository_cap_bytes',
      'Bytes of bodies it may hold; +Inf where only the store is limited.',
    ),
    evictions: counter('larder_evictions_total', 'Artifacts evicted: over a cap (size), or not used (unused).', [
      'repository',
      'reason',
    ]),
    evictedBytes: counter('larder_evicted_bytes_total', 'Bytes of the bodies of evicted artifacts.', ['repository']),
    purged: counter('larder_purged_total', 'Artifacts purged, softly or not.', ['repository']),
    warmItems: counter('larder_warm_items_total', 'Artifacts asked for ahead of time, by how they came to be here.', [
      'repository',
      'result',
    ]),
    warmJobs: counter('larder_warm_jobs_total', 'Warm-ups, by result: ready, incomplete, failed, cancelled.', [
      'result',
    ]),
    redisUp: gauge('larder_redis_up', '1 while Redis answers, 0 while it does not, absent without Redis.'),
    degradedBy: new Gauge({
      name: 'larder_degraded_by',
      help: '1 for each reason of larder_degraded, 0 for those that could be.',
      labelNames: ['reason'] as const,
      registers,
    }),
    degraded: gauge('larder_degraded', '1 while something is wrong that clients do not notice (see /readyz).'),
    buildInfo: new Gauge({
      name: 'larder_build_info',
      help: '1; its label is the version that runs.',
      labelNames: ['version'] as const,
      registers,
    }),
    configReloads: counter('larder_config_reloads_total', 'Reloads of the configuration, by result.', ['result']),
    configLoaded: gauge('larder_config_loaded_timestamp_seconds', 'When the configuration in force was loaded.'),
  }
}
