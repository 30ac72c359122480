import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * What a replica shows its peers, for one fill: made of a secret they share, which itself never goes over the wire. Whoever
 * overhears it can follow that fill again, as any client can that may read the artifact.
 */
export const passFor = (secret: string, id: string): string =>
  createHmac('sha256', secret).update(`follow ${id}`).digest('hex')

/** Any of the secrets will do: while one replaces another, both are in use. */
export function isPass(secrets: readonly string[], id: string, shown: string): boolean {
  const given = Buffer.from(shown)
  return secrets
    .map((secret) => Buffer.from(passFor(secret, id)))
    .map((pass) => pass.length === given.length && timingSafeEqual(pass, given))
    .includes(true)
}
