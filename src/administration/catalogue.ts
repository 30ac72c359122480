import { cacheKey, pathOf } from '../caching/cache-key.js'
import { currentAge, freshness, timeToLive } from '../caching/freshness.js'
import { field } from '../caching/headers.js'
import type { StoredRecord, StoredResponse } from '../caching/record.js'
import { isRemoteOf, type Repository } from '../caching/repository.js'
import { selectionPrefix, selects } from '../caching/selection.js'
import { LarderError } from '../errors.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { ArtifactPage, ArtifactState, ArtifactSummary, VariantState } from './views.js'

export interface Listing {
  /** A name or alias. */
  readonly repository: string
  readonly prefix?: string | undefined
  readonly glob?: string | undefined
  /** `next` of the page before. */
  readonly after?: string | undefined
  readonly limit: number
}

/** Records looked at for one page, at most: a glob that fits nothing must not read the whole store in one request. */
const scanLimit = 10_000

/** What the administration asks of the store. */
export type AdministeredStore = Pick<
  ArtifactStore,
  | 'list'
  | 'lookup'
  | 'open'
  | 'takeIn'
  | 'totals'
  | 'lastUse'
  | 'isPinned'
  | 'purge'
  | 'pin'
  | 'unpin'
  | 'pins'
  | 'verify'
  | 'gc'
>

type Facts = Pick<AdministeredStore, 'lastUse' | 'isPinned'>

export async function listArtifacts(
  store: Pick<AdministeredStore, 'list'> & Facts,
  repository: Repository,
  { prefix = '', glob, after, limit }: Listing,
): Promise<ArtifactPage> {
  const { name } = repository
  const wanted = [selects({ repository: name, by: 'prefix', pattern: prefix })]
  if (glob !== undefined) wanted.push(selects({ repository: name, by: 'glob', pattern: glob }))
  const pattern = longer(prefix, glob === undefined ? '' : literalFolder(glob))
  const start = selectionPrefix({ repository: name, by: 'prefix', pattern })
  const artifacts: ArtifactSummary[] = []
  let last: string | undefined
  let seen = 0
  for await (const record of store.list(start, after === undefined ? undefined : cacheKey(name, `/${after}`))) {
    if (artifacts.length === limit || seen === scanLimit) return { artifacts, next: last ?? null }
    seen += 1
    last = pathIn(record)
    if (wanted.every((fits) => fits(record.key))) artifacts.push(summary(store, repository, record))
  }
  return { artifacts, next: null }
}

/** Throws `ARTIFACT_UNKNOWN` where nothing is stored. */
export async function artifactState(
  store: Pick<AdministeredStore, 'lookup'> & Facts,
  repository: Repository,
  target: string,
): Promise<ArtifactState> {
  const record = await store.lookup(cacheKey(repository.name, target))
  if (!record || record.variants.length === 0) {
    throw new LarderError('ARTIFACT_UNKNOWN', `${repository.name} has nothing stored for that path`)
  }
  const now = Date.now()
  return {
    ...summary(store, repository, record),
    remote: record.remote,
    current: isRemoteOf(repository, record.remote),
    details: record.variants.map((stored) => variantState(repository, pathOf(target), stored, now)),
  }
}

function summary({ lastUse, isPinned }: Facts, { name }: Repository, record: StoredRecord): ArtifactSummary {
  const { key, variants } = record
  const used = lastUse(key)
  return {
    repository: name,
    path: pathIn(record),
    bytes: variants.reduce((sum, { body }) => sum + body.size, 0),
    variants: variants.length,
    storedAt: moment(Math.max(...variants.map(({ responseTime }) => responseTime))),
    lastAccess: used === undefined ? null : moment(used),
    pinned: isPinned(key),
  }
}

export function variantState(
  { type, caching }: Repository,
  path: string,
  stored: StoredResponse,
  now: number,
): VariantState {
  const life = freshness(stored, path, caching)
  // What was uploaded is the truth, and never turns stale.
  const isTruth = type === 'hosted'
  const ttl = isTruth ? Number.POSITIVE_INFINITY : timeToLive(life, now)
  return {
    status: stored.status,
    size: stored.body.size,
    sha256: stored.body.digest.slice('sha256:'.length),
    contentType: field(stored.headers, 'content-type') ?? null,
    etag: field(stored.headers, 'etag') ?? null,
    lastModified: field(stored.headers, 'last-modified') ?? null,
    validatedAt: moment(stored.responseTime),
    age: Math.floor(currentAge(life, now)),
    ttl: Number.isFinite(ttl) ? Math.floor(ttl) : null,
    fresh: isTruth ? !stored.damaged : ttl > 0 && !life.noCache && !life.invalidated,
    selecting: stored.selecting,
  }
}

/** Behind the repository's name and its slash. */
const pathIn = ({ key }: StoredRecord) => key.slice(key.indexOf('/') + 1)

const moment = (ms: number) => new Date(ms).toISOString()

/** The folders at a glob's beginning that hold nothing with a meaning to globs. */
const literalFolder = (glob: string) => /^(?:(?!\.\/)[\w.%~-]+\/)*/.exec(glob)?.[0] ?? ''

const longer = (a: string, b: string) => (a.length > b.length ? a : b)
