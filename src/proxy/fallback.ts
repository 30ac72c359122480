import type { RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import type { ErrorCode, LarderError } from '../errors.js'
import { absentFor } from './absence.js'
import type { Ask } from './ask.js'
import { forwarded, type Obtained, type Wanted } from './obtained.js'
import { classifyRefusal, sparesCopy } from './refusal.js'
import type { ShortMemory } from './short-memory.js'

/**
 * Seconds a stale copy is served without asking again, after its remote was in trouble (K3). The breaker knows nothing of
 * 401, 403, 404 and 429, nor before several keys had their clients wait for a timeout.
 */
const troubleFor = 10

/** Nothing went to a remote; what comes of it changes with breaker and block, so there is nothing to remember. */
const unasked: ReadonlySet<ErrorCode> = new Set(['UPSTREAM_BREAKER_OPEN', 'UPSTREAM_BLOCKED'])

interface Told {
  readonly status: number
  readonly headers: RawHeaders
  /** ms since the epoch: not to be remembered for longer, for it was heard of before. */
  readonly until?: number
}

/** What it comes to when the remote brings no artifact; remembered for a little while (K3, K4). */
export interface Fallback {
  /** A status that brings no artifact: the spare copy steps in, or the client hears of it (C9). */
  refused(ask: Ask, wanted: Wanted, told: Told): Obtained
  /** No answer at all, or nothing was asked because no remote may be. */
  troubled(ask: Ask, wanted: Wanted, error: LarderError): Obtained
  /** The same for a validation behind an answer already given. */
  troubledBehind(ask: Ask, error: LarderError): void
}

export function createFallback(memory: ShortMemory): Fallback {
  const noteTrouble = (key: string) => memory.note(key, { kind: 'trouble' }, troubleFor)

  const refused = (ask: Ask, wanted: Wanted, { status, headers, until }: Told): Obtained => {
    const { keepOnUpstreamMissing } = ask.repository.caching
    const refusal = classifyRefusal(status, headers)
    if (wanted.spare && sparesCopy(refusal, keepOnUpstreamMissing)) return spare(ask, wanted, wanted.spare, status)
    const cache = { outcome: 'error', ...forwarded(wanted), fwdStatus: status } as const
    if (refusal.kind !== 'absent') return { ...refusal, cache }
    const left = until === undefined ? Number.POSITIVE_INFINITY : (until - Date.now()) / 1000
    const seconds = Math.min(absentFor(ask.repository, ask.forwarded, status), left)
    memory.note(ask.remoteKey, { kind: 'negative', status }, seconds)
    return { ...refusal, cache: { ...cache, outcome: 'miss' } }
  }

  const troubled = (ask: Ask, wanted: Wanted, error: LarderError): Obtained => {
    const { spare: stored } = wanted
    const asked = !unasked.has(error.code)
    if (stored && asked) return spare(ask, wanted, stored, error.status)
    if (stored) return { kind: 'stored', stored, cache: { outcome: 'stale' } }
    return { kind: 'trouble', error, cache: { outcome: 'error', ...(asked && forwarded(wanted)), detail: error.code } }
  }

  const spare = (ask: Ask, wanted: Wanted, stored: StoredResponse, fwdStatus: number | undefined): Obtained => {
    noteTrouble(ask.remoteKey)
    const cache = { outcome: 'stale', ...forwarded(wanted), ...(fwdStatus !== undefined && { fwdStatus }) } as const
    return { kind: 'stored', stored, cache }
  }

  const troubledBehind = (ask: Ask, { code }: LarderError) => {
    if (!unasked.has(code)) noteTrouble(ask.remoteKey)
  }

  return { refused, troubled, troubledBehind }
}
