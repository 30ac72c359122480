import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { ErrorCode, LarderError } from '../errors.js'

/** A new code does not compile until it is listed here. */
const statusOf = {
  REPOSITORY_UNKNOWN: 404,
  PATH_INVALID: 400,
  PATH_NOT_ROUTED: 404,
  UNAUTHORIZED: 401,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_INVALID: 400,
  REQUEST_TOO_LARGE: 413,
  TOO_MANY_ATTEMPTS: 429,
  ROUTE_UNKNOWN: 404,
  ARTIFACT_UNKNOWN: 404,
  TASK_UNKNOWN: 404,
  TASK_RUNNING: 409,
  URL_TOO_LONG: 414,
  LOOP_DETECTED: 508,
  NOT_CACHED: 504,
  UPSTREAM_ABSENT: 404,
  UPSTREAM_REFUSED: 400,
  UPSTREAM_UNREACHABLE: 502,
  UPSTREAM_TIMEOUT: 504,
  UPSTREAM_TLS: 502,
  UPSTREAM_CUT: 502,
  UPSTREAM_INVALID: 502,
  UPSTREAM_STATUS: 502,
  UPSTREAM_OVERLOADED: 503,
  UPSTREAM_UNAUTHORIZED: 502,
  UPSTREAM_BREAKER_OPEN: 503,
  UPSTREAM_BLOCKED: 503,
  REDIRECT_REFUSED: 502,
  REDIRECT_LIMIT: 502,
  INTEGRITY_MISMATCH: 502,
  TYPE_MISMATCH: 502,
  CHECKSUM_UNKNOWN: 502,
  REWRITE_FAILED: 502,
  STORE_FAULT: 500,
  NO_ROOM: 503,
  NOT_STORED: 502,
  NOTHING_LISTED: 502,
  ARCHIVE_INVALID: 400,
  CHECKSUM_MISMATCH: 400,
  UPLOAD_TYPE_MISMATCH: 415,
  UPLOAD_NO_ROOM: 507,
  UPLOAD_OVERTAKEN: 409,
  ARTIFACT_IMMUTABLE: 409,
  PRECONDITION_FAILED: 412,
  DATA_DIRECTORY_UNUSABLE: 500,
  STORE_UNUSABLE: 500,
  SHUTTING_DOWN: 503,
  INTERNAL: 500,
} as const satisfies Record<ErrorCode, number>

/** An absence and a refusal keep the status the remote gave (C9). */
const keepsStatus: ReadonlySet<ErrorCode> = new Set(['UPSTREAM_ABSENT', 'UPSTREAM_REFUSED'])

/** Seconds a client is asked to wait: `curl --retry` obeys, so a build must not wait long for it. */
const shortestWait = 1
const longestWait = 10

export interface ErrorAnswer {
  readonly status: number
  readonly headers: readonly string[]
  /** Empty but for clients that ask for one: any byte of it would be piped into tar by others (C9). */
  readonly body: string
}

export function errorAnswer(error: LarderError, request: IncomingMessage): ErrorAnswer {
  const status = keepsStatus.has(error.code) ? (error.status ?? statusOf[error.code]) : statusOf[error.code]
  const headers = ['X-Larder-Error', error.code]
  if (status === 503 || status === 504) {
    headers.push('Retry-After', String(Math.min(Math.max(Math.ceil(error.retryAfter ?? 0), shortestWait), longestWait)))
  }
  if (status === 405) headers.push('Allow', error.allow ?? 'GET, HEAD')
  // Basic first: clients that know one scheme only look at the first challenge.
  if (status === 401)
    headers.push('WWW-Authenticate', 'Basic realm="larder"', 'WWW-Authenticate', 'Bearer realm="larder"')
  const { type, body } = bodyFor(error, status, request)
  if (type) headers.push('Content-Type', type)
  return { status, headers: [...headers, 'Content-Length', String(Buffer.byteLength(body))], body }
}

/** RFC 9457 problem details and a page go only to who names them: Java's default `Accept` lists text/html. */
function bodyFor(error: LarderError, status: number, request: IncomingMessage): { type?: string; body: string } {
  const title = STATUS_CODES[status] ?? 'Error'
  if (/\bapplication\/problem\+json\b/i.test(request.headers.accept ?? '')) {
    return { type: 'application/problem+json', body: JSON.stringify(problemOf(error, status)) }
  }
  if (request.headers['sec-fetch-mode'] === 'navigate') {
    return { type: 'text/html; charset=utf-8', body: page(`${status} ${title}`, `${error.code}: ${detailOf(error)}`) }
  }
  return { body: '' }
}

/** RFC 9457. */
export function problemOf(error: LarderError, status: number = statusOf[error.code]) {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: detailOf(error),
    code: error.code,
  }
}

/** Faults of our own name files and the like, which are the operator's alone: the log has them. */
const ownFaults: ReadonlySet<ErrorCode> = new Set([
  'STORE_FAULT',
  'DATA_DIRECTORY_UNUSABLE',
  'STORE_UNUSABLE',
  'INTERNAL',
])

const detailOf = ({ code, message }: LarderError) =>
  ownFaults.has(code) ? 'a fault of the proxy; its log says more' : message

const page = (title: string, text: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
  `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p></html>\n`

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
