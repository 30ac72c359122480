import type { Received } from '../support/http.js'
import type { RemoteHistory, Version } from './remote-history.js'

/** Seconds; what the repository under test is configured with. */
export interface Rules {
  readonly maxAge: number
  readonly maxStale: number
  readonly staleWhileRevalidate: number
}

/** Seconds for which an answer may still be owed to trouble that is over: notes of it are kept for so long (K3, K4). */
export const longestNote = 20

export interface Asked {
  readonly path: string
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string>>
  /** ms of the clock that stands still. */
  readonly at: number
  /** The least version it may get: a client that was through before it began had this one. */
  readonly atLeast: number
  /** A copy known to be stored when it was asked, and to stay. */
  readonly kept: Version | undefined
  /** What the remote told up to this place counts no more: it was purged. */
  readonly purged: number
  /** The same, where a copy may still step in for a remote in trouble. */
  readonly softlyPurged: number
}

export interface Verdict {
  /** What is wrong with the answer. */
  readonly fault?: string
  /** The newest version it can be, where it is an artifact. */
  readonly version?: Version
}

/** Whether an answer is one that the rules allow, given what the remote had and said. */
export function judge(asked: Asked, answer: Received, history: RemoteHistory, rules: Rules): Verdict {
  const { path, at } = asked
  const since = at - longestNote * 1000
  // A lie about the length shows at the end of a body, and not to those who ask for the head or the beginning.
  const isLiedTo = history.failedSince(path, since, true)
  const isExcused = history.failedSince(path, since)
  if (answer.ended !== 'end') return isExcused ? {} : { fault: 'broken off, though the remote was well' }
  if (answer.status >= 400 && answer.status !== 416) {
    if (answer.body.length > 0) return { fault: `a body with ${answer.status}` }
    if (!isExcused) return { fault: `${answer.status}, though the remote was well` }
    const kept = asked.kept && history.lastTold(path, asked.kept)
    const isGoodEnough = kept && kept.at > at - (rules.maxAge + rules.maxStale) * 1000
    // Once bytes of a new version were out, there was no way back to the old one.
    return isGoodEnough && !history.failedSince(path, since, true)
      ? { fault: `${answer.status}, though a copy was stored` }
      : {}
  }
  const could = history.versions(path).filter((version) => isOf(version, asked, answer, isLiedTo))
  if (could.length === 0) return { fault: `${answer.status}: no version the remote ever had` }
  const youngest = at - (rules.maxAge + Math.max(rules.staleWhileRevalidate, isExcused ? rules.maxStale : 0)) * 1000
  const purged = Math.max(asked.purged, isExcused ? 0 : asked.softlyPurged)
  const allowed = could.filter((version) => {
    const told = history.lastTold(path, version)
    return told && told.at >= youngest && told.order > purged
  })
  const version = allowed.at(-1)
  if (!version) return { fault: `${answer.status}: version ${could.map(({ number }) => number)} is too old` }
  const isWhole = asked.method === 'GET' && answer.status !== 416
  if (isWhole && version.number < asked.atLeast) return { fault: `version ${version.number} after ${asked.atLeast}` }
  return { version }
}

/** Whether head and body agree with each other and with the version. */
function isOf(version: Version, asked: Asked, answer: Received, isLiedTo: boolean): boolean {
  const { body, etag, lastModified, sha256 } = version
  if (answer.header('etag') !== etag || answer.header('last-modified') !== lastModified) return false
  const told = answer.header('x-checksum-sha256')
  if (told !== undefined && told !== sha256) return false
  const length = answer.header('content-length')
  switch (answer.status) {
    case 200:
      if (asked.method === 'GET')
        return (length === undefined || Number(length) === body.length) && answer.body.equals(body)
      return answer.body.length === 0 && (isLiedTo || length === undefined || Number(length) === body.length)
    case 206:
      return isPart(body, answer, isLiedTo)
    case 304:
      return answer.body.length === 0 && asked.headers['If-None-Match'] === etag
    case 416:
      return isLiedTo || answer.header('content-range') === `bytes */${body.length}`
    default:
      return false
  }
}

function isPart(body: Buffer, answer: Received, isLiedTo: boolean): boolean {
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.header('content-range') ?? '') ?? []
  return (isLiedTo || Number(size) === body.length) && answer.body.equals(body.subarray(Number(start), Number(end) + 1))
}
