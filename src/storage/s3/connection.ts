import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { isLarderError, type LarderError } from '../../errors.js'
import type { Logger } from '../../log.js'
import { isRefusal } from './answers.js'
import { createAsk, type Gate } from './asking.js'
import { type Bucket, openBucket } from './bucket.js'
import { createBucketHealth } from './bucket-health.js'
import { type Dialect, learnDialect, quoted, unusable } from './dialect.js'
import type { Layout } from './layout.js'
import type { UploadOptions } from './upload.js'

export interface S3Settings {
  readonly bucket: string
  /** `undefined` for AWS. */
  readonly endpoint: string | undefined
  readonly region: string
  /** What all names begin with; several stores may share a bucket. */
  readonly prefix: string
  readonly pathStyle: boolean
}

/** Milliseconds, all of them. */
export interface Reaction {
  /** Until a bucket that did not answer is tried again. */
  readonly retryAfter: number
  /** One try of a request, to its head, or to its end where it is small. */
  readonly deadline: number
  /** The same, for what a client waits for. */
  readonly soon: number
}

export interface ConnectionOptions {
  readonly settings: S3Settings
  readonly layout: Layout
  /** PEM, trusted instead of the public authorities. */
  readonly ca?: readonly string[]
  readonly log: Logger
  readonly pace: Reaction
}

const attempts = 3

const attemptsSoon = 2

/** Requests at a time: bodies that slow clients take keep theirs. */
const connections = 512

/** ms */
const connectionTimeout = 2000

/** Resolves when the bucket has passed its first trial, or did not answer. Throws `STORE_UNUSABLE`. */
export async function connect({ settings, layout, ca, log, pace }: ConnectionOptions) {
  const { bucket: name } = settings
  const { deadline } = pace
  const client = createClient(settings, ca)
  const health = createBucketHealth(log, pace.retryAfter)
  const ask = createAsk(health, { deadline, attempts })
  const anyway = createAsk(always, { deadline, attempts: attemptsSoon })
  const where = { client, bucket: name }
  const dialect: Dialect = { ifMatch: quoted }
  const speaking = (dialect: Dialect) => openBucket({ ...where, soon: {}, ask: anyway, dialect })
  const checkFormat = createFormatCheck(speaking(dialect), layout)
  const trial = async () => {
    dialect.ifMatch = (await learnDialect(speaking, layout.trials)).ifMatch
    await speaking(dialect).list(layout.trials).next()
    await checkFormat()
  }
  const close = () => {
    health.close()
    client.destroy()
  }
  await health.watch(trial).catch((error) => {
    if (!toBeMended(error)) return health.failed(error)
    close()
    throw error.code === 'STORE_UNUSABLE' ? error : unusable('refuses us', error)
  })
  const soon = { deadline: pace.soon, attempts: attemptsSoon }
  const uploading: UploadOptions = { ...where, ask, askAnyway: anyway }
  return { bucket: openBucket({ ...where, soon, ask, dialect }), uploading, health, close }
}

/** Nothing is kept from it: for trials, which are made because the bucket did not answer. */
const always: Gate = { requireOpen() {}, failed() {} }

function createClient({ endpoint, region, pathStyle }: S3Settings, ca: readonly string[] | undefined): S3Client {
  const agent = { keepAlive: true, maxSockets: connections }
  return new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...{ region, forcePathStyle: pathStyle },
    // Retries are ours, and so are checksums: gateways other than AWS's store what the SDK wraps around a body.
    maxAttempts: 1,
    // It would write to standard error of what is tried again.
    logger: silent,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(ca && { ca: [...ca] }) }),
    },
  })
}

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

const format = 1

/** Lays the store out where it is not, once; another version's is left alone. */
function createFormatCheck(bucket: Bucket, layout: Layout) {
  const ours = JSON.stringify({ format })
  let isLaidOut = false
  return async () => {
    if (isLaidOut) return
    await bucket.put(layout.format, Buffer.from(ours), { tag: undefined })
    const found = await bucket.get(layout.format)
    const text = typeof found === 'object' ? found.bytes.toString() : ''
    if (text !== ours) throw unusable(`has ${layout.format} with ${JSON.stringify(text)}; this version reads ${ours}`)
    isLaidOut = true
  }
}

const toBeMended = (error: unknown): error is LarderError =>
  isLarderError(error) && (error.code === 'STORE_UNUSABLE' || isRefusal(error.cause))
