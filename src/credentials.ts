import type { Settings } from './config/environment.js'
import { loadTokens, madeAdminToken, makeAdminToken } from './config/tokens.js'
import { createTokenSet, type Tokens } from './http/auth.js'
import type { Logger } from './log.js'

export interface Credentials {
  /** Those in force. */
  current(): Tokens
  /** The secrets by which replicas know each other; the first is the one to show. */
  peerSecrets(): readonly string[]
  /** Reads the files anew. Throws `ConfigError` and keeps the old ones where they are bad. */
  reload(): Promise<void>
}

type CredentialSettings = Pick<
  Settings,
  'readTokensFile' | 'writeTokensFile' | 'adminTokenFile' | 'dataDirectory' | 'peer'
>

/** The tokens of O5, and an administrator's that is made where none is configured. Throws `ConfigError`. */
export async function openCredentials(settings: CredentialSettings, log: Logger): Promise<Credentials> {
  const load = async (): Promise<Tokens> => ({
    reading: tokensOf(settings.readTokensFile),
    writing: tokensOf(settings.writeTokensFile),
    admin: createTokenSet(await adminTokens(settings, log)),
  })
  const loadSecrets = () => (settings.peer ? loadTokens(settings.peer.secretFile).map(({ secret }) => secret) : [])
  let tokens = await load()
  let secrets = loadSecrets()
  return {
    current: () => tokens,
    peerSecrets: () => secrets,
    async reload() {
      const next = loadSecrets()
      tokens = await load()
      secrets = next
    },
  }
}

const tokensOf = (file: string | undefined) => (file === undefined ? undefined : createTokenSet(loadTokens(file)))

async function adminTokens({ adminTokenFile, dataDirectory }: CredentialSettings, log: Logger) {
  if (adminTokenFile !== undefined) return loadTokens(adminTokenFile)
  const file = madeAdminToken(dataDirectory)
  try {
    if (await makeAdminToken(file)) log.info({ file }, 'no admin token is configured: one was made')
  } catch (error) {
    // A full disk must not stop what is stored from being served (K7).
    log.error({ err: error, file }, 'cannot make an admin token; nobody can administer until a reload makes one')
    return []
  }
  return loadTokens(file)
}
