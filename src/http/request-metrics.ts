import type { Metrics } from '../metrics.js'
import type { Access } from './access.js'

/**
 * Counts requests cheaply: what a request adds is put down in plain numbers and handed to the metrics in batches, where
 * the same work costs a fraction of what it costs between two answers.
 */
export interface RequestMetrics {
  count(access: Access, seconds: number): void
  /** Hands over what is put down; before each scrape. */
  flush(): void
}

/** What all requests with the same labels have added since the last hand-over. */
interface Tally {
  readonly labels: { repository: string; method: string; status: number; outcome: string; collapsed: string }
  readonly seconds: Float64Array
  requests: number
  bytes: number
}

const batch = 1024

/** Methods that get a label of their own; what else clients may invent is one. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])

export function createRequestMetrics(metrics: Metrics): RequestMetrics {
  const tallies = new Map<string, Tally>()

  const tallyOf = ({ method, repository = '', status, outcome, collapsed }: Access): Tally => {
    const key = `${repository} ${outcome} ${status} ${method} ${collapsed}`
    const known = tallies.get(key)
    if (known) return known
    const labels = {
      repository,
      method: methods.has(method) ? method : 'other',
      status,
      outcome,
      collapsed: String(collapsed),
    }
    const tally = { labels, seconds: new Float64Array(batch), requests: 0, bytes: 0 }
    // A method that clients invent is counted, not kept.
    if (labels.method === method) tallies.set(key, tally)
    return tally
  }

  const handOver = (tally: Tally) => {
    const { labels, seconds, requests, bytes } = tally
    const { repository, outcome } = labels
    metrics.requests.inc(labels, requests)
    if (bytes > 0) metrics.sentBytes.inc({ repository }, bytes)
    for (let i = 0; i < requests; i += 1) metrics.duration.observe({ repository, outcome }, seconds[i] as number)
    tally.requests = 0
    tally.bytes = 0
  }

  return {
    count(access, seconds) {
      const tally = tallyOf(access)
      tally.seconds[tally.requests] = seconds
      tally.requests += 1
      tally.bytes += access.bytes
      if (tally.requests === batch || tally.labels.method === 'other') handOver(tally)
      if (access.abortedBy) metrics.aborted.inc({ repository: tally.labels.repository, by: access.abortedBy })
    },
    flush() {
      for (const tally of tallies.values()) if (tally.requests > 0) handOver(tally)
    },
  }
}
