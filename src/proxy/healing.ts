import { setTimeout as sleep } from 'node:timers/promises'
import type { RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import type { Metrics } from '../metrics.js'
import { isTransient } from './attempt.js'
import { faultOf } from './fault.js'
import { backoff } from './retry-after.js'
import type { Inquire } from './rounds.js'
import { mayBeSame, provesWhole, sizeIfContinued, skipEqual, strongValidator } from './same-body.js'
import type { SourceRequest, SourceResponse } from './source.js'

export interface HealingOptions {
  readonly repository: Repository
  readonly inquire: Inquire
  readonly metrics: Metrics
}

interface Rest {
  readonly body: AsyncIterable<Uint8Array>
  /** Bytes of the whole body, where they prove its end; else the framing does. */
  readonly size: number | undefined
}

/** A body that is taken up again where it was cut (U3); it ends only when whole. `dropped`: nobody wants it any more. */
export type Heal = (
  request: SourceRequest,
  first: SourceResponse,
  dropped: AbortSignal,
) => AsyncGenerator<Uint8Array, void, undefined>

export function healing({ repository, inquire, metrics }: HealingOptions): Heal {
  const { retry } = repository.upstream

  /** An answer that may pass if asked again is as good as none: a cut more. */
  const inquireRest: Inquire = async (request, remotes) => {
    const response = await inquire(request, remotes)
    if (!isTransient(response, repository)) return response
    response.discard()
    throw new LarderError('UPSTREAM_CUT', `the rest of a body is not to be had: ${response.status}`)
  }

  /** The rest from `position` on, at the mirror the first part came from. */
  const goOn = async (request: SourceRequest, first: SourceResponse, position: number, validator: string) => {
    const remotes = repository.remotes.filter(({ url }) => url === first.remote)
    const conditions = ['Range', `bytes=${position}-`, 'If-Range', validator]
    const response = await inquireRest({ ...request, headers: [...request.headers, ...conditions] }, remotes)
    const size = response.status === 206 ? sizeIfContinued(first, response, position) : undefined
    if (size !== undefined) return { body: response.body, size }
    const taken = response.status === 200 ? await request.taken?.() : undefined
    if (taken !== undefined) return again(first, position, response, taken)
    response.discard()
    const isWhole = response.status === 416 && provesWhole(first, response, position)
    return isWhole ? { body: nothing(), size: position } : undefined
  }

  /** The rest from `position` on of an answer that begins at 0, where what came before proves equal. */
  const again = (first: SourceResponse, position: number, response: SourceResponse, taken: string) => {
    if (mayBeSame(first, response)) return { body: skipEqual(response.body, position, taken), size: undefined }
    response.discard()
    return undefined
  }

  /** The rest of a body from byte `position` on, or `undefined` where nobody has it. */
  const resume = async (asked: SourceRequest, first: SourceResponse, position: number): Promise<Rest | undefined> => {
    // However few attempts the head was worth: where bytes are out already, no stored copy can step in.
    const request = { ...asked, headers: unconditional(asked.headers), attempts: retry.attempts }
    const validator = strongValidator(first.headers)
    const others = repository.remotes.filter(({ url }) => url !== first.remote)
    const home = repository.remotes.filter(({ url }) => url === first.remote)
    if (validator !== undefined) {
      const rest = await goOn(request, first, position, validator).catch((error) => {
        if (others.length === 0) throw error
      })
      if (rest) return rest
    }
    const remotes = validator === undefined ? [...home, ...others] : others
    const taken = remotes.length > 0 ? await request.taken?.() : undefined
    return taken === undefined ? undefined : again(first, position, await inquireRest(request, remotes), taken)
  }

  return async function* heal(request, first, dropped) {
    let received = 0
    let fault: LarderError | undefined
    for (let resumes = 0; ; resumes += 1) {
      const signal = fault && request.signal ? AbortSignal.any([request.signal, dropped]) : dropped
      try {
        if (resumes > 1) await sleep(backoff(resumes - 1, []), undefined, { signal }).catch(() => {})
        const rest: Rest | undefined = fault
          ? await resume({ ...request, signal }, first, received)
          : { body: first.body, size: undefined }
        if (!rest) break
        for await (const chunk of rest.body) {
          received += chunk.length
          yield chunk
        }
        if (rest.size === undefined || received === rest.size) return
        throw new LarderError('UPSTREAM_CUT', `a part ended at byte ${received} of ${rest.size}`)
      } catch (error) {
        fault = faultOf(error)
      }
      const isOver = dropped.aborted || request.signal?.aborted
      if (isOver || resumes >= retry.resumes || !isTransient(fault, repository)) break
      metrics.resumes.inc({ repository: repository.name })
    }
    throw fault
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** The request once more without conditions and ranges: a resumption brings its own. */
function unconditional(headers: RawHeaders): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (!/^(?:if-|range$)/i.test(name)) kept.push(name, headers[i + 1] as string)
  }
  return kept
}
