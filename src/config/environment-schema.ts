import { z } from 'zod'
import { isUrl, proxyUrl } from './names.js'
import { parsed } from './parsed.js'
import { certificatesIn } from './pem.js'
import { parseLargeSize, sizeCap, timer } from './quantities.js'
import { parseRedisUrl } from './redis-url.js'
import { readTextFile } from './text-file.js'

/** How much the store may hold: so many bytes (`Infinity` for no cap), or so much of the volume it is on. */
export type StoreCap = { readonly bytes: number } | { readonly percent: number }

const whole = (least: number, most: number) =>
  parsed(`a whole number from ${least} to ${most}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : undefined
  })

const redis = parsed(
  'a URL such as redis://host:6379/0, redis-sentinel://host:26379,host:26379/master or ' +
    'redis-cluster://host:6379,host:6379, each with user:password@ before the first host where needed, and rediss for TLS',
  parseRedisUrl,
)

const peerUrl = parsed('an http or https URL without credentials and query, such as http://10.0.0.5:8081', (text) => {
  if (!isUrl(text, ['http:', 'https:'])) return undefined
  const { username, password, search, hash } = new URL(text)
  return username + password + search + hash === '' ? text : undefined
})

const s3Endpoint = parsed('a URL that begins with http:// or https://', (text) =>
  isUrl(text, ['http:', 'https:']) ? text : undefined,
)

const bucket = parsed('the name of a bucket', (text) =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) ? text : undefined,
)

const prefix = parsed('up to 200 letters, digits and `/._-`, ending in a slash and not beginning with one', (text) =>
  text === '' || /^(?!\/)[\w./-]{0,199}\/$/.test(text) ? text : undefined,
)

const proxy = parsed('a URL such as http://proxy.example:3128', proxyUrl)

/** Larger than any certificate or list of tokens. */
const mostBytes = 16 * 1024 * 1024

const file = parsed('the path of a file that can be read', (path) =>
  'text' in readTextFile(path, mostBytes) ? path : undefined,
)

const certificates = parsed(
  'the path of a readable PEM file with at least one certificate, all of them valid',
  (path) => {
    const content = readTextFile(path, mostBytes)
    return 'text' in content && certificatesIn(content.text) !== undefined ? path : undefined
  },
)

const memory = parsed('a size of at least 1MiB, such as 256MiB or 1GiB', parseLargeSize)

const storeCap = parsed(
  'a size such as 50GiB, a share of the volume such as 90%, or unlimited',
  (text): StoreCap | undefined => {
    const [, percent] = /^([1-9]\d?|100)%$/.exec(text) ?? []
    if (percent !== undefined) return { percent: Number(percent) }
    const bytes = text === 'unlimited' ? Number.POSITIVE_INFINITY : parseLargeSize(text)
    return bytes === undefined ? undefined : { bytes }
  },
)

const list = z.string().transform((text) => text.split(/[\s,]+/).filter((entry) => entry !== ''))

/** Every setting of the process, with its default and its meaning: docs/configuration.md is made of this. */
export const environment = z.object({
  LARDER_HOST: z.string().default('0.0.0.0').describe('Address to listen on.'),
  LARDER_PORT: whole(0, 65_535).prefault('8080').describe('Port for HTTP; 0 takes any free one.'),
  LARDER_DATA: z
    .string()
    .default('./data')
    .describe('Directory of the store, on a local file system. One process owns it.'),
  LARDER_CONFIG: z.string().default('./repositories.yaml').describe('The repositories; read again when it changes.'),
  LARDER_TLS_CERT: file
    .optional()
    .describe('PEM file with the certificate chain; set together with `LARDER_TLS_KEY`, it opens a TLS listener.'),
  LARDER_TLS_KEY: file.optional().describe('PEM file with the key to it.'),
  LARDER_TLS_PORT: whole(0, 65_535).prefault('8443').describe('Port of the TLS listener; 0 takes any free one.'),
  LARDER_CA_FILE: certificates
    .optional()
    .describe(
      'PEM file with certificate authorities to trust beside the public ones when talking to remotes, Redis, the bucket and peers.',
    ),
  LARDER_READ_TOKENS_FILE: file
    .optional()
    .describe('File with the tokens that may read artifacts, one a line; without it, reading needs none.'),
  LARDER_WRITE_TOKENS_FILE: file
    .optional()
    .describe(
      'File with the tokens that may upload to hosted repositories, delete from them, and read, one a line; without it, only admin tokens may.',
    ),
  LARDER_ADMIN_TOKEN_FILE: file
    .optional()
    .describe(
      'File with the tokens that may administer, one a line; without it, one is made at `LARDER_DATA/admin-token`.',
    ),
  LARDER_SERVER: z
    .string()
    .optional()
    .describe('Command line only: URL of the server it talks to; without it, the one on this host.'),
  LARDER_TOKEN_FILE: z
    .string()
    .optional()
    .describe(
      'Command line only: file with the admin token it presents; without it, the one the server on this host has.',
    ),
  REDIS_URL: redis
    .optional()
    .describe(
      'Redis that replicas share: one server (`redis://`), the master that Sentinels name (`redis-sentinel://`), or a cluster (`redis-cluster://`); with `rediss` over TLS.',
    ),
  LARDER_REDIS_DEADLINE: timer(1)
    .prefault('50ms')
    .describe('What one call to Redis may cost before Larder goes on without it.'),
  LARDER_PEER_URL: peerUrl
    .optional()
    .describe(
      'Where the other replicas reach this one, such as `http://10.0.0.5:8081`: they follow its downloads instead of beginning their own. Needs Redis, and `LARDER_PEER_SECRET_FILE`; with `https`, `LARDER_TLS_CERT`.',
    ),
  LARDER_PEER_PORT: whole(1, 65_535)
    .prefault('8081')
    .describe('Port that `LARDER_PEER_URL` leads to, for replicas alone: opened where that is set.'),
  LARDER_PEER_SECRET_FILE: file
    .optional()
    .describe(
      'File with the secret by which replicas know each other, in the form of the tokens; while it is replaced, the old one on a second line.',
    ),
  LARDER_S3_BUCKET: bucket
    .optional()
    .describe('S3 bucket that holds the store, shared by replicas; `LARDER_DATA` then has copies and an index of it.'),
  LARDER_S3_ENDPOINT: s3Endpoint.optional().describe('URL of an S3-compatible gateway; without it, AWS.'),
  LARDER_S3_REGION: z.string().default('us-east-1').describe('Region of the bucket.'),
  LARDER_S3_PREFIX: prefix
    .prefault('')
    .describe('What the names of all objects begin with, such as `larder/`; other things may be in the bucket beside.'),
  LARDER_S3_PATH_STYLE: z
    .enum(['true', 'false'])
    .optional()
    .describe('Whether the bucket is named in the path of URLs, not in the host; `true` where an endpoint is set.'),
  LARDER_S3_MAX_SIZE: sizeCap
    .prefault('unlimited')
    .describe('What the bucket may hold: a size, or `unlimited`. `LARDER_MAX_SIZE` then caps the copies on the disk.'),
  LARDER_ACCESS_LOG: z
    .string()
    .default('stdout')
    .describe('Where a line for each request goes: `stdout`, `off`, or the path of a file.'),
  LARDER_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('The least level logged: `fatal`, `error`, `warn`, `info`, `debug`, `trace`, or `silent`.'),
  LARDER_SHUTDOWN_GRACE: timer(0).prefault('30s').describe('How long transfers may go on after SIGTERM.'),
  LARDER_CLIENT_TIMEOUT: timer(1).prefault('5m').describe('How long a client may take no byte before it is reset.'),
  LARDER_MAX_CONNECTIONS: whole(1, 1_000_000).prefault('10000').describe('Connections of clients open at a time.'),
  LARDER_MEMORY: memory.prefault('256MiB').describe('Records and small bodies kept in memory.'),
  LARDER_MAX_SIZE: storeCap
    .prefault('90%')
    .describe(
      'What the store may hold: a size, `unlimited`, or a share, such as `90%`, of what others leave of the volume at the start. The least recently used goes first.',
    ),
  HTTP_PROXY: proxy.optional().describe('Proxy towards `http` remotes. Lower case works too, and wins, for all three.'),
  HTTPS_PROXY: proxy.optional().describe('Proxy towards `https` remotes.'),
  NO_PROXY: list
    .prefault('')
    .describe(
      'Hosts reached without a proxy: names, `.suffixes`, `host:port`, addresses, CIDR ranges or `*`, separated by commas.',
    ),
})

export type EnvironmentValues = z.output<typeof environment>

/** The names of all variables. */
export const variables: readonly string[] = Object.keys(environment.shape)

interface VariableDescription {
  readonly name: string
  /** Empty where there is none. */
  readonly default: string
  readonly meaning: string
}

/** The table of the environment, for the documentation. */
export function environmentTable(): readonly VariableDescription[] {
  const { properties = {} } = z.toJSONSchema(environment, { io: 'input' })
  return Object.entries(properties).map(([name, property]) => {
    const { default: standard = '', description = '' } = property as { default?: string; description?: string }
    return { name, default: standard, meaning: description }
  })
}
