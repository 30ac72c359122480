import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../log.js'
import type { Bulletin, RepositoryCounts, ToldStatistics } from '../storage/bulletin.js'
import { statistics } from './statistics.js'
import type { Statistics } from './views.js'

export interface GatheringDeps {
  readonly bulletin: Bulletin
  /** What this replica counted. */
  readonly counted: () => Promise<readonly RepositoryCounts[]>
  readonly log: Logger
}

/** Milliseconds the other replicas have for their answers. How many there are, nobody knows. */
const patience = 300

/** Repositories in one announcement: with names and numbers at their longest they stay below its limit. */
const atOnce = 20

/** Tells the others, when they ask, what was counted here, and asks them: what all counted that answer in time. */
export function createGathering({ bulletin, counted, log }: GatheringDeps): () => Promise<Statistics> {
  const replica = randomUUID()
  const since = Date.now()
  const asking = new Map<string, ToldStatistics[]>()

  const answer = async (id: string): Promise<void> => {
    const used = (await counted()).filter(isUsed)
    const parts = Array.from({ length: Math.max(1, Math.ceil(used.length / atOnce)) }, (_, part) =>
      used.slice(part * atOnce, (part + 1) * atOnce),
    )
    for (const repositories of parts) {
      await bulletin.announce({ kind: 'statistics', id, replica, since, repositories })
    }
  }

  bulletin.onHeard((heard) => {
    if (heard.kind === 'statistics') asking.get(heard.id)?.push(heard)
    if (heard.kind !== 'statistics-wanted') return
    answer(heard.id).catch((error) => log.error({ err: error }, 'cannot tell another replica what was counted'))
  })

  const heardFromOthers = async (): Promise<readonly ToldStatistics[]> => {
    if (!bulletin.reaches) return []
    const id = randomUUID()
    const heard: ToldStatistics[] = []
    asking.set(id, heard)
    await bulletin.announce({ kind: 'statistics-wanted', id })
    await sleep(patience)
    asking.delete(id)
    return heard
  }

  return async () => {
    const others = await heardFromOthers()
    const ours = await counted()
    return {
      replicas: 1 + new Set(others.map((other) => other.replica)).size,
      since: new Date(Math.min(since, ...others.map((other) => other.since))).toISOString(),
      repositories: statistics([...ours, ...others.flatMap(({ repositories }) => repositories)]),
    }
  }
}

const isUsed = ({ outcomes, bytesSent, bytesFetched }: RepositoryCounts) =>
  Object.keys(outcomes).length > 0 || bytesSent > 0 || bytesFetched > 0
