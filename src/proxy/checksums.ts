import { checkTarget, pathOf, withoutQueryValues } from '../caching/cache-key.js'
import { digestIn } from '../caching/checksum-list.js'
import { checksumRule, listPath } from '../caching/checksum-rules.js'
import { filterFields, type RawHeaders } from '../caching/headers.js'
import type { ChecksumRule, Repository } from '../caching/repository.js'
import { credentialFields } from '../caching/storable.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import { collected } from './collected.js'
import type { Resolution, Resolve } from './resolution.js'

/** The digests that the configuration, or a file of the repository itself, writes down for artifacts (U4). */
export interface Checksums {
  /** What the body at `target` is held to; a list of digests is fetched from now on. `undefined` where no rule speaks of it. */
  pin(subject: Pinned): Pin | undefined
}

interface Pinned {
  readonly repository: Repository
  readonly target: string
  /** The client's fields that go to the remote. */
  readonly forwarded: RawHeaders
  /** Ends what is asked of the remote. */
  readonly signal: AbortSignal
}

export interface Pin {
  /**
   * Whether the body, whose digest (hex) this is, is proven; false where its digest is written down nowhere and need not be.
   * Throws `INTEGRITY_MISMATCH`, `CHECKSUM_UNKNOWN`.
   */
  prove(sha256: string): Promise<boolean>
}

export interface ChecksumsDeps {
  readonly resolve: Resolve
  readonly metrics: Metrics
  readonly log: Logger
}

/** What a list says of an artifact: its digest; nothing; or the list itself is not to be had. */
type Finding =
  | { readonly kind: 'digest'; readonly sha256: string }
  | { readonly kind: 'unlisted' }
  | { readonly kind: 'no-list'; readonly why: string }

/** Bytes of a list; nobody means a longer one. */
const longestList = 1024 * 1024

export function createChecksums({ resolve, metrics, log }: ChecksumsDeps): Checksums {
  /** `validated`: the remote is asked for the list, however fresh the stored one is. */
  const look = async (list: string, { repository, target, forwarded, signal }: Pinned, validated: boolean) => {
    const over = new AbortController()
    try {
      if (pathOf(list) === pathOf(target)) return noList('it is the artifact itself')
      checkTarget(list)
      const resolution = await resolve({
        ...{ repository, method: 'GET', target: list, validated },
        headers: filterFields(forwarded, (name) => credentialFields.some((field) => field === name)),
        leaving: () => AbortSignal.any([signal, over.signal]),
      })
      if (resolution.kind !== 'artifact') return noList(whyNot(resolution))
      const bytes = await collected(resolution.artifact, longestList)
      const text = bytes && new TextDecoder().decode(bytes)
      if (text === undefined) return noList(`it has more than ${longestList} bytes`)
      const sha256 = digestIn(text, pathOf(list), pathOf(target))
      return sha256 === undefined ? unlisted : ({ kind: 'digest', sha256 } as const)
    } catch (error) {
      return noList(isLarderError(error) ? error.code : String(error))
    } finally {
      // Like a client who has what he came for: who listens to him lets go.
      over.abort()
    }
  }

  const literal = (subject: Pinned, expected: string): Pin => ({
    async prove(sha256) {
      if (sha256 !== expected) throw mismatch(subject, 'pin', expected, sha256)
      return true
    },
  })

  const listed = (subject: Pinned, rule: ChecksumRule, template: string): Pin => {
    const list = `/${listPath(template, pathOf(subject.target))}`
    const first = look(list, subject, false)
    return {
      async prove(sha256) {
        let found: Finding = await first
        // It may be older than the artifact, which was replaced together with it; or it was not to be had beside the artifact.
        if (found.kind !== 'digest' || found.sha256 !== sha256) found = await look(list, subject, true)
        if (found.kind !== 'digest') return unknown(subject, rule, list, found)
        if (found.sha256 !== sha256) throw mismatch(subject, 'list', found.sha256, sha256)
        return true
      },
    }
  }

  const unknown = ({ repository, target }: Pinned, { required }: ChecksumRule, list: string, found: Finding) => {
    const why = found.kind === 'no-list' ? found.why : 'it does not name the artifact'
    const about = {
      repository: repository.name,
      target: withoutQueryValues(target),
      list: withoutQueryValues(list),
      why,
    }
    metrics.integrityFailures.inc({ repository: repository.name, kind: 'unknown' })
    log.warn(about, required ? 'refused: its digest is not to be had' : 'passed unproven: its digest is not to be had')
    if (required) throw new LarderError('CHECKSUM_UNKNOWN', `no digest is to be had from ${list}: ${why}`)
    return false
  }

  const mismatch = ({ repository, target }: Pinned, kind: 'pin' | 'list', expected: string, got: string) => {
    metrics.integrityFailures.inc({ repository: repository.name, kind })
    const about = { repository: repository.name, target: withoutQueryValues(target), kind, expected, got }
    log.error(about, 'refused: the body is not what was written down')
    return new LarderError(
      'INTEGRITY_MISMATCH',
      `the body is not what its ${kind} says: sha256 ${expected}, got ${got}`,
    )
  }

  return {
    pin(subject) {
      const rule = checksumRule(pathOf(subject.target), subject.repository.integrity)
      if (!rule) return undefined
      const { expected } = rule
      return expected.kind === 'literal' ? literal(subject, expected.sha256) : listed(subject, rule, expected.in)
    },
  }
}

const unlisted = { kind: 'unlisted' } as const
const noList = (why: string) => ({ kind: 'no-list', why }) as const

const whyNot = (resolution: Exclude<Resolution, { readonly kind: 'artifact' }>) =>
  resolution.kind === 'trouble' ? resolution.error.code : `the remote answered ${resolution.status}`
