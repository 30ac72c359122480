import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import type { Repository } from '../caching/repository.js'
import type { Settings } from '../config/environment.js'
import { createGotUpstream } from '../upstream/got-upstream.js'
import type { Upstream } from '../upstream/upstream.js'

/** The way out to the remotes, as the process's settings have it. */
export async function openUpstream(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  repositories: () => readonly Repository[],
): Promise<Upstream> {
  const ca = await trusted(settings.caFile, env)
  return createGotUpstream({
    egress: settings.egress,
    ...(ca && { ca }),
    configuredRemotes: () => repositories().flatMap(({ remotes }) => remotes.map(({ url }) => url)),
  })
}

/** The public roots, those Node was given by its own variable, and ours: giving a list replaces all others. */
async function trusted(caFile: string | undefined, env: NodeJS.ProcessEnv): Promise<string[] | undefined> {
  const files = [caFile, env.NODE_EXTRA_CA_CERTS].filter((file): file is string => file !== undefined && file !== '')
  if (files.length === 0) return undefined
  return [...rootCertificates, ...(await Promise.all(files.map((file) => readFile(file, 'utf8'))))]
}
