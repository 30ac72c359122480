import { createHash, randomUUID } from 'node:crypto'
import { entityTag } from '../caching/entity-tag.js'
import { filterFields, type RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import type { Artifact } from './resolution.js'
import type { RewriteOutcome, RewritePlan } from './rewriter.js'

/**
 * The entity tag of a derived form: told by the original's, so that HEAD knows it before anything is derived (C4), else by
 * its digest. Not 32 hex digits, which would pass for an MD5 (U4).
 */
export function tagOf({ headers, digest }: Artifact, { id }: RewritePlan): string | undefined {
  const etag = entityTag(headers)
  const original = etag ?? digest
  if (original === undefined) return undefined
  const hash = createHash('sha256').update(`${id}\n${original}`).digest('hex').slice(0, 40)
  return `${etag?.startsWith('W/') ? 'W/' : ''}"larder-${hash}"`
}

/** Tells versions of an original apart that have no tag: by the digest, while they come in by their fields, which all who share one have. */
export function createVersionNames(): (original: Artifact) => string {
  const comingIn = new WeakMap<RawHeaders, string>()
  return ({ headers, digest }) => {
    const name = digest ?? comingIn.get(headers) ?? randomUUID()
    if (digest === undefined) comingIn.set(headers, name)
    return name
  }
}

/**
 * They tell of the original's bytes. Its date would hold for all forms of it, and for itself: a download of one could be
 * resumed with another (RFC 9110 §13.1.5).
 */
const ofItsBytes =
  /^(?:etag|last-modified|content-md5|digest|repr-digest|content-digest|x-checksum-.*|x-amz-checksum-.*|x-goog-hash|x-larder-rewritten)$/

/** How a derived form is told to a client: `stored` where it is here whole. */
export const described = (original: Artifact, tag: string | undefined, stored: StoredResponse | undefined) => ({
  headers: [
    ...filterFields(original.headers, (name) => !ofItsBytes.test(name)),
    ...(tag === undefined ? [] : ['ETag', tag]),
    ...(stored?.headers ?? []),
  ],
  size: stored?.body.size,
  digest: stored?.body.digest,
})

/** What was done to the original, for whoever wonders; kept with the derived form. */
export const outcomeFields = (outcome: RewriteOutcome): RawHeaders => [
  'X-Larder-Rewritten',
  outcome.kind === 'untouched' ? `?0; why=${outcome.why}` : `?1; files=${outcome.files}; urls=${outcome.urls}`,
]
