import { lookup } from 'node:dns/promises'
import type { Remote, Repository } from '../caching/repository.js'
import { isLarderError } from '../errors.js'
import type { Upstream, UpstreamResponse } from '../upstream/upstream.js'

/** What came of asking one remote. */
export interface Probe {
  readonly repository: string
  readonly url: string
  /** What its name stands for; behind a proxy, which looks it up itself, this may know nothing. */
  readonly addresses: readonly string[]
  readonly status: number | null
  readonly redirected: boolean
  /** Until the head of the answer was here. */
  readonly milliseconds: number
  /** Whether it sends parts; `null` where what was asked for is not there. */
  readonly ranges: boolean | null
  readonly fault: string | null
}

/** Asks a remote for a byte of what is at `target`. */
export async function probe(
  upstream: Upstream,
  repository: Repository,
  remote: Remote,
  target: string,
): Promise<Probe> {
  const about = { repository: repository.name, url: remote.url + target, addresses: await addressesOf(remote) }
  const began = performance.now()
  const milliseconds = () => Math.round(performance.now() - began)
  let redirected = false
  const ask = (maxRedirects: number): Promise<UpstreamResponse> =>
    upstream.fetch({
      ...{ method: 'GET', remote, target },
      headers: ['Accept', '*/*', 'Accept-Encoding', 'identity', 'Range', 'bytes=0-0'],
      policy: { ...repository.upstream, maxRedirects },
    })
  try {
    const answer = await ask(0).catch((error: unknown) => {
      if (!isLarderError(error) || error.code !== 'REDIRECT_LIMIT') throw error
      redirected = true
      return ask(repository.upstream.maxRedirects)
    })
    answer.discard()
    const { status } = answer
    const ranges = status === 206 || status === 200 ? status === 206 : null
    return { ...about, status, redirected, milliseconds: milliseconds(), ranges, fault: null }
  } catch (error) {
    if (!isLarderError(error)) throw error
    const fault = `${error.code}: ${error.message}`
    return { ...about, status: null, redirected, milliseconds: milliseconds(), ranges: null, fault }
  }
}

async function addressesOf({ url }: Remote): Promise<readonly string[]> {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
