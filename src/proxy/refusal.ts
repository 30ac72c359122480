import type { RawHeaders } from '../caching/headers.js'
import type { Repository } from '../caching/repository.js'
import { LarderError } from '../errors.js'
import { isSuccess } from './receive.js'
import { retryAfter } from './retry-after.js'

/** A plain shared cache passes whatever the remote says; an artifact is a success. */
export const passes = ({ profile }: Repository, status: number): boolean => profile === 'rfc9111' || isSuccess(status)

/** What a status that brings no artifact means for whoever asked (C9). */
export type Refusal =
  | { readonly kind: 'absent'; readonly status: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'trouble'; readonly error: LarderError }

export function classifyRefusal(status: number, headers: RawHeaders): Refusal {
  if (status === 403 || status === 404 || status === 410) return { kind: 'absent', status }
  const asked = retryAfter(headers)
  const trouble = (code: LarderError['code'], message: string): Refusal => ({
    kind: 'trouble',
    error: new LarderError(code, message, { status, ...(asked !== undefined && { retryAfter: asked }) }),
  })
  if (status === 401 || status === 407)
    return trouble('UPSTREAM_UNAUTHORIZED', `the remote wants credentials: ${status}`)
  if (status === 408 || status === 429 || status === 503) {
    return trouble('UPSTREAM_OVERLOADED', `the remote asks for patience: ${status}`)
  }
  if (status === 508) return trouble('LOOP_DETECTED', 'the way to the remote leads back through here: 508')
  if (status === 504) return trouble('UPSTREAM_TIMEOUT', 'the remote is a gateway and timed out itself: 504')
  if (status >= 500) return trouble('UPSTREAM_STATUS', `the remote failed: ${status}`)
  if (status >= 400) return { kind: 'refused', status }
  return trouble('UPSTREAM_INVALID', `the remote answered ${status} where an artifact was asked for`)
}

/** The same as an error. Of what was never uploaded no remote has said that it is not there. */
export function whyNot(refusal: Refusal, { type }: Repository): LarderError {
  if (refusal.kind === 'trouble') return refusal.error
  const { kind, status } = refusal
  if (kind === 'absent' && type === 'hosted') return new LarderError('ARTIFACT_UNKNOWN', 'nothing was uploaded there')
  const code = kind === 'absent' ? 'UPSTREAM_ABSENT' : 'UPSTREAM_REFUSED'
  return new LarderError(code, `the remote answered ${status}`, { status })
}

/** Whether a stored copy stays in service although the remote answered `refusal` (K3). */
export function sparesCopy(refusal: Refusal, keepOnUpstreamMissing: boolean): boolean {
  if (refusal.kind === 'refused') return false
  if (refusal.kind === 'absent') return keepOnUpstreamMissing
  return keepOnUpstreamMissing || !keepsOnlyIfAsked.has(refusal.error.status ?? 0)
}

const keepsOnlyIfAsked: ReadonlySet<number> = new Set([401, 429])
