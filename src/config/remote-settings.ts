import { z } from 'zod'
import type { RemoteAccess, RemoteAuth } from '../caching/repository.js'
import { isHeaderName, isOwnRequestField, proxyUrl, remoteUrl } from './names.js'
import { parsed } from './parsed.js'
import { certificatesIn, keyFits, privateKeyIn } from './pem.js'
import { whole } from './quantities.js'
import { wrong } from './wording.js'

/* How a remote is reached and what it asks for (U6). What is marked `writeOnly` is secret and may be given as `file:`. */

const secret = <T>(wanted: string, parse: (text: string) => T | undefined) =>
  parsed(wanted, parse).meta({ writeOnly: true })

const fitting = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined)

const printable = /^[^\p{Cc}]+$/u
const noBlanks = /^[!-~]+$/

const basic = z.strictObject({
  username: secret('a user name without colons', fitting(/^[^\p{Cc}:]+$/u)).describe('Name of the user.'),
  password: secret('a password of one line', fitting(printable)).describe('Password of the user.'),
})

const sigv4 = z.strictObject({
  region: parsed('the name of a region, such as us-east-1', fitting(/^[a-z0-9-]+$/i)).describe('Region of the bucket.'),
  accessKeyId: secret('an access key', fitting(noBlanks)).describe('Access key.'),
  secretAccessKey: secret('a secret key', fitting(noBlanks)).describe('Secret key.'),
  sessionToken: z.exactOptional(
    secret('a session token', fitting(noBlanks)).describe('Session token, where the keys are temporary.'),
  ),
  service: z
    .exactOptional(parsed('the name of a service, such as s3', fitting(/^[a-z0-9-]+$/i)))
    .describe('Service signed for; `s3` where it is not said.'),
})

const schemes = {
  basic: z.exactOptional(basic.describe('HTTP basic authentication.')),
  bearer: z.exactOptional(
    secret('a token without blanks', fitting(noBlanks)).describe('Token sent as `Authorization: Bearer`.'),
  ),
  sigv4: z.exactOptional(sigv4.describe('AWS Signature Version 4, for private buckets.')),
}

const authWanted = 'one of basic, bearer or sigv4'

const auth = z.union(
  [
    z.literal('none'),
    z.strictObject(schemes).transform(({ basic, bearer, sigv4 }, context): RemoteAuth => {
      // An unknown scheme is a fault already.
      if (context.issues.length > 0) return z.NEVER
      const [chosen, ...others] = [
        ...(basic ? [{ scheme: 'basic', ...basic } as const] : []),
        ...(bearer ? [{ scheme: 'bearer', token: bearer } as const] : []),
        ...(sigv4 ? [{ scheme: 'sigv4', sessionToken: undefined, service: 's3', ...sigv4 } as const] : []),
      ]
      if (chosen !== undefined && others.length === 0) return chosen
      const fault = chosen === undefined ? 'names no scheme' : 'names several schemes'
      context.addIssue({ code: 'custom', message: `${fault}, expected ${authWanted}` })
      return z.NEVER
    }),
  ],
  { error: ({ input }) => wrong(input, `none or a map with ${authWanted}`) },
)

const headerName = z.string().refine((name) => isHeaderName(name) && !isOwnRequestField(name), {
  error:
    'is not accepted, expected a header field name, none that Larder sets itself or that belongs to one connection',
})

/** No blank at either end, no control character: a line break would begin another field. */
const headerValue = secret(
  'a field value: printable Latin-1 characters, no blank at its ends',
  fitting(/^[!-~\xa1-\xff](?:[\t -~\xa0-\xff]*[!-~\xa1-\xff])?$/),
)

const headers = z.record(headerName, headerValue).transform((fields, context): RemoteAccess['headers'] => {
  const names = Object.keys(fields)
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name.toLowerCase())) {
      context.addIssue({
        code: 'custom',
        path: [name],
        message: 'is here already, expected each field once in any case',
      })
    }
    seen.add(name.toLowerCase())
  }
  return Object.entries(fields).flat()
})

const pem = (wanted: string, isPem: (text: string) => boolean) =>
  parsed(`PEM with ${wanted}, or the path of such a file`, (text) => (isPem(text) ? text : undefined)).meta({
    contentMediaType: 'application/x-pem-file',
  })

const certificates = pem('at least one certificate, all of them valid', (text) => certificatesIn(text) !== undefined)
const privateKey = pem('a private key without a passphrase', (text) => privateKeyIn(text) !== undefined)

const tls = z
  .strictObject({
    ca: z.exactOptional(
      certificates.describe('Certificate authorities trusted for this remote beside all others: a PEM file.'),
    ),
    cert: z.exactOptional(certificates.describe('Client certificate, with its chain: a PEM file.')),
    key: z.exactOptional(privateKey.describe('Key of the client certificate: a PEM file.')),
  })
  .superRefine(({ cert, key }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (cert === undefined && key !== undefined) fault('cert', wrong(undefined, 'it beside key'))
    if (cert !== undefined && key === undefined) fault('key', wrong(undefined, 'it beside cert'))
    if (cert !== undefined && key !== undefined && !keyFits(cert, key)) {
      fault('key', 'does not fit the certificate, expected the key of the first one in cert')
    }
  })

/** What `defaults` may hold too; the rest must be named where it is used. */
export const sharedAccess = {
  tls: z.exactOptional(
    tls.describe('Trust and identity towards `https` remotes. Paths begin at the directory of this file.'),
  ),
  proxy: z.exactOptional(
    secret('direct or a URL such as http://proxy.example:3128', (text) =>
      text === 'direct' ? text : proxyUrl(text),
    ).describe(
      'Proxy on the way to the remote, with `user:password@` where it wants them, or `direct` for none; else the one of the environment.',
    ),
  ),
  maxConnections: z.exactOptional(
    whole(1, 10_000).describe('Connections open to the remote at a time, at most; without it, as many as are needed.'),
  ),
}

export const ownAccess = {
  auth: z.exactOptional(
    auth.describe(
      'Credentials of the remote: `{ basic: {...} }`, `{ bearer: token }` or `{ sigv4: {...} }`; `none` in an entry of `remote`.',
    ),
  ),
  headers: z.exactOptional(
    headers.describe('Header fields sent with each request to the remote, such as `X-JFrog-Art-Api`; secret.'),
  ),
  ...sharedAccess,
}

const entry = z.union(
  [
    remoteUrl.transform((url) => ({ url })),
    z.strictObject({ url: remoteUrl.describe('URL the path is appended to.'), ...ownAccess }),
  ],
  { error: ({ input }) => wrong(input, 'an http or https URL, or a map with url') },
)

const entries = z
  .array(entry)
  .min(1, { error: 'is an empty list, expected at least one remote' })
  .max(8, { error: 'is too long a list, expected at most 8 remotes' })

type AccessSettings = z.output<z.ZodObject<typeof ownAccess>>
export interface RemoteEntry extends AccessSettings {
  readonly url: string
}

export const remoteWanted = 'an http or https URL, a map with url, or a list of those'

export const remote = z
  .union([...entry.options, entries], { error: ({ input }) => wrong(input, remoteWanted) })
  .transform((written): readonly RemoteEntry[] => [written].flat())
