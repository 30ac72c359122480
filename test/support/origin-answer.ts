import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Fault } from './origin-faults.js'

export interface OriginFile {
  readonly body: Buffer
  /** Added to, or instead of, what S3 would send. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the quoted MD5 of the body; `false`: none. */
  readonly etag?: string | false
  /** Default: New Year 2024; `false`: none. */
  readonly lastModified?: Date | false
  /** Whether ranges are understood. Default: yes. */
  readonly ranges?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  /** For HEAD too; the sender leaves it out. */
  readonly body: Buffer
}

const defaultLastModified = new Date('2024-01-01T00:00:00Z')

/** What S3 says when it has no such key and may be listed. */
const missing = Buffer.from('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>')

/** How S3 answers a request, or what the fault says instead. */
export function answerOf(
  method: string,
  asked: IncomingHttpHeaders,
  file: OriginFile | undefined,
  fault: Fault,
): Answer {
  if (fault.status !== undefined) {
    const body = Buffer.from(fault.body ?? `<?xml version="1.0"?><Error><Code>Status${fault.status}</Code></Error>`)
    return { status: fault.status, headers: { 'Content-Type': 'application/xml', ...fault.headers }, body }
  }
  if (fault.redirectTo !== undefined) {
    return { status: 302, headers: { Location: fault.redirectTo }, body: Buffer.from('<a href="elsewhere">moved</a>') }
  }
  if (fault.refuseHead !== undefined && method === 'HEAD') {
    return { status: fault.refuseHead, headers: {}, body: Buffer.alloc(0) }
  }
  if (!file) return { status: 404, headers: { 'Content-Type': 'application/xml' }, body: missing }
  const headers = { ...headersOf(file), ...fault.headers }
  const condition = conditionOf(asked, headers)
  if (condition !== undefined) return { status: condition, headers, body: Buffer.alloc(0) }
  return rangeOf(method, asked, file, headers) ?? { status: 200, headers, body: file.body }
}

/** A single-part S3 ETag: the quoted MD5 of the body. */
export const s3ETag = (body: Uint8Array): string => `"${createHash('md5').update(body).digest('hex')}"`

function headersOf(file: OriginFile): Record<string, string> {
  const etag = file.etag ?? s3ETag(file.body)
  const modified = file.lastModified === undefined ? defaultLastModified : file.lastModified
  return {
    'x-amz-request-id': 'TX0000000000000000001',
    ...(modified ? { 'Last-Modified': modified.toUTCString() } : {}),
    ...(etag ? { ETag: etag } : {}),
    ...(file.ranges === false ? {} : { 'Accept-Ranges': 'bytes' }),
    'Content-Type': 'application/octet-stream',
    ...file.headers,
  }
}

/** 304 or 412 where a precondition says so (RFC 9110 §13.2.2). */
function conditionOf(asked: IncomingHttpHeaders, { ETag, 'Last-Modified': modified }: Record<string, string>) {
  const listed = (field: string): boolean =>
    field === '*' || (ETag !== undefined && field.split(/\s*,\s*/).includes(ETag))
  if (asked['if-match'] !== undefined && !listed(asked['if-match'])) return 412
  if (asked['if-none-match'] !== undefined) return listed(asked['if-none-match']) ? 304 : undefined
  const since = asked['if-modified-since']
  return since !== undefined && modified !== undefined && Date.parse(modified) <= Date.parse(since) ? 304 : undefined
}

/** One range, as S3 has it; several are answered whole. */
function rangeOf(method: string, asked: IncomingHttpHeaders, file: OriginFile, headers: Record<string, string>) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(asked.range ?? '') ?? []
  if (method !== 'GET' || file.ranges === false || first === undefined || last === undefined) return undefined
  const ifRange = asked['if-range']
  if (ifRange !== undefined && ifRange !== headers.ETag && ifRange !== headers['Last-Modified']) return undefined
  const size = file.body.length
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (start >= size || (first === '' && Number(last) === 0)) {
    return { status: 416, headers: { ...headers, 'Content-Range': `bytes */${size}` }, body: Buffer.alloc(0) }
  }
  const range = { ...headers, 'Content-Range': `bytes ${start}-${end}/${size}` }
  return { status: 206, headers: range, body: file.body.subarray(start, end + 1) }
}
