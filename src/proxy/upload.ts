import { cacheKey } from '../caching/cache-key.js'
import { promisedDigests } from '../caching/integrity.js'
import type { Digest, StoredRecord } from '../caching/record.js'
import { type Repository, uploaded } from '../caching/repository.js'
import {
  isForbidden,
  judgeUpload,
  type UploadVerdict,
  uploadedHead,
  uploadedIn,
  uploadPromises,
} from '../caching/upload.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { StagedBody } from '../storage/staging.js'
import type { Checksums } from './checksums.js'
import { contentLength } from './receive.js'
import { type Change, checkPath, checkUpload, noRoom, receiveUpload, type Upload } from './upload-body.js'

export type { Change }

export interface Uploaded {
  readonly verdict: Extract<UploadVerdict, 'created' | 'replaced' | 'unchanged'>
  readonly digest: Digest
}

/** Writes to hosted repositories (H1 to H6). */
export interface Uploads {
  /**
   * Takes a body in; resolves when it is durable, and not served before. Throws what `body` throws, and `PATH_NOT_ROUTED`,
   * `PATH_INVALID`, `REQUEST_INVALID`, `PRECONDITION_FAILED`, `ARTIFACT_IMMUTABLE`, `CHECKSUM_MISMATCH`,
   * `UPLOAD_TYPE_MISMATCH`, `UPLOAD_NO_ROOM`, `UPLOAD_OVERTAKEN`, `STORE_FAULT`: nothing is stored then.
   */
  put(upload: Upload): Promise<Uploaded>
  /** Resolves when it is durably gone. Throws `ARTIFACT_UNKNOWN` where nothing is, and of the above those that fit. */
  remove(change: Change): Promise<void>
  /** Resolves when none is under way. */
  idle(): Promise<void>
}

export interface UploadsDeps {
  readonly store: Pick<ArtifactStore, 'lookUpAnew' | 'epochOf' | 'stage' | 'publish' | 'purge'>
  readonly checksums: Checksums
  readonly metrics: Metrics
}

export function createUploads({ store, checksums, metrics }: UploadsDeps): Uploads {
  const underWay = new Set<Promise<unknown>>()

  const put = async (upload: Upload): Promise<Uploaded> => {
    const { repository, target, headers, conditions } = upload
    checkUpload(upload)
    const promised = uploadPromises(headers)
    const key = cacheKey(repository.name, target)
    // Of several replicas another one may have changed it since (P7).
    const record = await store.lookUpAnew(key)
    const epoch = store.epochOf(key, record)
    // Where that is known before, no byte needs to be sent for it.
    const known = promised.sha256 === undefined ? undefined : judge(upload, `sha256:${promised.sha256}`)(record)
    if (known !== undefined) checkVerdict(known)
    if (isForbidden(uploadedIn(record), conditions, Date.now())) throw refusals['precondition-failed']()
    const algorithms = [...new Set([...promisedDigests(promised), 'sha256' as const])]
    const body = store.stage(key, contentLength(headers), algorithms)
    try {
      if (!body.kept) throw noRoom()
      upload.begin()
      const pin = checksums.pin({ repository, target, forwarded: [], signal: never })
      const digest = await receiveUpload(upload, body, promised, pin)
      return { digest, verdict: await publish(upload, { key, epoch, digest, body }) }
    } catch (error) {
      throw isLarderError(error) && error.code === 'NO_ROOM' ? noRoom() : error
    } finally {
      await body.release()
    }
  }

  const publish = async (
    upload: Upload,
    publishing: { readonly key: string; readonly epoch: number; readonly digest: Digest; readonly body: StagedBody },
  ): Promise<Uploaded['verdict']> => {
    const { digest } = publishing
    const judged = judge(upload, digest)
    let verdict: UploadVerdict = 'created'
    const result = await store.publish({
      ...publishing,
      remote: uploaded,
      head: uploadedHead(upload.headers, digest, Date.now()),
      onlyIf(current) {
        verdict = judged(current)
        return verdict === 'created' || verdict === 'replaced'
      },
    })
    if (result === 'no-room') throw noRoom()
    if (result === 'purged') throw new LarderError('UPLOAD_OVERTAKEN', 'it was deleted while this was sent')
    return checkVerdict(verdict)
  }

  /** Counts how it ended, and is waited for at the end. */
  const told = <T>(repository: Repository, work: Promise<T>, resultOf: (done: T) => string): Promise<T> => {
    const count = (result: string) => metrics.uploads.inc({ repository: repository.name, result })
    const counted = work.then(
      (done) => count(resultOf(done)),
      (error) => count(isLarderError(error) ? 'refused' : 'broken-off'),
    )
    underWay.add(counted)
    void counted.finally(() => underWay.delete(counted))
    return work
  }

  const remove = async ({ repository, target, conditions }: Change): Promise<void> => {
    checkPath(repository, target)
    let refusal: LarderError | undefined
    await store.purge(
      { repository: repository.name, by: 'path', pattern: target.slice(1) },
      {
        soft: false,
        onlyIf(current) {
          const there = uploadedIn(current)
          if (isForbidden(there, conditions, Date.now())) refusal = refusals['precondition-failed']()
          else refusal = there ? undefined : new LarderError('ARTIFACT_UNKNOWN', 'nothing was uploaded there')
          return refusal === undefined
        },
      },
    )
    if (refusal) throw refusal
  }

  return {
    put: (upload) => told(upload.repository, put(upload), ({ verdict }) => verdict),
    remove: (change) => told(change.repository, remove(change), () => 'deleted'),
    idle: async () => void (await Promise.all(underWay)),
  }
}

const judge = ({ headers, repository, conditions }: Upload, digest: Digest) => {
  const now = Date.now()
  const offer = { head: uploadedHead(headers, digest, now), digest, redeploy: repository.redeploy, conditions }
  return (current: StoredRecord | undefined) => judgeUpload(current, offer, now)
}

function checkVerdict(verdict: UploadVerdict): Uploaded['verdict'] {
  if (verdict === 'immutable' || verdict === 'precondition-failed') throw refusals[verdict]()
  return verdict
}

const refusals = {
  immutable: () =>
    new LarderError('ARTIFACT_IMMUTABLE', 'other bytes are there, and the repository does not replace any'),
  'precondition-failed': () => new LarderError('PRECONDITION_FAILED', 'what is there is not what the request is about'),
} as const

/** Nothing is asked of a remote. */
const never = new AbortController().signal
