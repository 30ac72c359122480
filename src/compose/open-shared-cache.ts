import type { Settings } from '../config/environment.js'
import type { Logger } from '../log.js'
import type { SharedCache } from '../storage/shared-cache.js'
import { trustedCertificates } from './trusted-certificates.js'

/** What replicas share, where the settings name a Redis. Its client, a good part of a start, is loaded only then. */
export async function openSharedCache(
  { redis, redisDeadline: deadline, caFile }: Settings,
  env: NodeJS.ProcessEnv,
  log: Logger,
): Promise<SharedCache | undefined> {
  if (!redis) return undefined
  const { connectKeyvSharedCache } = await import('../storage/keyv/keyv-shared-cache.js')
  return connectKeyvSharedCache({ redis, ca: await trustedCertificates(caFile, env), deadline, log })
}
