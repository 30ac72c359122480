import type { Metrics } from '../metrics.js'
import type { RepositoryCounts } from '../storage/bulletin.js'
import type { RepositoryStatistics } from './views.js'

/** Answered by a stored copy: the hit rate as the metrics' users count it. */
const answeredHere: ReadonlySet<string> = new Set(['hit', 'stale', 'revalidated'])

/** What the metrics counted since the start, by repository. The caller brings them up to date first. */
export async function countsIn(metrics: Metrics, repositories: readonly string[]): Promise<RepositoryCounts[]> {
  const [requests, sent, fetched] = await Promise.all([
    metrics.requests.get(),
    metrics.sentBytes.get(),
    metrics.upstreamBytes.get(),
  ])
  const sumOf = ({ values }: typeof sent, repository: string) =>
    values.reduce((sum, { value, labels }) => (labels.repository === repository ? sum + value : sum), 0)
  return repositories.map((repository) => {
    const ofIt = requests.values.filter(({ labels }) => labels.repository === repository)
    return {
      repository,
      outcomes: summed(ofIt.map(({ labels, value }) => [String(labels.outcome), value])),
      ...{ bytesSent: sumOf(sent, repository), bytesFetched: sumOf(fetched, repository) },
    }
  })
}

/** What several replicas counted, each repository once: in the order in which they are first named. */
export function statistics(counted: readonly RepositoryCounts[]): RepositoryStatistics[] {
  const names = new Set(counted.map(({ repository }) => repository))
  return [...names].map((repository) => {
    const parts = counted.filter((part) => part.repository === repository)
    const outcomes = summed(parts.flatMap((part) => Object.entries(part.outcomes)))
    const requests = total(Object.values(outcomes))
    const asked = requests - (outcomes.upload ?? 0)
    const here = total(Object.entries(outcomes).map(([name, count]) => (answeredHere.has(name) ? count : 0)))
    return {
      ...{ repository, requests, outcomes, hitRate: asked === 0 ? null : here / asked },
      bytesSent: total(parts.map(({ bytesSent }) => bytesSent)),
      bytesFetched: total(parts.map(({ bytesFetched }) => bytesFetched)),
    }
  })
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)

/** Names that come from other replicas may be any text: a plain object would take some for its own. */
function summed(counts: readonly (readonly [name: string, count: number])[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const [name, count] of counts) sums.set(name, (sums.get(name) ?? 0) + count)
  return Object.fromEntries(sums)
}
