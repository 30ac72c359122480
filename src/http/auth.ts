import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RawHeaders } from '../caching/headers.js'
import { LarderError } from '../errors.js'
import type { Logger } from '../log.js'
import type { Attempts } from './attempts.js'

/** Tokens somebody may present. */
export interface TokenSet {
  /** The name of the token, `undefined` for one that isn't among them. */
  nameOf(secret: string): string | undefined
}

/** The tokens in force (O5). */
export interface Tokens {
  /** `undefined` where reading is anonymous. */
  readonly reading: TokenSet | undefined
  /** May upload and delete, as `admin` may, and read. `undefined` where none are configured. */
  readonly writing: TokenSet | undefined
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
    const { reading, writing, admin } = tokens()
    if (authorization === undefined && !reading) return rawHeaders
    const secret = presentedToken(authorization)
    const ours = secret !== undefined && [reading, writing, admin].some((set) => set?.nameOf(secret) !== undefined)
    if (reading && !ours)
      throw new LarderError('UNAUTHORIZED', 'reading needs a token, and none that is known was sent')
    return ours ? withoutAuthorization(rawHeaders) : rawHeaders
  }
}

/** The name of the token that lets a request upload or delete. Throws `UNAUTHORIZED`, `TOO_MANY_ATTEMPTS`. */
export type AdmitWriter = (request: IncomingMessage) => string

export function createAdmitWriter(tokens: () => Tokens, attempts: Attempts, log: Logger): AdmitWriter {
  return ({ headers: { authorization }, socket: { remoteAddress: client = '' } }) => {
    const { writing, admin } = tokens()
    const secret = presentedToken(authorization)
    if (secret === undefined)
      throw new LarderError('UNAUTHORIZED', 'uploading and deleting need a token that may write')
    const name = attempts.nameOf(client, secret, writing ? [writing, admin] : [admin])
    if (name !== undefined) return name
    log.warn({ client }, 'wrong token for an upload or deletion')
    throw new LarderError('UNAUTHORIZED', 'the token may not upload or delete')
  }
}

const withoutAuthorization = (fields: RawHeaders): RawHeaders =>
  fields.filter((_, i) => fields[i - (i % 2)]?.toLowerCase() !== 'authorization')
