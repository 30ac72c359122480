import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export interface Identity {
  /** Paths of PEM files. */
  readonly cert: string
  readonly key: string
}

/** Makes a self-signed certificate and its key, both named `name`, in `directory`; it is good for loopback addresses too. */
export function makeIdentity(directory: string, name: string): Identity {
  const cert = join(directory, `${name}.pem`)
  const key = join(directory, `${name}.key`)
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const names = ['-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`]
  execFileSync('openssl', [...request, '-subj', `/CN=${name}`, ...names, '-out', cert, '-keyout', key], {
    stdio: 'ignore',
  })
  return { cert, key }
}
