import { join } from 'node:path'
import { run } from './http.js'
import type { Certificate } from './stage.js'

export interface Authority {
  /** Path of its own certificate, PEM. */
  readonly ca: string
  /** Writes a certificate it has signed; `names` as in `DNS:host` and `IP:address`. */
  issue(name: string, names: readonly string[]): Promise<Certificate>
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

/** A certificate authority whose files live in `directory`. */
export async function createAuthority(directory: string): Promise<Authority> {
  const file = (name: string) => join(directory, name)
  const ca = file('ca.pem')
  const caKey = file('ca.key')
  await request('-subj', '/CN=The authority', '-out', ca, '-keyout', caKey)
  return {
    ca,
    async issue(name, names) {
      const [cert, key] = [file(`${name}.pem`), file(`${name}.key`)]
      const extensions = ['-addext', `subjectAltName=${names.join(',')}`, '-addext', 'basicConstraints=CA:FALSE']
      await request('-CA', ca, '-CAkey', caKey, ...extensions, '-subj', `/CN=${name}`, '-out', cert, '-keyout', key)
      return { cert, key }
    },
  }
}

async function request(...args: string[]): Promise<void> {
  const made = await run('openssl', ['req', '-x509', ...curve, ...args])
  if (made.code !== 0) throw new Error(made.stderr)
}
