import { entityTag } from './entity-tag.js'
import { field, fieldLines, listMembers, type RawHeaders } from './headers.js'

/** What a response's head promises of its body. */
export interface Expectation {
  /** Bytes. */
  readonly length?: number
  /** Hex. */
  readonly md5?: string
  readonly sha256?: string
}

export type Algorithm = 'sha256' | 'md5'

/** The digests that a body has to be compared with. */
export const promisedDigests = (expected: Expectation): Algorithm[] =>
  (['md5', 'sha256'] as const).filter((name) => expected[name] !== undefined)

/**
 * The promises that can be relied on (U4). Of a 206 only those that speak of the part; the whole has no head there.
 * What is malformed promises nothing.
 */
export function expectation({ status, headers }: { status: number; headers: RawHeaders }): Expectation {
  const whole = status !== 206
  const length = contentLength(headers)
  const md5 = base64Digest(field(headers, 'content-md5'), 16) ?? (whole ? objectTagMd5(headers) : undefined)
  const sha256 =
    (whole ? digestMember(headers, 'repr-digest') : undefined) ??
    digestMember(headers, 'content-digest') ??
    (whole ? base64Digest(field(headers, 'x-amz-checksum-sha256'), 32) : undefined)
  return {
    ...(length === undefined ? {} : { length }),
    ...(md5 === undefined ? {} : { md5 }),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}

/** RFC 9110 §8.6: the same length said twice is that length; `Transfer-Encoding` overrides it (RFC 9112 §6.3). */
function contentLength(headers: RawHeaders): number | undefined {
  if (field(headers, 'transfer-encoding') !== undefined) return undefined
  const [length, ...others] = listMembers(fieldLines(headers, 'content-length'))
  if (length === undefined || !/^\d+$/.test(length) || others.some((other) => other !== length)) return undefined
  return Number.isSafeInteger(Number(length)) ? Number(length) : undefined
}

/** Under these an object's tag isn't the MD5 of what is sent: keys of KMS or the customer's, and directory buckets. */
function hasOpaqueTag(headers: RawHeaders): boolean {
  return (
    field(headers, 'x-amz-server-side-encryption')?.startsWith('aws:kms') === true ||
    field(headers, 'x-amz-server-side-encryption-customer-algorithm') !== undefined ||
    field(headers, 'x-amz-server-side-encryption-customer-key-md5') !== undefined ||
    field(headers, 'x-amz-storage-class') === 'EXPRESS_ONEZONE'
  )
}

/** S3 tags an object that was uploaded in one part with the MD5 of its bytes. */
function objectTagMd5(headers: RawHeaders): string | undefined {
  if (field(headers, 'x-amz-request-id') === undefined || hasOpaqueTag(headers)) return undefined
  return /^"([0-9a-f]{32})"$/i.exec(entityTag(headers) ?? '')?.[1]?.toLowerCase()
}

/** RFC 9530: `sha-256=:<base64>:` among others. */
function digestMember(headers: RawHeaders, name: string): string | undefined {
  for (const member of listMembers(fieldLines(headers, name))) {
    const value = /^sha-256=:([^:]*):/.exec(member)?.[1]
    if (value !== undefined) return base64Digest(value, 32)
  }
  return undefined
}

/** As hex; `undefined` unless it is exactly `bytes` bytes in canonical base64. */
export function base64Digest(value: string | undefined, bytes: number): string | undefined {
  if (value === undefined) return undefined
  const digest = Buffer.from(value, 'base64')
  return digest.length === bytes && digest.toString('base64') === value ? digest.toString('hex') : undefined
}

interface ContentRange {
  readonly start: number
  /** Inclusive. */
  readonly end: number
  readonly size: number | undefined
}

/** The `Content-Range` of a 206 (RFC 9110 §14.4); `undefined` for that of a 416 and for what makes no sense. */
export function contentRange(value: string | undefined): ContentRange | undefined {
  const parts = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(value ?? '')
  if (!parts) return undefined
  const [start, end] = [Number(parts[1]), Number(parts[2])]
  const size = parts[3] === '*' ? undefined : Number(parts[3])
  const sane =
    start <= end && Number.isSafeInteger(end) && (size === undefined || (end < size && Number.isSafeInteger(size)))
  return sane ? { start, end, size } : undefined
}

/** The first promise the body broke, in words; digests in lower-case hex. A promised digest nobody took is broken too. */
export function violated(
  expected: Expectation,
  actual: { readonly length: number; readonly md5?: string | undefined; readonly sha256?: string | undefined },
): string | undefined {
  for (const name of ['length', 'md5', 'sha256'] as const) {
    if (expected[name] !== undefined && expected[name] !== actual[name]) {
      return `${name} promised ${expected[name]}, got ${actual[name] ?? 'none'}`
    }
  }
  return undefined
}
