import { setMaxListeners } from 'node:events'
import { withoutQueryValues } from '../caching/cache-key.js'
import { requestFacts } from '../caching/decide.js'
import { field } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { Upstream } from '../upstream/upstream.js'
import { type Ask, keyWithin } from './ask.js'
import type { Availability } from './availability.js'
import { createBypass } from './bypass.js'
import type { Checksums } from './checksums.js'
import { createCollapse } from './collapse.js'
import { createFallback } from './fallback.js'
import { faultOf } from './fault.js'
import { type Fill, startFill } from './fill.js'
import { createHeads } from './heads.js'
import { chooses, flightKey, mayAnswer } from './joining.js'
import { forwarded, type Obtained, revalidated, type Wanted } from './obtained.js'
import { createOutlook, type Outlook } from './outlook.js'
import { orFromRemote } from './read-on.js'
import { remoteSource } from './remote-source.js'
import type { Replicas } from './replicas.js'
import { upstreamHeaders } from './request-headers.js'
import { growingArtifact } from './resolution.js'
import { createShortMemory, type Note } from './short-memory.js'

export interface ObtainDeps {
  readonly store: ArtifactStore
  readonly upstream: Upstream
  readonly replicas: Replicas
  readonly checksums: Checksums
  readonly availability: Availability
  readonly metrics: Metrics
  readonly log: Logger
  readonly userAgent: string
  /** Our `Via` member, e.g. `1.1 larder-1a2b3c4d`. */
  readonly via: string
}

export interface Obtain {
  /** What the remote, or a fill that is under way already, has for the request. */
  answer(ask: Ask, wanted: Wanted): Promise<Obtained>
  /** What the remote has, past the store: nothing is looked up, nothing stored. */
  bypass(ask: Ask, wanted: Wanted): Promise<Obtained>
  /** A stored body, the rest from the remote where its store can't read it on. */
  readOn(ask: Ask, stored: StoredResponse, body: OpenBody): OpenBody
  /** Validates behind an answer already given (K2). */
  revalidate(ask: Ask, wanted: Wanted): void
  /** What `answer` would do now. */
  outlook(ask: Ask, wanted: Wanted): Outlook
  /** Whether `revalidate` would ask the remote now. */
  mayRevalidate(ask: Ask): boolean
  /** What is remembered of the key for a little while. */
  known(ask: Ask): (Note & { readonly secondsLeft: number }) | undefined
  idle(): Promise<void>
  abort(): void
  fillsInFlight(): number
}

/** Seconds a key is fetched by each client for itself, once its response could not be shared (C6). */
const uncacheableFor = 120

export function createObtain(deps: ObtainDeps): Obtain {
  const { store, upstream, checksums, availability, metrics, userAgent, via, log } = deps
  const memory = createShortMemory()
  const fallback = createFallback(memory)
  const { refused, troubled, troubledBehind } = fallback
  const fills = createCollapse<Fill>()
  const stopping = new AbortController()
  // Every fill listens to it: many are no leak.
  setMaxListeners(0, stopping.signal)

  // Whoever purges expects the remote to be asked, not what was learnt of it before.
  store.onPurge((means) => {
    const purged = (key: string) => means(keyWithin(key))
    memory.forget(purged)
    fills.detach(purged)
  })

  const outlook = createOutlook({ memory, availability, isUnderWay: (flight) => fills.get(flight) !== undefined })
  const mayRevalidate = (ask: Ask) =>
    memory.get(ask.remoteKey)?.kind !== 'trouble' && availability.refusal(ask.repository) === undefined

  const sourceOf = ({ repository, target }: Ask) =>
    remoteSource({ upstream, repository, target, availability, metrics, log })

  const headersOf = (ask: Ask) => {
    const theirs = field(ask.request.headers, 'via')
    return upstreamHeaders(ask.forwarded, userAgent, theirs === undefined ? via : `${theirs}, ${via}`)
  }

  const heads = createHeads({ store, log, fallback, sourceOf, headersOf })
  const { alone, pass } = createBypass({ checksums, metrics, fallback, heads, sourceOf, headersOf })

  const joinFill = (ask: Ask, wanted: Wanted) => {
    const flight = flightKey(ask, wanted.varied)
    const joined = fills.join(flight, () =>
      startFill(deps, {
        flight,
        repository: ask.repository,
        key: ask.key,
        target: ask.target,
        forwarded: ask.forwarded,
        headers: headersOf(ask),
        source: sourceOf(ask),
        seen: wanted.stored?.responseTime ?? 0,
        validate: wanted.validate,
        noStore: requestFacts(ask.request.headers, ask.repository.caching).directives?.noStore === true,
        attempts: wanted.spare && 1,
        signal: stopping.signal,
        pace: ask.request.pace,
      }),
    )
    // A client is not to wait at a warm-up's pace, whoever came first.
    if (!ask.request.warming) joined.flight.hurry()
    return joined
  }

  /** Through a fill: the one under way, or one begun now. */
  const get = (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const { flight, collapsed } = joinFill(ask, wanted)
    return follow(ask, wanted, flight, collapsed)
  }

  const follow = async (ask: Ask, wanted: Wanted, fill: Fill, collapsed: boolean): Promise<Obtained> => {
    const answer = await fill.head.catch(faultOf)
    if (answer instanceof LarderError) {
      return answer.code === 'STORE_FAULT' ? alone(ask, wanted) : troubled(ask, wanted, answer)
    }
    switch (answer.kind) {
      case 'growing': {
        const { selecting: chosenBy } = answer.growing.head
        if (collapsed && !chooses(chosenBy, ask)) return get(ask, { ...wanted, varied: variedToo(wanted, chosenBy) })
        if (collapsed && !mayAnswer(answer.growing.head, ask)) {
          return answer.growing.arrived() ? renewed(fill) : alone(ask, wanted)
        }
        const fault = answer.growing.size === 0 && (await answer.growing.whole().catch(faultOf))
        if (fault instanceof LarderError) return troubled(ask, wanted, fault)
        const cache = answer.growing.kept()
          ? ({ outcome: 'miss', ...forwarded(wanted), stored: true, collapsed } as const)
          : ({ outcome: 'bypass', ...forwarded(wanted), collapsed } as const)
        return { kind: 'artifact', artifact: growingArtifact(answer.growing, ask.request.method), cache }
      }
      case 'validated':
        if (collapsed && !mayAnswer(answer.stored, ask)) return renewed(fill)
        return { kind: 'stored', stored: answer.stored, cache: revalidated(wanted, 304, collapsed) }
      case 'stored':
        if (!mayAnswer(answer.stored, ask)) return renewed(fill)
        return { kind: 'stored', stored: answer.stored, cache: { outcome: 'hit', collapsed: true } }
      case 'refused':
        if (collapsed && !chooses(answer.selecting ?? {}, ask)) return renewed(fill)
        return refused(ask, wanted, answer)
      case 'unshared':
        if (answer.lasting) memory.note(ask.remoteKey, { kind: 'uncacheable' }, uncacheableFor)
        return collapsed ? alone(ask, wanted) : pass(ask, wanted, answer.response)
    }
  }

  /** HEAD of what is not here: the head of a fill under way, else the remote's (C4). */
  const head = (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const fill = fills.get(flightKey(ask, wanted.varied))
    return fill ? follow(ask, wanted, fill, true) : heads.answer(ask, wanted)
  }

  return {
    async answer(ask, wanted) {
      const next = outlook(ask, wanted)
      switch (next.kind) {
        case 'spared':
          return { kind: 'stored', stored: next.stored, cache: { outcome: 'stale' } }
        case 'negative':
          return { kind: 'absent', status: next.status, cache: { outcome: 'negative', ttl: next.ttl } }
        case 'unavailable':
          return troubled(ask, wanted, next.refusal)
        case 'alone':
          return alone(ask, wanted)
        case 'ask':
          return ask.request.method === 'HEAD' ? head(ask, wanted) : get(ask, wanted)
      }
    },

    outlook,
    mayRevalidate,
    known(ask) {
      const note = memory.get(ask.remoteKey)
      return note && { ...note, secondsLeft: memory.secondsLeft(ask.remoteKey) }
    },

    bypass: alone,

    readOn: (ask, stored, body) =>
      orFromRemote(body, () => ({
        repository: ask.repository,
        source: sourceOf(ask),
        headers: headersOf(ask),
        stored,
      })),

    revalidate(ask, wanted) {
      if (!mayRevalidate(ask)) return
      const { flight, collapsed } = joinFill(ask, wanted)
      if (collapsed) return
      void flight.head.then(
        (answer) => {
          if (answer.kind === 'refused') refused(ask, wanted, answer)
          if (answer.kind === 'unshared') answer.response.discard()
        },
        (error) => {
          troubledBehind(ask, faultOf(error))
          log.warn(
            { err: error, key: withoutQueryValues(ask.key) },
            'could not validate a stale response behind its answer',
          )
        },
      )
    },

    idle: () => fills.idle(),
    abort: () => stopping.abort(new LarderError('SHUTTING_DOWN', 'the server is shutting down')),
    fillsInFlight: () => fills.size,
  }
}

const renewed = async ({ done }: Fill): Promise<Obtained> => {
  await done
  return { kind: 'renewed' }
}

/** None is forgotten: where a remote's `Vary` changes, two flights would send a request to each other for ever. */
const variedToo = ({ varied }: Wanted, chosenBy: StoredResponse['selecting']) =>
  [...new Set([...varied, ...Object.keys(chosenBy)])].sort()
