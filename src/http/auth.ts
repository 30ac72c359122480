import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RawHeaders } from '../caching/headers.js'
import { LarderError } from '../errors.js'

/** Tokens somebody may present. */
export interface TokenSet {
  /** The name of the token, `undefined` for one that isn't among them. */
  nameOf(secret: string): string | undefined
}

/** The tokens in force (O5). */
export interface Tokens {
  /** `undefined` where reading is anonymous. */
  readonly reading: TokenSet | undefined
  readonly admin: TokenSet
}

export function createTokenSet(tokens: readonly { readonly name: string; readonly secret: string }[]): TokenSet {
  const known = tokens.map(({ name, secret }) => ({ name, digest: digestOf(secret) }))
  return {
    nameOf(secret) {
      const presented = digestOf(secret)
      // Each one is compared, and by its digest: how long it takes says nothing of how near a guess was.
      const fitting = known.filter(({ digest }) => timingSafeEqual(digest, presented))
      return fitting[0]?.name
    },
  }
}

const digestOf = (secret: string) => createHash('sha256').update(secret).digest()

/** What an `Authorization` field presents: a bearer token, or basic credentials with the token as their password. */
export function presentedToken(authorization: string | undefined): string | undefined {
  const [, scheme, credentials = ''] = /^(bearer|basic) +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (scheme === undefined) return undefined
  if (scheme.toLowerCase() === 'bearer') return credentials
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, 'base64').toString()) ?? []
  return password
}

/**
 * The fields of an artifact request without a token of ours: it ends here, is sent to no remote and makes no answer
 * private (U1). Throws `UNAUTHORIZED` where reading needs one and none is there.
 */
export type Admit = (request: IncomingMessage) => RawHeaders

export function createAdmit(tokens: () => Tokens): Admit {
  return ({ headers: { authorization }, rawHeaders }) => {
    const { reading, admin } = tokens()
    if (authorization === undefined && !reading) return rawHeaders
    const secret = presentedToken(authorization)
    const ours = secret !== undefined && (reading?.nameOf(secret) ?? admin.nameOf(secret)) !== undefined
    if (reading && !ours)
      throw new LarderError('UNAUTHORIZED', 'reading needs a token, and none that is known was sent')
    return ours ? withoutAuthorization(rawHeaders) : rawHeaders
  }
}

const withoutAuthorization = (fields: RawHeaders): RawHeaders =>
  fields.filter((_, i) => fields[i - (i % 2)]?.toLowerCase() !== 'authorization')
