import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'

/** The public roots, those Node was given by its own variable, and ours: giving a list replaces all others. `undefined` for Node's own. */
export async function trustedCertificates(
  caFile: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string[] | undefined> {
  const files = [caFile, env.NODE_EXTRA_CA_CERTS].filter((file): file is string => file !== undefined && file !== '')
  if (files.length === 0) return undefined
  return [...rootCertificates, ...(await Promise.all(files.map((file) => readFile(file, 'utf8'))))]
}
