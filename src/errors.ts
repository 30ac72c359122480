/** Every way a request can end without an artifact, or without what an operator asked for. `http/on-error.ts` maps each to a status. */
export type ErrorCode =
  | 'REPOSITORY_UNKNOWN'
  | 'PATH_INVALID'
  | 'PATH_NOT_ROUTED'
  | 'UNAUTHORIZED'
  | 'METHOD_NOT_ALLOWED'
  | 'REQUEST_INVALID'
  | 'REQUEST_TOO_LARGE'
  | 'TOO_MANY_ATTEMPTS'
  | 'ROUTE_UNKNOWN'
  | 'ARTIFACT_UNKNOWN'
  | 'TASK_UNKNOWN'
  | 'TASK_RUNNING'
  | 'URL_TOO_LONG'
  | 'LOOP_DETECTED'
  | 'NOT_CACHED'
  | 'UPSTREAM_ABSENT'
  | 'UPSTREAM_REFUSED'
  | 'UPSTREAM_UNREACHABLE'
  | 'UPSTREAM_TIMEOUT'
  | 'UPSTREAM_TLS'
  | 'UPSTREAM_CUT'
  | 'UPSTREAM_INVALID'
  | 'UPSTREAM_STATUS'
  | 'UPSTREAM_OVERLOADED'
  | 'UPSTREAM_UNAUTHORIZED'
  | 'UPSTREAM_BREAKER_OPEN'
  | 'UPSTREAM_BLOCKED'
  | 'REDIRECT_REFUSED'
  | 'REDIRECT_LIMIT'
  | 'INTEGRITY_MISMATCH'
  | 'TYPE_MISMATCH'
  | 'CHECKSUM_UNKNOWN'
  | 'REWRITE_FAILED'
  | 'STORE_FAULT'
  | 'NO_ROOM'
  | 'NOT_STORED'
  | 'NOTHING_LISTED'
  | 'ARCHIVE_INVALID'
  | 'CHECKSUM_MISMATCH'
  | 'UPLOAD_TYPE_MISMATCH'
  | 'UPLOAD_NO_ROOM'
  | 'UPLOAD_OVERTAKEN'
  | 'ARTIFACT_IMMUTABLE'
  | 'PRECONDITION_FAILED'
  | 'DATA_DIRECTORY_UNUSABLE'
  | 'STORE_UNUSABLE'
  | 'SHUTTING_DOWN'
  | 'INTERNAL'

export interface ErrorDetails {
  /** The remote's status, where it answered at all. */
  readonly status?: number
  /** Seconds the remote asked us to wait (`Retry-After`). */
  readonly retryAfter?: number
  /** The methods that are allowed, where one is not. */
  readonly allow?: string
  readonly cause?: unknown
}

/** A fault with a code from the closed set; nothing in this project tells faults apart by their message. */
export class LarderError extends Error {
  override readonly name = 'LarderError'
  readonly status: number | undefined
  readonly retryAfter: number | undefined
  readonly allow: string | undefined

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.status = details.status
    this.retryAfter = details.retryAfter
    this.allow = details.allow
  }
}

export const isLarderError = (error: unknown): error is LarderError => error instanceof LarderError
