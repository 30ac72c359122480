import { pathOf } from '../caching/cache-key.js'
import { answersToo, requestFacts } from '../caching/decide.js'
import { freshness } from '../caching/freshness.js'
import type { RawHeaders } from '../caching/headers.js'
import type { ResponseHead, StoredResponse } from '../caching/record.js'
import { credentialFields, storable } from '../caching/storable.js'
import { selecting, varyNames } from '../caching/vary.js'
import type { Ask } from './ask.js'
import type { HeadAnswer } from './head.js'
import type { PeerAnswer } from './peers.js'
import { acceptsAnything, carriesCredentials } from './request-headers.js'

/** Who may share a flight, and what it brings (C6). */

type Following = Extract<PeerAnswer, { kind: 'growing' }>

/** One flight per key and, where `Vary` is known to choose, per choice; nobody is answered by another's credentials. */
export const flightKey = (ask: Ask, varied: readonly string[]) => {
  const names = carriesCredentials(ask.forwarded) ? [...varied, ...credentialFields] : varied
  return names.length === 0 ? ask.remoteKey : `${ask.remoteKey}\n${JSON.stringify(selecting(names, ask.forwarded))}`
}

/** Whether what another request brought answers this one; an artifact is shared whenever its fill is joined (C6). */
export const mayAnswer = (head: ResponseHead, { now, request, repository: { profile, caching }, target }: Ask) =>
  profile === 'artifact' ||
  answersToo(freshness(head, pathOf(target), caching), requestFacts(request.headers, caching), now)

/** Whether a response chosen by these fields answers this request too (RFC 9111 §4.1). */
export const chooses = (chosenBy: StoredResponse['selecting'], { forwarded }: Pick<Ask, 'forwarded'>) => {
  const ours = selecting(Object.keys(chosenBy), forwarded)
  return Object.entries(chosenBy).every(([name, value]) => ours[name] === value)
}

/** The fields of a request by which it may be refused what others are given: it takes only some media types. */
export const refusedBy = (status: number, { forwarded }: Pick<Ask, 'forwarded'>): StoredResponse['selecting'] =>
  status < 400 || status >= 500 || acceptsAnything(forwarded) ? {} : selecting(['accept'], forwarded)

/** The same of what a peer brings. One that does not tell what chose it is believed where nothing did. */
export const isChosen = ({ response, selecting }: Following, request: Pick<Ask, 'forwarded'>) =>
  selecting ? chooses(selecting, request) : varyNames(response.headers).length === 0

/** Whether a HEAD's answer is good for others than who asked. */
export const sharesHead = (ask: Ask, headers: RawHeaders, answer: HeadAnswer) =>
  varyNames(answer.headers).length === 0 &&
  (answer.status !== 200 || storable({ headers }, answer, pathOf(ask.target), ask.repository.caching).store)
