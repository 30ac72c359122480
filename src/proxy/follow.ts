import { field } from '../caching/headers.js'
import { contentRange } from '../caching/integrity.js'
import type { ByteRange } from '../caching/preconditions.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { StagedBody } from '../storage/staging.js'
import { type AloneOptions, orElse, readAlone } from './alone.js'

/** A range that begins this many bytes ahead of the fill is fetched out of turn (C5). */
const farAhead = 32 * 1024 * 1024

export interface FollowOptions extends AloneOptions {
  readonly body: StagedBody
  readonly range: ByteRange | undefined
}

/** Fills that have a range of their own under way: one at a time each. */
const detours = new WeakSet<StagedBody>()

/**
 * Reads a body that is coming in, by a detour where its range is far ahead and the remote can tell the same version. A pinned
 * body takes none, for what it brings may not be proven; and where the fill finds no room each goes on alone (K7).
 */
export function followFill(options: FollowOptions): OpenBody {
  const { body, range, proof } = options
  const along = orElse(body.follow(), 'NO_ROOM', () => readAlone(options))
  if (!range || range.start < body.received + farAhead || proof.demanded) return along
  const etag = field(options.first.headers, 'etag')
  if (!etag?.startsWith('"') || detours.has(body)) return along
  return detour(options, range, etag, along)
}

/** The range by a request of its own, bound to the version by `If-Match`; whatever goes wrong, the fill comes by later. */
function detour({ body, source, headers }: FollowOptions, range: ByteRange, etag: string, along: OpenBody): OpenBody {
  detours.add(body)
  const abort = new AbortController()
  const chunks = rangeChunks()
  let rest: Uint8Array = new Uint8Array()
  let at = range.start
  let lost = false

  async function* rangeChunks(): AsyncGenerator<Uint8Array> {
    const response = await source.open({
      method: 'GET',
      headers: [...headers, 'Range', `bytes=${range.start}-${range.end}`, 'If-Match', etag],
      attempts: 1,
      signal: abort.signal,
    })
    const got = contentRange(field(response.headers, 'content-range'))
    const same = response.status === 206 && got?.start === range.start && got.end === range.end
    if (same && field(response.headers, 'etag') === etag) yield* response.body
    else response.discard()
  }

  const next = async () => {
    const { value, done } = await chunks.next().catch(() => ({ value: undefined, done: true }) as const)
    if (done || !value) lost = true
    else rest = value
  }

  return {
    async read(into, position) {
      if (rest.length === 0 && !lost && position === at) await next()
      if (lost || position !== at || rest.length === 0) return along.read(into, position)
      const part = rest.subarray(0, into.length)
      into.set(part)
      rest = rest.subarray(part.length)
      at += part.length
      return part.length
    },
    close() {
      detours.delete(body)
      abort.abort()
      along.close()
    },
  }
}
