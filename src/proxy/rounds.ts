import { setTimeout as sleep } from 'node:timers/promises'
import { withoutQueryValues } from '../caching/cache-key.js'
import type { Remote, Repository } from '../caching/repository.js'
import { type ErrorCode, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import { type Attempt, isFault, isTransient, type Result } from './attempt.js'
import type { Availability } from './availability.js'
import type { Pass } from './breaker.js'
import { backoff, longestPause } from './retry-after.js'
import type { SourceRequest, SourceResponse } from './source.js'

export interface RoundsOptions {
  readonly repository: Repository
  readonly target: string
  readonly attempt: Attempt
  readonly availability: Availability
  readonly metrics: Metrics
  readonly log: Logger
}

/**
 * Asks the remotes in order until one answers, and in rounds until tries or budget are used up (U2). Only trouble goes on to
 * the next; any other answer is the answer. Throws the last fault, or `UPSTREAM_BLOCKED`, `UPSTREAM_BREAKER_OPEN` where
 * nothing went out.
 */
export type Inquire = (request: SourceRequest, remotes: readonly Remote[]) => Promise<SourceResponse>

/** One remote within one operation. */
interface Trial {
  readonly remote: Remote
  readonly pass: Pass
  readonly result: Result
}

export function inquiring({ repository, target, attempt, availability, metrics, log }: RoundsOptions): Inquire {
  const { retry } = repository.upstream
  const isTrouble = (result: Result) => isFault(result) || isTransient(result, repository)

  /** Adds what each remote said to `trials`; returns the first answer, or else the last trouble. None is asked again after `until`. */
  const round = async (
    request: SourceRequest,
    remotes: readonly Remote[],
    until: number,
    trials: Map<Remote, Trial>,
  ) => {
    let last: Result | undefined
    for (const remote of remotes) {
      const before = trials.get(remote)
      const pass = before ? before.pass : availability.breaker(repository, remote).enter()
      if (!pass?.holds() || (before && Date.now() > until)) continue
      last = await attempt(request, remote)
      trials.set(remote, { remote, pass, result: last })
      if (!isTrouble(last) || request.signal?.aborted) break
      if (!isFault(last)) last.discard()
    }
    return last
  }

  /** The remotes worth asking again once this has resolved. */
  const pause = async ({ signal }: SourceRequest, tried: number, until: number, trials: readonly Trial[]) => {
    const waits = new Map<Trial, number>()
    for (const trial of trials) {
      const { pass, result } = trial
      if (!pass.holds() || !isTransient(result, repository)) continue
      const wait = backoff(tried, isFault(result) ? [] : result.headers)
      if (Date.now() + wait <= until) waits.set(trial, wait)
    }
    if (waits.size === 0) return []
    // Whoever asks for more patience than the others holds none of them up.
    const wait = Math.max(Math.min(...waits.values()), longestPause)
    const next = [...waits].filter(([, asked]) => asked <= wait)
    await rest(
      Math.max(...next.map(([, asked]) => asked)),
      next.map(([trial]) => trial),
      signal,
    )
    if (signal?.aborted || availability.isBlocked(repository)) return []
    const again = next.map(([trial]) => trial).filter(({ pass }) => pass.holds())
    if (again.length > 0) metrics.retries.inc({ repository: repository.name })
    return again.map(({ remote }) => remote)
  }

  /** The operation is over: the breakers learn of it, and the operator what the client does not see. */
  const conclude = (request: SourceRequest, tried: number, trials: readonly Trial[]) => {
    const served = trials.find(({ result }) => !isTrouble(result))?.remote.url
    for (const { remote, pass, result } of trials) {
      pass.settle(request.signal?.aborted ? 'untold' : outcomeOf(result))
      const about = { repository: repository.name, remote: remote.url, method: request.method }
      const refusal = isFault(result) || !refusesUs(remote, result) ? undefined : result.status
      if (availability.credentialsRefused(remote, refusal)) {
        log.warn({ ...about, status: refusal }, 'remote refuses our credentials')
      }
      if (request.signal?.aborted || !isTrouble(result)) continue
      const said = isFault(result) ? { err: result, code: result.code } : { status: result.status }
      const more = { target: withoutQueryValues(target), tried, ...said, ...(served !== undefined && { served }) }
      log.warn({ ...about, ...more }, 'remote in trouble')
    }
  }

  return async (request, remotes) => {
    const refusal = availability.refusal(repository, remotes)
    if (refusal) throw refusal
    const attempts = request.attempts ?? retry.attempts
    const until = Date.now() + retry.budget
    const trials = new Map<Remote, Trial>()
    let last: Result = new LarderError('INTERNAL', 'no remote was asked')
    let tried = 0
    for (let next = remotes; next.length > 0; ) {
      last = (await round(request, next, until, trials)) ?? last
      tried += 1
      const done = !isTrouble(last) || tried >= attempts || request.signal?.aborted
      next = done ? [] : await pause(request, tried, until, [...trials.values()])
    }
    conclude(request, tried, [...trials.values()])
    if (isFault(last)) throw last
    return last
  }
}

/** Waits so long, or until there is nothing left to wait for: all breakers opened, or the request is off. */
async function rest(ms: number, trials: readonly Trial[], signal: AbortSignal | undefined): Promise<void> {
  const off = new AbortController()
  const check = () => {
    if (trials.every(({ pass }) => !pass.holds())) off.abort()
  }
  const silence = trials.map(({ pass }) => pass.onOpened(check))
  const either = signal ? AbortSignal.any([off.signal, signal]) : off.signal
  await sleep(ms, undefined, { signal: either }).catch(() => {})
  for (const stop of silence) stop()
}

const connectionFaults: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_TLS',
  'UPSTREAM_CUT',
])

/** Nothing reached the remote: a fault of ours, no connection free, an egress proxy that refuses us. */
const ownTrouble: ReadonlySet<ErrorCode> = new Set(['INTERNAL', 'UPSTREAM_OVERLOADED', 'UPSTREAM_UNAUTHORIZED'])

/** What an operation tells of the remote's health: an answer is one, whatever it says, but for a 5xx (U7). */
function outcomeOf(result: Result): 'succeeded' | 'failed' | 'untold' {
  // 501 speaks of the method: HEAD is refused so (C4).
  if (!isFault(result)) return result.status >= 500 && result.status !== 501 ? 'failed' : 'succeeded'
  if (connectionFaults.has(result.code)) return 'failed'
  return ownTrouble.has(result.code) ? 'untold' : 'succeeded'
}

/** S3 has one status for wrong keys and for a key that opens other doors only. */
const refusesUs = ({ access }: Remote, { status }: SourceResponse): boolean =>
  (status === 401 || status === 403) && (access.auth !== undefined || access.headers.length > 0)
