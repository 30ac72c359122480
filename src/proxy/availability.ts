import type { Remote, Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { Announcement, Bulletin } from '../storage/bulletin.js'
import { type Breaker, type BreakerState, createBreaker } from './breaker.js'

/** Which remotes may be asked now: their breakers, and what was blocked by hand (U7). */
export interface Availability {
  /** Why none of `remotes` may be asked, `UPSTREAM_BLOCKED` or `UPSTREAM_BREAKER_OPEN`; `undefined` where one may. */
  refusal(repository: Repository, remotes?: readonly Remote[]): LarderError | undefined
  /** Survives a reload of the configuration that leaves remote and breaker policy as they are. */
  breaker(repository: Repository, remote: Remote): Breaker
  remotes(repository: Repository): readonly RemoteState[]
  /** Closes the breakers of all its remotes. */
  reset(repository: Repository): void
  isBlocked(repository: Repository): boolean
  /** Whether it is news that it refuses our credentials by that `status`; `undefined`: it does not. */
  credentialsRefused(remote: Remote, status: number | undefined): boolean
  /** Over what is configured, until a restart or a reload. */
  block(repository: Repository, blocked: boolean): void
}

interface RemoteState {
  readonly url: string
  readonly breaker: BreakerState
  /** ms since the epoch; `undefined` unless its breaker is open. */
  readonly retryAt: number | undefined
}

export interface AvailabilityDeps {
  readonly bulletin: Bulletin
  /** Those that are configured. */
  readonly repositories: () => readonly Repository[]
  readonly metrics: Metrics
  readonly log: Logger
}

export function createAvailability({ bulletin, repositories, metrics, log }: AvailabilityDeps): Availability {
  /** Few: no more than remotes were ever configured. */
  const breakers = new Map<string, Breaker>()
  // A reload makes new repositories, and so forgets these.
  const overrides = new WeakMap<Repository, boolean>()

  const breakerOf = ({ name, upstream: { breaker: policy } }: Repository, { url }: Remote): Breaker => {
    const key = [name, url, policy.failures, policy.openFor, policy.maxOpenFor].join(' ')
    const known = breakers.get(key)
    if (known) return known
    const about = { repository: name, remote: url }
    const made = createBreaker(policy, {
      opened(wait) {
        metrics.breakerOpenings.inc(about)
        log.warn({ ...about, retryInSeconds: wait / 1000 }, 'breaker open: the remote is left alone for a while')
        void bulletin.announce({ kind: 'breaker', ...about, openFor: wait })
      },
      closed() {
        log.info(about, 'breaker closed: the remote is asked again')
        void bulletin.announce({ kind: 'breaker', ...about, openFor: 0 })
      },
    })
    breakers.set(key, made)
    return made
  }

  /** S3 without the right to list refuses each missing key so: a log line for each would bury the rest. */
  const refusing = new WeakMap<Remote, number | undefined>()

  const block = (repository: Repository, blocked: boolean) => void overrides.set(repository, blocked)

  /** What another replica tells of them holds here, too. */
  const hear = (heard: Announcement) => {
    const repository = 'repository' in heard && repositories().find(({ name }) => name === heard.repository)
    if (!repository) return
    if (heard.kind === 'block') block(repository, heard.blocked)
    const remote = heard.kind === 'breaker' && repository.remotes.find(({ url }) => url === heard.remote)
    if (remote && heard.kind === 'breaker') breakerOf(repository, remote).rest(heard.openFor)
  }
  bulletin.onHeard(hear)

  const isBlocked = (repository: Repository) => overrides.get(repository) ?? repository.blocked

  return {
    isBlocked,
    breaker: breakerOf,
    refusal(repository, remotes = repository.remotes) {
      const { name } = repository
      if (isBlocked(repository)) return new LarderError('UPSTREAM_BLOCKED', `${name} is blocked by its operator`)
      const all = remotes.map((remote) => breakerOf(repository, remote))
      const now = Date.now()
      if (all.some(({ state, openUntil }) => state !== 'half-open' && openUntil <= now)) return undefined
      const retryAfter = Math.max(0, Math.min(...all.map(({ openUntil }) => openUntil)) - now) / 1000
      return new LarderError('UPSTREAM_BREAKER_OPEN', `${name}: no remote is asked after repeated failures`, {
        retryAfter,
      })
    },
    remotes: (repository) =>
      repository.remotes.map((remote) => {
        const { state, openUntil } = breakerOf(repository, remote)
        return { url: remote.url, breaker: state, retryAt: state === 'open' ? openUntil : undefined }
      }),
    reset(repository) {
      for (const remote of repository.remotes) breakerOf(repository, remote).reset()
    },
    credentialsRefused(remote, status) {
      const before = refusing.get(remote)
      refusing.set(remote, status)
      return status !== undefined && status !== before
    },
    block(repository, blocked) {
      block(repository, blocked)
      void bulletin.announce({ kind: 'block', repository: repository.name, blocked })
    },
  }
}
