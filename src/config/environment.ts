import type { RedisPlace } from '../storage/redis-place.js'
import { ConfigError, type Fault } from './config-error.js'
import { type EnvironmentValues, environment, type StoreCap, variables } from './environment-schema.js'
import { issueMessage, suggestion, wrong } from './wording.js'

/** The settings of the process. Durations in milliseconds. */
export interface Settings {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly dataDirectory: string
  readonly configFile: string
  readonly tls: { readonly cert: string; readonly key: string; readonly port: number } | undefined
  /** PEM bundle of certificate authorities trusted beside the public ones. */
  readonly caFile: string | undefined
  /** Reading artifacts needs one of its tokens; `undefined` where reading is anonymous (O5). */
  readonly readTokensFile: string | undefined
  /** Its tokens may upload to hosted repositories and delete from them, and read. */
  readonly writeTokensFile: string | undefined
  /** `undefined` for the token that is made in the data directory. */
  readonly adminTokenFile: string | undefined
  /** What replicas share. */
  readonly redis: RedisPlace | undefined
  readonly redisDeadline: number
  /** How the replicas reach this one, and know it is they; `undefined` where each fetches for itself. */
  readonly peer: PeerSettings | undefined
  /** The bucket that holds the store; `undefined` where the data directory does. */
  readonly s3: S3Settings | undefined
  /** `stdout`, `off` or the path of a file. */
  readonly accessLog: string
  readonly logLevel: EnvironmentValues['LARDER_LOG_LEVEL']
  readonly shutdownGrace: number
  /** How long a client may take no byte before it is reset. */
  readonly clientTimeout: number
  readonly maxConnections: number
  /** Bytes of records kept in memory. */
  readonly hotBytes: number
  /** Cap of the whole store (K6). */
  readonly maxSize: StoreCap
  readonly egress: { readonly httpProxy?: string; readonly httpsProxy?: string; readonly noProxy: readonly string[] }
}

interface PeerSettings {
  readonly url: string
  readonly secretFile: string
  /** Where they are listened to. */
  readonly port: number
  readonly secure: boolean
}

interface S3Settings {
  readonly bucket: string
  /** `undefined` for AWS. */
  readonly endpoint: string | undefined
  readonly region: string
  readonly prefix: string
  readonly pathStyle: boolean
  /** Bytes the bucket may hold; `Infinity` for no cap. */
  readonly maxSize: number
}

/** Throws `ConfigError` with every fault found; no value is printed, for it may hold a secret. */
export function readEnvironment(env: NodeJS.ProcessEnv): Settings {
  const given = givenVariables(env)
  const values = Object.fromEntries(given.map(({ variable, value }) => [variable, value]))
  const writtenAs = new Map(given.map(({ variable, name }) => [variable, name]))
  const parsed = environment.safeParse(values, { error: issueMessage })
  const faults = [
    ...(parsed.error?.issues ?? []).map(({ path, message }) => {
      const variable = String(path[0])
      return fault(writtenAs.get(variable) ?? variable, message)
    }),
    ...tlsFaults(values),
    ...peerFaults(values),
    ...s3Faults(values),
    ...unknownVariables(env),
  ]
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults)
  return asSettings(parsed.data)
}

const fault = (path: string, message: string): Fault => ({ file: 'environment', line: 0, column: 0, path, message })

/** An empty variable counts as unset. Proxies are also known in lower case, which wins, as it does for curl. */
function givenVariables(env: NodeJS.ProcessEnv) {
  return variables.flatMap((variable) => {
    const names = variable.endsWith('_PROXY') ? [variable.toLowerCase(), variable] : [variable]
    const name = names.find((candidate) => (env[candidate] ?? '') !== '')
    const value = name === undefined ? undefined : env[name]
    return name === undefined || value === undefined || isServiceLink(name, value) ? [] : [{ variable, name, value }]
  })
}

function tlsFaults(values: Readonly<Record<string, string>>): Fault[] {
  const { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key, LARDER_TLS_PORT: port } = values
  const missing = (name: string, other: string) => fault(name, `${wrong(undefined, `it beside ${other}`)}`)
  if (cert !== undefined && key === undefined) return [missing('LARDER_TLS_KEY', 'LARDER_TLS_CERT')]
  if (key !== undefined && cert === undefined) return [missing('LARDER_TLS_CERT', 'LARDER_TLS_KEY')]
  if (port === undefined || cert !== undefined) return []
  return [fault('LARDER_TLS_PORT', 'has no effect alone, expected LARDER_TLS_CERT and LARDER_TLS_KEY beside it')]
}

function peerFaults({
  LARDER_PEER_URL: url,
  LARDER_PEER_SECRET_FILE: secret,
  LARDER_PEER_PORT: port,
  LARDER_TLS_CERT: cert,
  REDIS_URL: redis,
}: Readonly<Record<string, string>>): Fault[] {
  const missing = (name: string, other: string) => fault(name, wrong(undefined, `it beside ${other}`))
  if (url === undefined) {
    if (secret !== undefined) return [missing('LARDER_PEER_URL', 'LARDER_PEER_SECRET_FILE')]
    return port === undefined ? [] : [missing('LARDER_PEER_URL', 'LARDER_PEER_PORT')]
  }
  const faults: Fault[] = []
  if (secret === undefined) faults.push(missing('LARDER_PEER_SECRET_FILE', 'LARDER_PEER_URL'))
  if (redis === undefined) faults.push(missing('REDIS_URL', 'LARDER_PEER_URL'))
  if (isSecure(url) && cert === undefined) faults.push(missing('LARDER_TLS_CERT', 'an https LARDER_PEER_URL'))
  return faults
}

const isSecure = (url: string): boolean => /^https:/i.test(url)

const bucketName = 'LARDER_S3_BUCKET'

function s3Faults(values: Readonly<Record<string, string>>): Fault[] {
  if (values[bucketName] !== undefined) return []
  const lost = Object.keys(values).filter((name) => name.startsWith('LARDER_S3_'))
  return lost.map((name) => fault(name, `has no effect alone, expected ${bucketName} beside it`))
}

/** A misspelt setting must not be ignored in silence. */
function unknownVariables(env: NodeJS.ProcessEnv): Fault[] {
  const names = Object.keys(env).filter((name) => name.startsWith('LARDER_') && !variables.includes(name))
  return names
    .filter((name) => !isServiceLink(name, env[name] ?? ''))
    .map((name) => fault(name, `is not a setting of this version${suggestion(name, variables)}`))
}

/**
 * Kubernetes gives each container variables for the Services of its namespace; for one called `larder` or `larder-...`
 * they look like ours (`LARDER_SERVICE_HOST`, `LARDER_PORT=tcp://10.0.0.1:80`, `LARDER_PORT_80_TCP_ADDR`).
 */
function isServiceLink(name: string, value: string): boolean {
  if (/^LARDER_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/.test(name)) return true
  return /^LARDER_(\w+_)?PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value)
}

function asSettings(values: EnvironmentValues): Settings {
  const { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key, LARDER_TLS_PORT: port } = values
  const { LARDER_PEER_URL: peerUrl, LARDER_PEER_SECRET_FILE: peerSecret } = values
  const { HTTP_PROXY: httpProxy, HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy } = values
  return Object.freeze({
    host: values.LARDER_HOST,
    port: values.LARDER_PORT,
    dataDirectory: values.LARDER_DATA,
    configFile: values.LARDER_CONFIG,
    tls: cert !== undefined && key !== undefined ? Object.freeze({ cert, key, port }) : undefined,
    caFile: values.LARDER_CA_FILE,
    readTokensFile: values.LARDER_READ_TOKENS_FILE,
    writeTokensFile: values.LARDER_WRITE_TOKENS_FILE,
    adminTokenFile: values.LARDER_ADMIN_TOKEN_FILE,
    redis: values.REDIS_URL && Object.freeze(values.REDIS_URL),
    redisDeadline: values.LARDER_REDIS_DEADLINE,
    peer:
      peerUrl !== undefined && peerSecret !== undefined
        ? Object.freeze({
            ...{ url: peerUrl, secretFile: peerSecret },
            ...{ port: values.LARDER_PEER_PORT, secure: isSecure(peerUrl) },
          })
        : undefined,
    s3: s3Settings(values),
    accessLog: values.LARDER_ACCESS_LOG,
    logLevel: values.LARDER_LOG_LEVEL,
    shutdownGrace: values.LARDER_SHUTDOWN_GRACE,
    clientTimeout: values.LARDER_CLIENT_TIMEOUT,
    maxConnections: values.LARDER_MAX_CONNECTIONS,
    hotBytes: values.LARDER_MEMORY,
    maxSize: Object.freeze(values.LARDER_MAX_SIZE),
    egress: Object.freeze({
      ...(httpProxy === undefined ? {} : { httpProxy }),
      ...(httpsProxy === undefined ? {} : { httpsProxy }),
      noProxy: Object.freeze(noProxy),
    }),
  })
}

function s3Settings(values: EnvironmentValues): S3Settings | undefined {
  const { LARDER_S3_BUCKET: bucket, LARDER_S3_ENDPOINT: endpoint } = values
  if (bucket === undefined) return undefined
  return Object.freeze({
    ...{ bucket, endpoint, region: values.LARDER_S3_REGION, prefix: values.LARDER_S3_PREFIX },
    // Names of buckets as host names are what AWS wants, and what gateways of one's own seldom have.
    pathStyle: (values.LARDER_S3_PATH_STYLE ?? String(endpoint !== undefined)) === 'true',
    maxSize: values.LARDER_S3_MAX_SIZE,
  })
}
