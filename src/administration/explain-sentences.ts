import type { StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
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

/** Of a hosted repository, which asks nobody. */
const hostedSentences: Readonly<Record<string, string>> = {
  hit: 'A GET is a hit: it was uploaded, and nobody is asked for it.',
  absent: 'A GET gets 404: nothing was uploaded there.',
  STORE_FAULT: 'A GET gets 500: the body that was uploaded is damaged. Upload it again, or delete it.',
  INTEGRITY_MISMATCH: 'A GET gets 502: what was uploaded is not what the repository has a checksum for.',
}

export function outlookSentence({ type }: Pick<Repository, 'type'>, foreseen: Foresight): string {
  const { action, error } = foreseen
  const ofHosted = type === 'hosted' ? hostedSentences[action === 'unavailable' ? (error ?? '') : action] : undefined
  return ofHosted ?? sentences[action](foreseen)
}

/** Its remote may turn out not to have it. */
const undecided: ReadonlySet<Foresight['action']> = new Set(['fetch', 'validate', 'join', 'bypass'])

/** `deciding`: the first member that is not known to lack it. */
export function groupSentence(foreseen: Foresight, deciding: Pick<Repository, 'name' | 'type'> | undefined): string {
  if (foreseen.action === 'not-routed') return sentences['not-routed']()
  if (!deciding) return 'A GET gets 404: none of the members has it.'
  const more = undecided.has(foreseen.action) ? ' Where that has none, the members behind it are asked.' : ''
  return `${deciding.name} answers. ${outlookSentence(deciding, foreseen)}${more}`
}

/** Why a stored variant is, or is not, good for being served as it is. */
export function variantSentence(
  { type }: Pick<Repository, 'type'>,
  { fresh, ttl }: VariantState,
  { invalidated, damaged }: StoredResponse,
): string {
  if (damaged) return 'its body is damaged'
  if (type === 'hosted') return 'it was uploaded'
  if (invalidated) return 'purged softly: validated before its next use'
  if (fresh) return ttl === null ? 'fresh for ever' : 'fresh'
  return ttl === null || ttl > 0 ? 'its remote wants it validated each time' : 'its lifetime is over'
}
