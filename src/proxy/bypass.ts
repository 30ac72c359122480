import type { RawHeaders } from '../caching/headers.js'
import type { Metrics } from '../metrics.js'
import type { Ask } from './ask.js'
import { isFault } from './attempt.js'
import type { Checksums } from './checksums.js'
import type { Fallback } from './fallback.js'
import { faultOf } from './fault.js'
import type { Heads } from './heads.js'
import type { Obtained, Wanted } from './obtained.js'
import { proofOf, provenChunks } from './proof.js'
import { isSuccess } from './receive.js'
import { passes } from './refusal.js'
import { passingArtifact } from './resolution.js'
import type { BodySource, SourceResponse } from './source.js'

export interface BypassDeps {
  readonly checksums: Checksums
  readonly metrics: Metrics
  readonly fallback: Fallback
  readonly heads: Heads
  readonly sourceOf: (ask: Ask) => BodySource
  /** All that goes to the remote but validators. */
  readonly headersOf: (ask: Ask) => RawHeaders
}

/** Answers for one client and no other, past the store (C6). */
export interface Bypass {
  /** By a request of his own. */
  alone(ask: Ask, wanted: Wanted): Promise<Obtained>
  /** By an answer that is here and may not be shared. */
  pass(ask: Ask, wanted: Wanted, response: SourceResponse): Obtained
}

export function createBypass({ checksums, metrics, fallback, heads, sourceOf, headersOf }: BypassDeps): Bypass {
  const { refused, troubled } = fallback

  const alone = async (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const bypass: Wanted = { ...wanted, why: 'bypass' }
    if (ask.request.method === 'HEAD') return heads.answer(ask, bypass)
    const response = await sourceOf(ask)
      .open({ method: 'GET', headers: headersOf(ask), signal: ask.request.leaving() })
      .catch(faultOf)
    if (!isFault(response)) return pass(ask, bypass, response)
    // Cut off by the client itself, it says nothing of the remote.
    return troubled(ask, ask.request.leaving().aborted ? { ...bypass, spare: undefined } : bypass, response)
  }

  /** What isn't stored is held to its pin all the same (U4). */
  const proven = (ask: Ask, response: SourceResponse): SourceResponse => {
    const { repository, target, forwarded } = ask
    const signal = ask.request.leaving()
    const pin = isSuccess(response.status) ? checksums.pin({ repository, target, forwarded, signal }) : undefined
    if (!pin) return response
    const proof = proofOf({ repository: repository.name, response, pin, metrics })
    return { ...response, body: provenChunks(response.body, proof) }
  }

  const pass = (ask: Ask, wanted: Wanted, response: SourceResponse): Obtained => {
    const spared = wanted.spare !== undefined && response.status >= 500
    if (!spared && passes(ask.repository, response.status)) {
      ask.request.leaving().addEventListener('abort', () => response.discard(), { once: true })
      return {
        kind: 'artifact',
        artifact: passingArtifact(proven(ask, response)),
        cache: { outcome: 'bypass', fwd: 'bypass' },
      }
    }
    response.discard()
    return refused(ask, wanted, response)
  }

  return { alone, pass }
}
