import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Every metric, declared once. Label values are bounded: configured names and closed sets, never a path (O2). */
export type Metrics = ReturnType<typeof createMetrics>

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
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
    retries: counter('larder_retries_total', 'Exchanges tried again after transient trouble.', ['repository']),
    resumes: counter('larder_resumes_total', 'Cut bodies resumed.', ['repository']),
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
    records: gauge('larder_store_records', 'Records stored.'),
    storedBytes: gauge('larder_store_bytes', 'Bytes of bodies stored, a shared one counted once.'),
    redisUp: gauge('larder_redis_up', '1 while Redis answers, 0 while it does not, absent without Redis.'),
    degraded: gauge('larder_degraded', '1 while something is wrong that clients do not notice (see /readyz).'),
    configReloads: counter('larder_config_reloads_total', 'Reloads of the configuration, by result.', ['result']),
    configLoaded: gauge('larder_config_loaded_timestamp_seconds', 'When the configuration in force was loaded.'),
  }
}
