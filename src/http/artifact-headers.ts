import { filterFields, type RawHeaders } from '../caching/headers.js'
import type { Digest } from '../caching/record.js'
import type { Artifact } from '../proxy/resolution.js'

/** Fields of the remote's that ours take the place of (C2, C3). */
const replaced: ReadonlySet<string> = new Set([
  'x-content-type-options',
  'content-security-policy',
  'x-request-id',
  'x-checksum-sha256',
  'x-larder-error',
  'keep-alive',
])

/**
 * The fields that are the same in every answer from one stored response, worked out once and kept as long as it is in
 * memory.
 */
export function createArtifactHeaders(via: string) {
  const known = new WeakMap<RawHeaders, readonly string[]>()

  const steady = (headers: RawHeaders, digest: Digest | undefined, fromCache: boolean): string[] => [
    ...filterFields(
      headers,
      (name) =>
        !replaced.has(name) && !(fromCache && name === 'age') && !(digest !== undefined && name === 'repr-digest'),
    ),
    'Accept-Ranges',
    'bytes',
    'Via',
    via,
    'X-Content-Type-Options',
    'nosniff',
    'Content-Security-Policy',
    'sandbox',
    ...(digest === undefined ? [] : digestFields(digest)),
  ]

  /** All fields of an answer but those of its length, its range and the single request. */
  return ({ headers, digest, age }: Artifact): readonly string[] => {
    if (digest === undefined || age === undefined) return steady(headers, digest, age !== undefined)
    let fields = known.get(headers)
    if (!fields) {
      fields = steady(headers, digest, true)
      known.set(headers, fields)
    }
    return fields
  }
}

function digestFields(digest: Digest): string[] {
  const hex = digest.slice('sha256:'.length)
  return ['X-Checksum-Sha256', hex, 'Repr-Digest', `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`]
}
