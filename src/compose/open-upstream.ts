import type { Repository } from '../caching/repository.js'
import type { Settings } from '../config/environment.js'
import { createGotUpstream } from '../upstream/got-upstream.js'
import type { Upstream } from '../upstream/upstream.js'
import { trustedCertificates } from './trusted-certificates.js'

/** The way out to the remotes, as the process's settings have it. */
export async function openUpstream(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  repositories: () => readonly Repository[],
): Promise<Upstream> {
  const ca = await trustedCertificates(settings.caFile, env)
  return createGotUpstream({
    egress: settings.egress,
    ...(ca && { ca }),
    configuredRemotes: () => repositories().flatMap(({ remotes }) => remotes.map(({ url }) => url)),
  })
}
