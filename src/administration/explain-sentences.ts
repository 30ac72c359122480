import type { StoredResponse } from '../caching/record.js'
import type { Foresight } from '../proxy/foresight.js'
import type { VariantState } from './views.js'

const sentences = {
  'not-routed': () => 'A GET gets 404: the routing rules of the repository exclude the path.',
  hit: () => 'A GET is a hit: the stored copy is fresh, and the remote hears nothing of it.',
  stale: () =>
    'A GET gets the stale copy at once; the remote is in trouble or may not be asked, so nothing validates it.',
  'stale-while-revalidate': () => 'A GET gets the stale copy at once, and it is validated behind the answer.',
  spared: ({ error }) =>
    error === undefined
      ? 'A GET gets the stale copy: the remote was in trouble just now, and is not asked again at once.'
      : `A GET gets the stale copy: ${unavailable[error] ?? error}.`,
  absent: ({ status }) =>
    `A GET gets ${status} without asking: the remote said so just now. Purging the path makes it forgotten.`,
  unavailable: ({ error = '' }) =>
    `A GET gets 503 at once: ${unavailable[error] ?? error}, and nothing is stored to serve.`,
  bypass: () => 'A GET is fetched for its client alone: what the remote sent just now may not be shared.',
  join: () => 'A GET joins the download that is under way.',
  validate: () => 'A GET has the remote validate the stored copy.',
  fetch: () => 'A GET is fetched from the remote.',
} as const satisfies Record<Foresight['action'], (foreseen: Foresight) => string>

const unavailable: Readonly<Record<string, string>> = {
  UPSTREAM_BLOCKED: 'the repository is blocked by its operator',
  UPSTREAM_BREAKER_OPEN: 'the breakers of its remotes are open after repeated failures',
}

export const outlookSentence = (foreseen: Foresight): string => sentences[foreseen.action](foreseen)

/** Why a stored variant is, or is not, good for being served as it is. */
export function variantSentence({ fresh, ttl }: VariantState, { invalidated }: StoredResponse): string {
  if (invalidated) return 'purged softly: validated before its next use'
  if (fresh) return ttl === null ? 'fresh for ever' : 'fresh'
  return ttl === null || ttl > 0 ? 'its remote wants it validated each time' : 'its lifetime is over'
}
