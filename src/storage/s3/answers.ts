/** What the gateway said instead of what was wanted, or why it said nothing. Without the exchange, which has signatures in it. */
export class Answer extends Error {
  override readonly name = 'Answer'

  constructor(
    /** `undefined` where there was no answer. */
    readonly status: number | undefined,
    /** S3's own word for it. */
    readonly code: string,
    message: string,
  ) {
    super([status, code, message === 'UnknownError' ? '' : message].filter(Boolean).join(' '))
  }
}

/** Of what the SDK throws. */
export function answerOf(error: unknown): Answer {
  if (error instanceof Answer) return error
  if (!(error instanceof Error)) return new Answer(undefined, 'Error', String(error))
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } }
  return new Answer($metadata?.httpStatusCode, error.name, error.message)
}

const has = (status: number) => (error: unknown) => error instanceof Answer && error.status === status

/** The object is not there; without a bucket nothing is known of it. */
export const isAbsent = (error: unknown) => has(404)(error) && !isBucketMissing(error)

export const isSame = has(304)

/** Someone else wrote, or (409) is about to. */
export const isConflict = (error: unknown) => has(412)(error) || has(409)(error) || isAbsent(error)

/** Of this object alone: archived, or encrypted with a key we don't have. */
export const isBad = (error: unknown) => has(400)(error) || isCoded(error, 'InvalidObjectState')

/** Says something of the gateway or of our credentials, not of the object: 408, 429, 5xx, 401, 403, or no answer at all. */
export function isTrouble({ status, code }: Answer): boolean {
  if (status === undefined || status >= 500 || code === 'NoSuchBucket') return true
  return [401, 403, 408, 429].includes(status) && code !== 'InvalidObjectState'
}

/** The operator has to mend it: waiting does not help. A clock that is off is allowed for with the next request. */
export const isRefusal = (error: unknown): boolean =>
  isBucketMissing(error) ||
  isCoded(error, 'CredentialsProviderError') ||
  (error instanceof Answer &&
    [301, 401, 403].includes(error.status ?? 0) &&
    !isCoded(error, 'RequestTimeTooSkewed') &&
    !isFull(error))

/** It takes nothing more, and has what it has: Ceph's word for it, and MinIO's. */
export const isFull = (error: unknown): boolean =>
  isCoded(error, 'QuotaExceeded') || isCoded(error, 'XMinioStorageFull')

const isCoded = (error: unknown, code: string) => error instanceof Answer && error.code === code

const isBucketMissing = (error: unknown) => isCoded(error, 'NoSuchBucket')
