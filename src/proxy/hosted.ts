import { pathOf } from '../caching/cache-key.js'
import { contradictsPin } from '../caching/checksum-rules.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { uploadedIn } from '../caching/upload.js'
import { type ErrorCode, LarderError } from '../errors.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { Foresight } from './foresight.js'
import type { Resolution } from './resolution.js'

interface Place {
  readonly repository: Repository
  readonly target: string
  readonly key: string
}

type Refusal = Extract<Resolution, { readonly kind: 'absent' | 'trouble' }>

/**
 * What a hosted repository has at a place, or why it has nothing: by itself, always (H1). An upload that is there and can't be
 * served is trouble and no absence: elsewhere there may be another artifact of that name.
 */
export function uploadedAt({ repository, target }: Place, record: StoredRecord | undefined): StoredResponse | Refusal {
  const stored = uploadedIn(record)
  if (!stored) return nothingThere
  if (stored.damaged) return damaged()
  if (!contradictsPin(pathOf(target), repository.integrity, stored.body.digest)) return stored
  return trouble('INTEGRITY_MISMATCH', 'what was uploaded is not what the repository has a checksum for')
}

export const isRefusal = (found: StoredResponse | Refusal): found is Refusal => 'kind' in found

/** The body of an upload is gone, or another than was uploaded. */
export const damaged = (): Refusal => trouble('STORE_FAULT', 'the body of an upload is damaged')

/** A fault of the store is no reason to look elsewhere. */
export const unreadable = (error: LarderError): Refusal => ({ kind: 'trouble', error, cache: { outcome: 'error' } })

/** What a request would come to; its body is looked for. */
export async function foreseeUpload(store: Pick<ArtifactStore, 'lookup' | 'open'>, place: Place): Promise<Foresight> {
  const found = uploadedAt(place, await store.lookup(place.key))
  if (isRefusal(found)) return refused(found)
  const body = found.body.inline ?? (await store.open(place.key, found))
  if (body && 'close' in body) body.close()
  return body ? { action: 'hit', cache: { outcome: 'hit' } } : refused(damaged())
}

function refused(refusal: Refusal): Foresight {
  if (refusal.kind === 'absent') return { action: 'absent', status: refusal.status, cache: refusal.cache }
  const { code } = refusal.error
  return { action: 'unavailable', error: code, cache: { outcome: 'error', detail: code } }
}

const nothingThere: Refusal = { kind: 'absent', status: 404, cache: { outcome: 'negative' } }

const trouble = (code: ErrorCode, message: string): Refusal => unreadable(new LarderError(code, message))
