import { filterFields, type RawHeaders } from '../caching/headers.js'
import type { Digest, StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import type { OpenBody } from '../storage/blob-store.js'
import { orElse, readAlone } from './alone.js'
import type { Proof } from './proof.js'
import type { BodySource, SourceResponse } from './source.js'

export interface ReadOnOptions {
  readonly repository: Repository
  readonly source: BodySource
  /** What a fill would ask with. */
  readonly headers: RawHeaders
  readonly stored: StoredResponse
}

/**
 * A stored body, and from where its store can't read it on, be it from the first byte, the rest from the remote (D4): of the
 * same version, or the reader hears that there is none. `optionsOf` is asked then only: hits are not to pay for it.
 */
export const orFromRemote = (body: OpenBody, optionsOf: () => ReadOnOptions): OpenBody =>
  orElse(body, 'STORE_FAULT', () => {
    const options = optionsOf()
    const { repository, stored } = options
    const remote = repository.remotes[0]?.url ?? ''
    return readAlone({
      ...options,
      first: asAnswered(stored, remote),
      proof: sameBytes(repository, stored.body.digest),
    })
  })

/** The answer it came with, as far as another one is held to it. */
const asAnswered = ({ status, headers, requestTime, responseTime, body }: StoredResponse, remote: string) => {
  const others = filterFields(headers, (name) => name !== 'content-length')
  return {
    ...{ status, requestTime, responseTime, remote },
    headers: [...others, 'Content-Length', String(body.size)],
    framing: 'length',
    body: (async function* () {})(),
    discard() {},
  } satisfies SourceResponse
}

/** Of what is fetched from its first byte on. A pinned body is always. */
const sameBytes = ({ integrity }: Repository, digest: Digest): Proof => ({
  digests: ['sha256'],
  demanded: integrity.checksums.length > 0,
  async prove(_, digests) {
    if (digests && `sha256:${digests.sha256}` === digest) return true
    throw new LarderError('INTEGRITY_MISMATCH', 'the remote has other bytes than those that were stored')
  },
})
