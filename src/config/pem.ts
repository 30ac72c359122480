import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

/** The certificates of a PEM text; `undefined` where it holds none, or one that can't be parsed. */
export function certificatesIn(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.length === 0 ? undefined : blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

/** The private key of a PEM text; `undefined` where it holds none, or one that wants a passphrase. */
export function privateKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** Whether `key` is the key to the first, the owner's, certificate of `cert`; both can be parsed. */
export function keyFits(cert: string, key: string): boolean {
  const parsedKey = privateKeyIn(key)
  return parsedKey !== undefined && certificatesIn(cert)?.[0]?.checkPrivateKey(parsedKey) === true
}
