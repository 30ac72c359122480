import { createHash } from 'node:crypto'
import { type Algorithm, expectation, promisedDigests, violated } from '../caching/integrity.js'
import { LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import type { Digests } from '../storage/staging.js'
import type { Pin } from './checksums.js'
import type { SourceResponse } from './source.js'

/** What a body is held to before its last byte is given away (U4). */
export interface Proof {
  /** The digests that takes. */
  readonly digests: readonly Algorithm[]
  /** Whether the operator asked for it, by a pin. */
  readonly demanded: boolean
  /** Whether a digest proves the body; throws `INTEGRITY_MISMATCH`, `CHECKSUM_UNKNOWN` where it isn't what was promised. */
  prove(length: number, digests: Digests | undefined): Promise<boolean>
}

export interface ProofOptions {
  readonly repository: string
  readonly response: SourceResponse
  readonly pin: Pin | undefined
  readonly metrics: Metrics
}

export function proofOf({ repository, response, pin, metrics }: ProofOptions): Proof {
  const expected = expectation(response)
  const promised = promisedDigests(expected)
  return {
    digests: pin ? [...new Set([...promised, 'sha256' as const])] : promised,
    demanded: pin !== undefined,
    async prove(length, digests) {
      const broken = violated(expected, { length, ...digests })
      if (broken) {
        metrics.integrityFailures.inc({ repository, kind: 'head' })
        throw new LarderError('INTEGRITY_MISMATCH', `the body is not what its head promised: ${broken}`)
      }
      const pinned = digests && pin ? await pin.prove(digests.sha256) : false
      return promised.length > 0 || pinned
    },
  }
}

/** The chunks, the last of them withheld until all are proven (C7). */
export async function* provenChunks(chunks: AsyncIterable<Uint8Array>, proof: Proof): AsyncGenerator<Uint8Array> {
  const sha256 = createHash('sha256')
  const md5 = proof.digests.includes('md5') ? createHash('md5') : undefined
  let length = 0
  let last: Uint8Array | undefined
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    if (last) yield last
    sha256.update(chunk)
    md5?.update(chunk)
    length += chunk.length
    last = chunk
  }
  await proof.prove(length, { sha256: sha256.digest('hex'), ...(md5 && { md5: md5.digest('hex') }) })
  if (last) yield last
}
