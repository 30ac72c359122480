import { randomUUID } from 'node:crypto'
import type { Settings } from '../config/environment.js'
import type { Logger } from '../log.js'
import type { Metrics } from '../metrics.js'
import { createHttpPeers } from '../peers/http-peers.js'
import { createReplicas, noReplicas, type Replicas } from '../proxy/replicas.js'
import type { SharedCache } from '../storage/shared-cache.js'
import { trustedCertificates } from './trusted-certificates.js'

export interface ReplicasSettings {
  readonly settings: Settings
  readonly env: NodeJS.ProcessEnv
  readonly shared: SharedCache | undefined
  readonly secrets: () => readonly string[]
  readonly metrics: Metrics
  readonly log: Logger
}

/** Milliseconds within which a peer says whether it has a fill; who waits longer fetches for himself. */
const patience = 500

/** Milliseconds that a fill which is followed may bring nothing: as long as a remote may, unless told otherwise. */
const stall = 30_000

/** One fill for all replicas (C6), where they can reach each other. */
export async function openReplicas({ settings, env, secrets, ...deps }: ReplicasSettings): Promise<Replicas> {
  const { shared, log } = deps
  if (!shared || !settings.peer) return noReplicas
  const ca = await trustedCertificates(settings.caFile, env)
  const secret = () => secrets()[0] ?? ''
  const peers = createHttpPeers({ secret, ...(ca && { ca }), patience, stall, log })
  return createReplicas({ ...deps, shared, peers, self: { id: randomUUID(), url: settings.peer.url } })
}
