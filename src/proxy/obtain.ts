import { setMaxListeners } from 'node:events'
import { withoutQueryValues } from '../caching/cache-key.js'
import type { CacheOutcome } from '../caching/cache-status.js'
import { requestFacts } from '../caching/decide.js'
import { field, type RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import { conditionalHeaders, freshened, matches304, sameVersion } from '../caching/validation.js'
import { isLarderError, LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import type { Upstream } from '../upstream/upstream.js'
import type { Ask } from './ask.js'
import { createCollapse } from './collapse.js'
import { redated } from './dated.js'
import { createFallback } from './fallback.js'
import { type Fill, isSuccess, startFill } from './fill.js'
import { askHead, type HeadAnswer } from './head.js'
import { chooses, flightKey, mayAnswer, sharesHead } from './joining.js'
import { forwarded, type Obtained, type Wanted } from './obtained.js'
import { remoteSource } from './remote-source.js'
import { carriesCredentials, upstreamHeaders } from './request-headers.js'
import { growingArtifact, headArtifact, passingArtifact } from './resolution.js'
import { createShortMemory } from './short-memory.js'
import type { SourceResponse } from './source.js'

export interface ObtainDeps {
  readonly store: ArtifactStore
  readonly upstream: Upstream
  readonly metrics: Metrics
  readonly log: Logger
  readonly userAgent: string
  /** Our `Via` member, e.g. `1.1 larder-1a2b3c4d`. */
  readonly via: string
}

export interface Obtain {
  /** What the remote, or a fill that is under way already, has for the request. */
  answer(ask: Ask, wanted: Wanted): Promise<Obtained>
  /** Validates behind an answer already given (K2). */
  revalidate(ask: Ask, wanted: Wanted): void
  idle(): Promise<void>
  abort(): void
  fillsInFlight(): number
}

interface HeadFlight {
  readonly answer: Promise<HeadAnswer>
  readonly done: Promise<void>
}

/** Seconds a key is fetched by each client for itself, once its response could not be shared (C6). */
const uncacheableFor = 120

export function createObtain(deps: ObtainDeps): Obtain {
  const { store, upstream, metrics, userAgent, via, log } = deps
  const memory = createShortMemory()
  const { refused, troubled, noteTrouble } = createFallback(memory)
  const fills = createCollapse<Fill>()
  const heads = createCollapse<HeadFlight>()
  const stopping = new AbortController()
  // Every fill listens to it: many are no leak.
  setMaxListeners(0, stopping.signal)

  const sourceOf = ({ repository, target }: Ask) => remoteSource({ upstream, repository, target, metrics, log })

  const headersOf = (ask: Ask) => {
    const theirs = field(ask.request.headers, 'via')
    return upstreamHeaders(ask.forwarded, userAgent, theirs === undefined ? via : `${theirs}, ${via}`)
  }

  const joinFill = (ask: Ask, wanted: Wanted) =>
    fills.join(flightKey(ask, wanted.varied), () =>
      startFill(deps, {
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
      }),
    )

  /** Through a fill: the one under way, or one begun now. */
  const get = (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const { flight, collapsed } = joinFill(ask, wanted)
    return follow(ask, wanted, flight, collapsed)
  }

  const follow = async (ask: Ask, wanted: Wanted, fill: Fill, collapsed: boolean): Promise<Obtained> => {
    const answer = await fill.head.catch(faultOf)
    if (answer instanceof LarderError) return troubled(ask, wanted, answer)
    switch (answer.kind) {
      case 'growing': {
        const { selecting: chosenBy } = answer.growing.head
        if (collapsed && !chooses(chosenBy, ask)) return get(ask, { ...wanted, varied: variedToo(wanted, chosenBy) })
        if (collapsed && !mayAnswer(answer.growing.head, ask)) {
          return answer.growing.arrived() ? renewed(fill) : alone(ask, wanted)
        }
        const fault = answer.growing.size === 0 && (await answer.growing.whole().catch(faultOf))
        if (fault instanceof LarderError) return troubled(ask, wanted, fault)
        const cache = { outcome: 'miss', ...forwarded(wanted), stored: true, collapsed } as const
        return { kind: 'artifact', artifact: growingArtifact(answer.growing, ask.request.method), cache }
      }
      case 'validated':
        if (collapsed && !mayAnswer(answer.stored, ask)) return renewed(fill)
        return { kind: 'stored', stored: answer.stored, cache: revalidated(wanted, 304, collapsed) }
      case 'stored':
        if (!mayAnswer(answer.stored, ask)) return renewed(fill)
        return { kind: 'stored', stored: answer.stored, cache: { outcome: 'hit', collapsed: true } }
      case 'refused':
        return refused(ask, wanted, answer.status, answer.headers)
      case 'unshared':
        if (answer.lasting) memory.note(ask.remoteKey, { kind: 'uncacheable' }, uncacheableFor)
        return collapsed ? alone(ask, wanted) : pass(ask, wanted, answer.response)
    }
  }

  /** For this client alone, because the key's responses may not be shared. */
  const alone = async (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const bypass: Wanted = { ...wanted, why: 'bypass' }
    if (ask.request.method === 'HEAD') return head(ask, bypass)
    const response = await sourceOf(ask)
      .open({ method: 'GET', headers: headersOf(ask), signal: ask.request.leaving() })
      .catch(faultOf)
    if (!(response instanceof LarderError)) return pass(ask, bypass, response)
    // Cut off by the client itself, it says nothing of the remote.
    return troubled(ask, ask.request.leaving().aborted ? { ...bypass, spare: undefined } : bypass, response)
  }

  const pass = (ask: Ask, wanted: Wanted, response: SourceResponse): Obtained => {
    const spared = wanted.spare !== undefined && response.status >= 500
    if (!spared && passes(ask, response.status)) {
      ask.request.leaving().addEventListener('abort', () => response.discard(), { once: true })
      return { kind: 'artifact', artifact: passingArtifact(response), cache: { outcome: 'bypass', fwd: 'bypass' } }
    }
    response.discard()
    return refused(ask, wanted, response.status, response.headers)
  }

  /** HEAD of what is not here: the head of a fill under way, else the remote's, shared by all who ask meanwhile (C4). */
  const head = async (ask: Ask, wanted: Wanted): Promise<Obtained> => {
    const key = flightKey(ask, wanted.varied)
    const fill = wanted.why === 'bypass' ? undefined : fills.get(key)
    if (fill) return follow(ask, wanted, fill, true)
    const plain = headersOf(ask)
    const headers = [...plain, ...(wanted.validate ? conditionalHeaders(wanted.validate) : [])]
    const inquire = (fields: RawHeaders) => askHead(sourceOf(ask), fields, wanted.spare && 1)
    const { flight, collapsed } = heads.join(key, () => {
      const answer = inquire(headers)
      return { answer, done: answer.then(nothing, nothing) }
    })
    let answer = await flight.answer.catch(faultOf)
    if (!(answer instanceof LarderError)) {
      // A 304 about another response than ours says nothing of what there is.
      if (answer.status === 304 && !isAbout(answer, wanted)) answer = await inquire(plain).catch(faultOf)
      else if (collapsed && !sharesHead(ask, headers, answer)) answer = await inquire(headers).catch(faultOf)
    }
    return answer instanceof LarderError ? troubled(ask, wanted, answer) : headAnswered(ask, wanted, answer, collapsed)
  }

  const headAnswered = async (ask: Ask, wanted: Wanted, answer: HeadAnswer, collapsed: boolean): Promise<Obtained> => {
    const { validate } = wanted
    const unchanged = answer.status === 304 ? matches304 : answer.status === 200 ? sameResponse : never
    if (validate && unchanged(validate, answer.headers)) {
      const stored = redated(freshened(validate, { ...answer, requestHeaders: ask.forwarded }))
      if (!collapsed) await store.freshen(ask.key, validate, stored).catch((error) => unstored(ask, error))
      return { kind: 'stored', stored, cache: revalidated(wanted, answer.status, collapsed) }
    }
    if (!passes(ask, answer.status)) return refused(ask, wanted, answer.status, answer.headers)
    const cache = { outcome: wanted.why === 'bypass' ? 'bypass' : 'miss', ...forwarded(wanted), collapsed } as const
    return { kind: 'artifact', artifact: headArtifact(answer), cache }
  }

  const unstored = (ask: Ask, error: unknown) =>
    log.error({ err: error, key: withoutQueryValues(ask.key) }, 'cannot store a validation')

  return {
    async answer(ask, wanted) {
      const known = memory.get(ask.remoteKey)
      if (known?.kind === 'trouble' && wanted.spare) {
        return { kind: 'stored', stored: wanted.spare, cache: { outcome: 'stale' } }
      }
      if (known?.kind === 'negative' && !wanted.spare && !carriesCredentials(ask.forwarded)) {
        const cache = { outcome: 'negative', ttl: memory.secondsLeft(ask.remoteKey) } as const
        return { kind: 'absent', status: known.status, cache }
      }
      if (known?.kind === 'uncacheable') return alone(ask, wanted)
      return ask.request.method === 'HEAD' ? head(ask, wanted) : get(ask, wanted)
    },

    revalidate(ask, wanted) {
      if (memory.get(ask.remoteKey)?.kind === 'trouble') return
      const { flight, collapsed } = joinFill(ask, wanted)
      if (collapsed) return
      void flight.head.then(
        (answer) => {
          if (answer.kind === 'refused') refused(ask, wanted, answer.status, answer.headers)
          if (answer.kind === 'unshared') answer.response.discard()
        },
        (error) => {
          noteTrouble(ask.remoteKey)
          log.warn(
            { err: error, key: withoutQueryValues(ask.key) },
            'could not validate a stale response behind its answer',
          )
        },
      )
    },

    idle: () => fills.idle(),
    abort: () => stopping.abort(),
    fillsInFlight: () => fills.size,
  }
}

const renewed = async ({ done }: Fill): Promise<Obtained> => {
  await done
  return { kind: 'renewed' }
}

/** A plain shared cache passes whatever the remote says; an artifact is a success. */
const passes = ({ repository }: Ask, status: number) => repository.profile === 'rfc9111' || isSuccess(status)

/** None is forgotten: where a remote's `Vary` changes, two flights would send a request to each other for ever. */
const variedToo = ({ varied }: Wanted, chosenBy: StoredResponse['selecting']) =>
  [...new Set([...varied, ...Object.keys(chosenBy)])].sort()

const isAbout = (notModified: HeadAnswer, { validate }: Wanted) =>
  validate !== undefined && matches304(validate, notModified.headers)

const sameResponse = (stored: StoredResponse, headers: RawHeaders) => sameVersion(stored.headers, headers)
const never = () => false
const nothing = () => {}

const revalidated = (wanted: Wanted, fwdStatus: number, collapsed: boolean): CacheOutcome => ({
  outcome: 'revalidated',
  ...forwarded(wanted),
  fwdStatus,
  collapsed,
})

const faultOf = (error: unknown): LarderError =>
  isLarderError(error) ? error : new LarderError('INTERNAL', 'an unforeseen fault', { cause: error })
