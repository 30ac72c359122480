import { withoutQueryValues } from '../caching/cache-key.js'
import type { RawHeaders } from '../caching/headers.js'
import type { StoredResponse } from '../caching/record.js'
import { conditionalHeaders, freshened, matches304, sameVersion } from '../caching/validation.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { ArtifactStore } from '../storage/artifact-store.js'
import { type Ask, keyWithin } from './ask.js'
import { createCollapse } from './collapse.js'
import { redated } from './dated.js'
import type { Fallback } from './fallback.js'
import { faultOf } from './fault.js'
import { askHead, type HeadAnswer } from './head.js'
import { chooses, flightKey, refusedBy, sharesHead } from './joining.js'
import { forwarded, type Obtained, revalidated, type Wanted } from './obtained.js'
import { passes } from './refusal.js'
import { headArtifact } from './resolution.js'
import type { BodySource } from './source.js'

export interface HeadsDeps {
  readonly store: ArtifactStore
  readonly log: Logger
  readonly fallback: Fallback
  readonly sourceOf: (ask: Ask) => BodySource
  /** All that goes to the remote but validators. */
  readonly headersOf: (ask: Ask) => RawHeaders
}

/** HEAD of what is neither here nor coming in (C4). */
export interface Heads {
  answer(ask: Ask, wanted: Wanted): Promise<Obtained>
}

interface HeadFlight {
  readonly answer: Promise<HeadAnswer>
  readonly done: Promise<void>
  /** What was asked by the first. */
  readonly ask: Ask
}

export function createHeads({ store, log, fallback, sourceOf, headersOf }: HeadsDeps): Heads {
  const { refused, troubled } = fallback
  const flights = createCollapse<HeadFlight>()
  store.onPurge((means) => flights.detach((key) => means(keyWithin(key))))

  const answered = async (ask: Ask, wanted: Wanted, answer: HeadAnswer, collapsed: boolean): Promise<Obtained> => {
    const { validate } = wanted
    const unchanged = answer.status === 304 ? matches304 : answer.status === 200 ? sameResponse : never
    if (validate && unchanged(validate, answer.headers)) {
      const stored = redated(freshened(validate, { ...answer, requestHeaders: ask.forwarded }))
      if (!collapsed) await store.freshen(ask.key, validate, stored).catch((error) => unstored(ask, error))
      return { kind: 'stored', stored, cache: revalidated(wanted, answer.status, collapsed) }
    }
    if (!passes(ask.repository, answer.status)) return refused(ask, wanted, answer)
    const cache = { outcome: wanted.why === 'bypass' ? 'bypass' : 'miss', ...forwarded(wanted), collapsed } as const
    return { kind: 'artifact', artifact: headArtifact(answer), cache }
  }

  const unstored = (ask: Ask, error: unknown) =>
    log.error({ err: error, key: withoutQueryValues(ask.key) }, 'cannot store a validation')

  return {
    /** Shared by all who ask meanwhile. */
    async answer(ask, wanted) {
      const plain = headersOf(ask)
      const headers = [...plain, ...(wanted.validate ? conditionalHeaders(wanted.validate) : [])]
      const inquire = (fields: RawHeaders) => askHead(sourceOf(ask), fields, wanted.spare && 1)
      const { flight, collapsed } = flights.join(flightKey(ask, wanted.varied), () => {
        const answer = inquire(headers)
        return { answer, done: answer.then(nothing, nothing), ask }
      })
      const isForBoth = (first: Ask, got: HeadAnswer) =>
        sharesHead(ask, headers, got) && chooses(refusedBy(got.status, first), ask)
      let answer = await flight.answer.catch(faultOf)
      if (!(answer instanceof LarderError)) {
        // A 304 about another response than ours says nothing of what there is.
        if (answer.status === 304 && !isAbout(answer, wanted)) answer = await inquire(plain).catch(faultOf)
        else if (collapsed && !isForBoth(flight.ask, answer)) answer = await inquire(headers).catch(faultOf)
      }
      return answer instanceof LarderError ? troubled(ask, wanted, answer) : answered(ask, wanted, answer, collapsed)
    },
  }
}

const isAbout = (notModified: HeadAnswer, { validate }: Wanted) =>
  validate !== undefined && matches304(validate, notModified.headers)

const sameResponse = (stored: StoredResponse, headers: RawHeaders) => sameVersion(stored.headers, headers)
const never = () => false
const nothing = () => {}
