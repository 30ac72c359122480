import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { guardedLookup, reachOf, reachOfHost, redirectGuard, refused } from './address-guard.js'
import { withCredentials } from './credentials.js'
import type { Egress } from './egress.js'
import { type Exchange, exchange } from './exchange.js'
import { createGates } from './gates.js'
import { createPools } from './pools.js'
import { firstHop, followRedirects, type Hop } from './redirects.js'
import type { Upstream, UpstreamRequest } from './upstream.js'

export interface GotUpstreamOptions {
  readonly egress: Egress
  /** The complete list of trusted authorities, PEM; Node's own where undefined. */
  readonly ca?: readonly string[]
  /** URLs of all remotes as configured now; redirects to their hosts are always followed. */
  readonly configuredRemotes: () => readonly string[]
  /** Resolves names; the system's resolver unless given. */
  readonly lookup?: LookupFunction
}

/** The driver over got. `fetch` rejects with the signal's reason when the request's signal aborts. */
export function createGotUpstream(options: GotUpstreamOptions): Upstream {
  const { lookup = systemLookup as LookupFunction, configuredRemotes } = options
  const pools = createPools(options.ca, options.egress)
  const gates = createGates()

  /** Our own remotes are trusted by configuration: nothing is guarded, and they get their credentials. */
  async function sendToRemote(request: UpstreamRequest, hop: Hop): Promise<Exchange> {
    const { access } = request.remote
    const { policy, signal } = request
    const entry = { origin: hop.origin, limit: access.maxConnections, patience: policy.timeout.headers, signal }
    const over = await gates.enter(entry)
    try {
      const headers = await withCredentials(hop.headers, access, { method: request.method, ...hop })
      const sent = { ...wire(request, hop), headers, guarded: false, lookup, refusalOf: () => undefined, over }
      return await exchange(pools.toRemote(access), sent)
    } catch (error) {
      over()
      throw error
    }
  }

  function sendElsewhere(request: UpstreamRequest, hop: Hop, from: 'public' | 'private'): Promise<Exchange> {
    const { host } = hop.origin
    const { allow } = request.policy.redirects
    const guard = redirectGuard(hop.origin, { from, allow, remotes: configuredRemotes() })
    if (!guard.admitsUrl()) throw refused(host)
    const connections = pools.elsewhere(request.remote.access)
    // Behind an egress proxy the address is the proxy's own; only the URL can be judged.
    const proxied = connections.proxyOf(hop.origin) !== undefined
    return exchange(connections, {
      ...wire(request, hop),
      guarded: true,
      lookup: proxied ? lookup : guardedLookup(lookup, guard),
      refusalOf: (address) => (proxied || guard.admitsAddress(address) ? undefined : refused(host)),
      over: () => {},
    })
  }

  return {
    fetch: (request) =>
      followRedirects<Exchange>(
        firstHop(request.remote.url, request.target, request.headers),
        request.policy.maxRedirects,
        async (hop, previous) =>
          hop.own || previous === undefined
            ? sendToRemote(request, hop)
            : sendElsewhere(request, hop, reachOfRemote(previous.hop, previous.answer)),
      ),
    close: pools.close,
  }
}

const wire = ({ method, policy, signal }: UpstreamRequest, { origin, path, headers }: Hop) => ({
  method,
  origin,
  path,
  headers,
  timeout: policy.timeout,
  signal,
})

/** By the address really connected to; where there is none to see, a host that doesn't look private is taken as public. */
function reachOfRemote({ origin }: Hop, { address }: Exchange): 'public' | 'private' {
  const reach = address === undefined ? (reachOfHost(origin) ?? 'public') : reachOf(address)
  return reach === 'public' ? 'public' : 'private'
}
