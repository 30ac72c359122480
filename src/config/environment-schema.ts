import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseSize, timer } from './quantities.js'
import { wrong } from './wording.js'

/** A variable that `parse` turns into its setting; `parse` answers `undefined` for what it doesn't accept. */
function variable<T>(wanted: string, parse: (text: string) => T | undefined) {
  return z.string().transform((text, context) => {
    const value = parse(text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: wrong(text, wanted) })
    return z.NEVER
  })
}

const whole = (least: number, most: number) =>
  variable(`a whole number from ${least} to ${most}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : undefined
  })

const url = (protocols: readonly string[], wanted: string) =>
  variable(wanted, (text) => {
    const usable = URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== ''
    return usable ? text : undefined
  })

const proxyUrl = url(['http:', 'https:'], 'a URL such as http://proxy.example:3128')

const file = variable('the path of a file that can be read', (path) => (read(path) === undefined ? undefined : path))

const certificates = variable(
  'the path of a readable PEM file with at least one certificate, all of them valid',
  (path) => {
    const blocks = read(path)?.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    return blocks.length > 0 && blocks.every(isCertificate) ? path : undefined
  },
)

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

const memory = variable('a size of at least 1MiB, such as 256MiB or 1GiB', (text) => {
  const size = parseSize(text)
  return size !== undefined && size >= 1024 ** 2 ? size : undefined
})

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
    .describe('PEM file with certificate authorities to trust beside the public ones when talking to remotes.'),
  REDIS_URL: url(['redis:', 'rediss:'], 'a URL that begins with redis:// or rediss://')
    .optional()
    .describe('Redis that shares records and small bodies between replicas.'),
  LARDER_REDIS_DEADLINE: timer(1)
    .prefault('50ms')
    .describe('What one call to Redis may cost before Larder goes on without it.'),
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
  HTTP_PROXY: proxyUrl
    .optional()
    .describe('Proxy towards `http` remotes. Lower case works too, and wins, for all three.'),
  HTTPS_PROXY: proxyUrl.optional().describe('Proxy towards `https` remotes.'),
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
