import { isSelection, type Selection } from '../caching/selection.js'
import type { Logger } from '../log.js'
import type { SharedCache } from './shared-cache.js'

/** What one replica tells the others at once, beside what they find in what they share. */
export type Announcement =
  | { readonly kind: 'purge'; readonly selection: Selection; readonly soft: boolean }
  | { readonly kind: 'pin' | 'unpin'; readonly selection: Selection }
  | { readonly kind: 'block'; readonly repository: string; readonly blocked: boolean }
  /** The breaker of a remote opened for so many ms, or closed (0). */
  | { readonly kind: 'breaker'; readonly repository: string; readonly remote: string; readonly openFor: number }
  /** Whoever hears it tells what it counted, in as many announcements as that takes, at least one. */
  | { readonly kind: 'statistics-wanted'; readonly id: string }
  | ToldStatistics

/** What one replica counted since its start (ms since 1970), or a part of it; `id` is that of the question. */
export interface ToldStatistics {
  readonly kind: 'statistics'
  readonly id: string
  readonly replica: string
  readonly since: number
  readonly repositories: readonly RepositoryCounts[]
}

export interface RepositoryCounts {
  readonly repository: string
  /** Requests by how they were answered. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly bytesSent: number
  readonly bytesFetched: number
}

/** Where replicas hear of each other. Nobody waits for it, and nothing that must not be lost is told here alone (D1). */
export interface Bulletin {
  /** Resolves when that was tried. */
  announce(announcement: Announcement): Promise<void>
  onHeard(listener: (announcement: Announcement) => void): void
  /** Something may not have been heard. */
  onGap(listener: () => void): void
  /** False while nobody could hear it. */
  readonly reaches: boolean
}

/** Where there is one replica only. */
export const noBulletin: Bulletin = { announce: async () => {}, onHeard() {}, onGap() {}, reaches: false }

export function createBulletin(shared: SharedCache, log: Logger): Bulletin {
  const listeners: ((announcement: Announcement) => void)[] = []
  const gapListeners: (() => void)[] = []
  shared.onTold((event) => {
    if (event.kind === 'gap') for (const listener of gapListeners) listener()
    const heard = event.kind === 'message' ? announcementIn(event.text) : undefined
    if (heard) for (const listener of listeners) listener(heard)
    else if (event.kind === 'message') log.debug('heard an announcement of another version')
  })
  return {
    announce: (announcement) => shared.tell(JSON.stringify(announcement)),
    onHeard: (listener) => void listeners.push(listener),
    onGap: (listener) => void gapListeners.push(listener),
    get reaches() {
      return shared.healthy
    },
  }
}

/** `undefined` for what another version may mean. */
function announcementIn(text: string): Announcement | undefined {
  const told = parsed(text)
  switch (told.kind) {
    case 'purge':
      return isSelection(told.selection) && typeof told.soft === 'boolean' ? (told as Announcement) : undefined
    case 'pin':
    case 'unpin':
      return isSelection(told.selection) ? (told as Announcement) : undefined
    case 'block':
      return isText(told.repository) && typeof told.blocked === 'boolean' ? (told as Announcement) : undefined
    case 'breaker':
      return isText(told.repository) && isText(told.remote) && isAmount(told.openFor)
        ? (told as Announcement)
        : undefined
    case 'statistics-wanted':
      return isText(told.id) ? (told as Announcement) : undefined
    case 'statistics':
      return isStatistics(told) ? (told as unknown as Announcement) : undefined
    default:
      return undefined
  }
}

type Fields = Readonly<Record<string, unknown>>

const isText = (value: unknown): value is string => typeof value === 'string'
const isAmount = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

const isStatistics = ({ id, replica, since, repositories }: Fields): boolean =>
  isText(id) && isText(replica) && isAmount(since) && Array.isArray(repositories) && repositories.every(isCounts)

const isCounts = (value: unknown): boolean =>
  isFields(value) &&
  isText(value.repository) &&
  isFields(value.outcomes) &&
  [...Object.values(value.outcomes), value.bytesSent, value.bytesFetched].every(isAmount)

function parsed(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : {}
  } catch {
    return {}
  }
}
