import { createHash } from 'node:crypto'
import tls from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { RemoteAccess } from '../caching/repository.js'
import { type Connections, createConnections } from './connections.js'
import { type Egress, ownProxy, proxyChoice } from './egress.js'

/** More ways of connecting than that are not kept; one that is forgotten ends its connections when they are idle. */
const most = 256

export interface Pools {
  /** The connections to a remote itself: they may show its client certificate. */
  toRemote(access: RemoteAccess): Connections
  /** Those to where it redirects: the same authorities and egress proxy, but no certificate (U5). */
  elsewhere(access: RemoteAccess): Connections
  close(): void
}

/** A pool for each way of connecting, shared by the repositories that have it in common, also after a reload. */
export function createPools(ca: readonly string[] | undefined, egress: Egress): Pools {
  const processChoice = proxyChoice(egress)
  const known = new LRUCache<string, Connections>({ max: most })

  function pool(access: RemoteAccess, clientCertificate: RemoteAccess['clientCertificate']): Connections {
    const key = digest([access.ca, access.proxy, clientCertificate?.cert, clientCertificate?.key])
    const existing = known.get(key)
    if (existing !== undefined) return existing
    const connections = createConnections({
      ca: access.ca === undefined ? ca : [...(ca ?? tls.rootCertificates), access.ca],
      clientCertificate,
      proxyFor: access.proxy === undefined ? processChoice : ownProxy(access.proxy),
    })
    known.set(key, connections)
    return connections
  }

  return {
    toRemote: (access) => pool(access, access.clientCertificate),
    elsewhere: (access) => pool(access, undefined),
    close() {
      for (const connections of known.values()) connections.close()
    },
  }
}

/** So that no key or password is held as a name. */
const digest = (parts: readonly (string | undefined)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64')
