import type { Metrics } from '../metrics.js'
import type { RepositoryStatistics } from './views.js'

/** Answered by a stored copy: the hit rate as the metrics' users count it. */
const answeredHere: ReadonlySet<string> = new Set(['hit', 'stale', 'revalidated'])

/** What the metrics counted since the start, by repository. The caller brings them up to date first. */
export async function statistics(metrics: Metrics, repositories: readonly string[]): Promise<RepositoryStatistics[]> {
  const [requests, sent, fetched] = await Promise.all([
    metrics.requests.get(),
    metrics.sentBytes.get(),
    metrics.upstreamBytes.get(),
  ])
  const sumOf = ({ values }: typeof sent, repository: string) =>
    values.reduce((sum, { value, labels }) => (labels.repository === repository ? sum + value : sum), 0)
  return repositories.map((repository) => {
    const outcomes: Record<string, number> = {}
    for (const { value, labels } of requests.values) {
      if (labels.repository !== repository || labels.outcome === undefined) continue
      outcomes[labels.outcome] = (outcomes[labels.outcome] ?? 0) + value
    }
    const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
    const asked = total - (outcomes.upload ?? 0)
    const here = Object.entries(outcomes).reduce(
      (sum, [name, count]) => (answeredHere.has(name) ? sum + count : sum),
      0,
    )
    return {
      ...{ repository, requests: total, outcomes, hitRate: asked === 0 ? null : here / asked },
      ...{ bytesSent: sumOf(sent, repository), bytesFetched: sumOf(fetched, repository) },
    }
  })
}
