import { createHash } from 'node:crypto'
import type { Metrics } from '../metrics.js'
import type { SharedCache } from '../storage/shared-cache.js'
import type { FillHead } from './fill.js'
import type { PeerAnswer, Peers } from './peers.js'

/**
 * One fill in flight per key across replicas (C6), by a lease that names whom to follow. It only saves work: what is stored
 * is fenced by its record alone (D6), and without an answer in time each replica fetches for itself.
 */
export interface Replicas {
  /** `flight` stands for the same fill on all replicas; `here`: this one's, for those who follow. */
  claim(flight: string, here: UnderWay, signal: AbortSignal): Promise<Claim>
  /** A fill that is under way here, by the id that peers know. */
  underWay(id: string): UnderWay | undefined
}

export interface UnderWay {
  /** What it comes to; that a stored response is good again, once that is stored. */
  head(): Promise<FillHead>
  /** Aborts when it goes at full speed, as it does for any client; a warm-up may have a pace. */
  readonly hurried: AbortSignal
  hurry(): void
}

type Claim =
  /** Nobody can tell whether another one has it under way. */
  | { readonly kind: 'alone' }
  /** Others follow this one, until `end`. */
  | Ours
  | Absence
  | PeerAnswer

/** One was told just now that there is no such thing, and left word of it. */
interface Absence {
  readonly kind: 'refused'
  readonly status: number
  readonly headers: readonly []
  /** ms since the epoch, by the clock of who left it: when it is forgotten. */
  readonly until: number
}

export interface Ours {
  readonly kind: 'ours'
  /** The remote has no such thing: nobody else needs to ask for so many seconds. */
  absent(status: number, seconds: number): void
  end(): void
}

export interface ReplicasOptions {
  readonly shared: SharedCache
  readonly peers: Peers
  /** This replica's, for its peers; `undefined` where they can't reach it. */
  readonly self: Holder
  readonly metrics: Metrics
}

/** Who has a lease. */
interface Holder {
  /** Another one for each start of a process. */
  readonly id: string
  /** Where its peers reach it. */
  readonly url: string | undefined
}

/** Milliseconds a lease outlives the replica that has it, and between two renewals. */
const leaseFor = 10_000
const renewedEvery = 3_000

export function createReplicas({ shared, peers, self, metrics }: ReplicasOptions): Replicas {
  const offered = new Map<string, UnderWay>()
  const me = JSON.stringify(self)

  const ours = (id: string, here: UnderWay): Claim => {
    const name = nameOf(id)
    offered.set(id, here)
    const renewal = setInterval(() => void shared.lease(name, me, leaseFor), renewedEvery).unref()
    return {
      kind: 'ours',
      absent(status, seconds) {
        const text = `${status} ${Date.now() + seconds * 1000}`
        if (seconds > 0) void shared.note(absenceOf(id), text, seconds * 1000)
      },
      end() {
        clearInterval(renewal)
        if (offered.get(id) === here) offered.delete(id)
        void shared.yield(name, me)
      },
    }
  }

  return {
    async claim(flight, here, signal) {
      const id = createHash('sha256').update(flight).digest('hex')
      const [lease, noted] = await Promise.all([shared.lease(nameOf(id), me, leaseFor), shared.noted(absenceOf(id))])
      const absence = absenceIn(noted)
      if (absence) {
        if (lease?.mine) void shared.yield(nameOf(id), me)
        return absence
      }
      if (lease?.mine) return ours(id, here)
      const holder = lease && holderOf(lease.holder)
      const answer = holder?.url === undefined ? undefined : await peers.follow(holder.url, id, here, signal)
      metrics.peerFills.inc({ result: answer?.kind ?? 'alone' })
      return answer ?? alone
    },
    underWay: (id) => offered.get(id),
  }
}

const nameOf = (id: string) => `fill:${id}`
const absenceOf = (id: string) => `absent:${id}`

const alone: Claim = { kind: 'alone' }

/** Where there is one replica only. */
export const noReplicas: Replicas = { claim: async () => alone, underWay: () => undefined }

/** `undefined` for what another version may mean. */
function absenceIn(text = ''): Absence | undefined {
  const [, status, until] = /^(4\d\d) (\d{1,15})$/.exec(text) ?? []
  return status === undefined
    ? undefined
    : { kind: 'refused', status: Number(status), headers: [], until: Number(until) }
}

function holderOf(text: string): Partial<Holder> | undefined {
  try {
    const { url } = JSON.parse(text) as { url?: unknown }
    return typeof url === 'string' ? { url } : {}
  } catch {
    return undefined
  }
}
