import { pathOf } from '../caching/cache-key.js'
import { field, type RawHeaders } from '../caching/headers.js'
import { type Expectation, violated } from '../caching/integrity.js'
import type { RequestHeaders } from '../caching/preconditions.js'
import type { Digest } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { isRouted } from '../caching/routing.js'
import { beginsPage, namesArchive, saysPage } from '../caching/type-guard.js'
import { type ErrorCode, isLarderError, LarderError } from '../errors.js'
import type { StagedBody } from '../storage/staging.js'
import type { Pin } from './checksums.js'

/** A change of what a hosted repository has. */
export interface Change {
  readonly repository: Repository
  /** The path as the client wrote it, checked (C10). */
  readonly target: string
  /** The request's fields, as Node parses them. */
  readonly conditions: RequestHeaders
}

export interface Upload extends Change {
  /** The request's fields as they came. */
  readonly headers: RawHeaders
  readonly body: AsyncIterable<Uint8Array>
  /** Called once nothing is left to refuse it for but its body. */
  begin(): void
}

/** What the head of the request forbids. */
export function checkUpload({ repository, target, headers }: Upload): void {
  checkPath(repository, target)
  if (target.endsWith('/')) throw new LarderError('PATH_INVALID', 'the path ends in a slash: it names no file')
  // `curl -X PUT` with a file forgotten would leave an empty artifact, for good.
  if (field(headers, 'content-length') === undefined && field(headers, 'transfer-encoding') === undefined)
    throw new LarderError('REQUEST_INVALID', 'no body came with it: one without bytes has Content-Length: 0')
  // RFC 9110 §14.5: a part would pass for the whole.
  if (field(headers, 'content-range') !== undefined)
    throw new LarderError('REQUEST_INVALID', 'a part of an artifact (Content-Range) is not taken, only all of it')
  if (guards({ repository, target }) && field(headers, 'content-encoding') !== undefined && saysPage(headers))
    throw page()
}

export function checkPath({ routing }: Repository, target: string): void {
  if (target.includes('?')) throw new LarderError('PATH_INVALID', 'what is uploaded or deleted has no query')
  if (!isRouted(routing, target))
    throw new LarderError('PATH_NOT_ROUTED', 'the routing rules of the repository exclude the path')
}

/** Takes the body in and checks it; its digest. */
export async function receiveUpload(
  { repository, target, headers, body }: Upload,
  staged: StagedBody,
  promised: Expectation,
  pin: Pin | undefined,
): Promise<Digest> {
  const readable = field(headers, 'content-encoding') === undefined
  for await (const chunk of guards({ repository, target }) && readable ? unlessPage(body) : body) {
    await staged.append(chunk)
  }
  const digests = await staged.digests()
  // Without room for all of it there are none.
  if (!digests || !staged.kept) throw noRoom()
  const broken = violated(promised, { length: staged.received, ...digests })
  if (broken) throw new LarderError('CHECKSUM_MISMATCH', `the body is not what was promised: ${broken}`)
  await pin?.prove(digests.sha256).catch((error) => {
    if (!isLarderError(error) || !pinFaults.has(error.code)) throw error
    throw new LarderError('CHECKSUM_MISMATCH', error.message, { cause: error })
  })
  await staged.seal()
  return `sha256:${digests.sha256}`
}

/** To who uploads, these are no faults of a remote. */
const pinFaults: ReadonlySet<ErrorCode> = new Set(['INTEGRITY_MISMATCH', 'CHECKSUM_UNKNOWN'])

const guards = ({ repository, target }: Pick<Upload, 'repository' | 'target'>) =>
  repository.integrity.typeGuard && namesArchive(pathOf(target))

async function* unlessPage(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let beginning: Uint8Array = new Uint8Array()
  let isPage: boolean | undefined
  for await (const chunk of body) {
    if (isPage === undefined) {
      beginning = Buffer.concat([beginning, chunk])
      isPage = beginsPage(beginning, false)
    }
    if (isPage) throw page()
    yield chunk
  }
  if (isPage === undefined && beginsPage(beginning, true)) throw page()
}

export const noRoom = () => new LarderError('UPLOAD_NO_ROOM', 'there is no room for it')
const page = () => new LarderError('UPLOAD_TYPE_MISMATCH', 'a page was sent where the path names an archive')
