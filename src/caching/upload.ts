import { LarderError } from '../errors.js'
import { entityTag } from './entity-tag.js'
import { field, fieldLines, listMembers, type RawHeaders } from './headers.js'
import { type Algorithm, base64Digest, type Expectation } from './integrity.js'
import { forbidsChange, type RequestHeaders } from './preconditions.js'
import type { Digest, ResponseHead, StoredRecord, StoredResponse } from './record.js'
import { uploaded } from './repository.js'

/** What was uploaded there; what once came from a remote is none of it (D5). */
export const uploadedIn = (record: StoredRecord | undefined): StoredResponse | undefined =>
  record?.remote === uploaded ? record.variants[0] : undefined

/** A digest that a field tells; `hex` is missing where it isn't one, `algorithm` where it is one we don't take. */
interface Claim {
  readonly field: string
  readonly algorithm?: Algorithm
  readonly hex?: string | undefined
}

/**
 * What a client promises of the body it sends. Throws `REQUEST_INVALID` where that can't be checked: a digest that is none,
 * two that differ, or only such as are not taken here.
 */
export function uploadPromises(headers: RawHeaders): Expectation {
  const claims: Claim[] = []
  for (let i = 0; i < headers.length; i += 2) claims.push(...claimsOf(headers[i] as string, headers[i + 1] as string))
  const malformed = claims.find(({ algorithm, hex }) => algorithm && hex === undefined)
  if (malformed) throw invalid(`${malformed.field} is not a digest`)
  const known = claims.filter(({ algorithm }) => algorithm)
  const [unknown] = claims
  if (unknown && known.length === 0)
    throw invalid(`${unknown.field} alone can't be checked here; send X-Checksum-Sha256 beside it, or leave it out`)
  const promised: { md5?: string; sha256?: string } = {}
  for (const { field, algorithm, hex } of known) {
    if (algorithm === undefined || hex === undefined) continue
    if ((promised[algorithm] ?? hex) !== hex) throw invalid(`${field} contradicts another field`)
    promised[algorithm] = hex
  }
  return promised
}

const invalid = (message: string) => new LarderError('REQUEST_INVALID', message)

function claimsOf(field: string, value: string): Claim[] {
  switch (field.toLowerCase()) {
    case 'x-checksum-sha256':
      return [{ field, algorithm: 'sha256', hex: hexDigest(value, 64) }]
    case 'x-checksum-md5':
      return [{ field, algorithm: 'md5', hex: hexDigest(value, 32) }]
    case 'content-md5':
      return [{ field, algorithm: 'md5', hex: base64Digest(value, 16) }]
    case 'x-amz-checksum-sha256':
      return [{ field, algorithm: 'sha256', hex: base64Digest(value, 32) }]
    case 'repr-digest':
    case 'content-digest':
      return listMembers([value]).map((member) => memberClaim(field, member))
    default:
      return /^(?:digest|x-checksum-.*|x-amz-checksum-.*)$/i.test(field) ? [{ field }] : []
  }
}

/** RFC 9530 §2: `sha-256=:<base64>:` among others. */
function memberClaim(field: string, member: string): Claim {
  if (!member.startsWith('sha-256=')) return { field }
  const [, value] = /^sha-256=:([^:]*):/.exec(member) ?? []
  return { field, algorithm: 'sha256', hex: base64Digest(value, 32) }
}

const hexDigest = (value: string, length: number) =>
  value.length === length && /^[0-9a-f]+$/i.test(value) ? value.toLowerCase() : undefined

/** The head an uploaded body is kept and served with; `sent`: the fields that came with it, `now` in ms. */
export function uploadedHead(sent: RawHeaders, digest: Digest, now: number): ResponseHead {
  const moment = new Date(now).toUTCString()
  const encoding = field(sent, 'content-encoding')
  return {
    status: 200,
    headers: [
      ...['Content-Type', fieldLines(sent, 'content-type')[0] || 'application/octet-stream'],
      ...(encoding ? ['Content-Encoding', encoding] : []),
      ...['ETag', uploadTag(digest), 'Last-Modified', moment, 'Date', moment],
    ],
    requestTime: now,
    responseTime: now,
    selecting: {},
  }
}

export const uploadTag = (digest: Digest): string => `"${digest.slice('sha256:'.length)}"`

/** What becomes of an upload. */
export type UploadVerdict =
  | 'created'
  | 'replaced'
  /** These bytes are there already. */
  | 'unchanged'
  /** Others are, and may not be replaced. */
  | 'immutable'
  | 'precondition-failed'

export interface UploadOffer {
  readonly head: ResponseHead
  readonly digest: Digest
  /** Whether what is there may be replaced. */
  readonly redeploy: boolean
  /** The request's, as Node parses them. */
  readonly conditions: RequestHeaders
}

/** Decides by what is there. `now` in ms. */
export function judgeUpload(current: StoredRecord | undefined, offer: UploadOffer, now: number): UploadVerdict {
  const there = uploadedIn(current)
  if (isForbidden(there, offer.conditions, now)) return 'precondition-failed'
  if (!there) return 'created'
  if (there.body.digest !== offer.digest) return offer.redeploy ? 'replaced' : 'immutable'
  return there.damaged || (offer.redeploy && !isAlike(there, offer.head)) ? 'replaced' : 'unchanged'
}

/** Whether the preconditions of a PUT or DELETE forbid it. */
export const isForbidden = (there: StoredResponse | undefined, conditions: RequestHeaders, now: number): boolean =>
  forbidsChange(conditions, there && representation(there), now)

const representation = ({ status, headers, body: { size } }: StoredResponse) => ({
  ...{ status, size },
  etag: entityTag(headers),
  lastModified: field(headers, 'last-modified'),
})

const isAlike = (a: ResponseHead, b: ResponseHead) =>
  ['content-type', 'content-encoding'].every((name) => field(a.headers, name) === field(b.headers, name))
