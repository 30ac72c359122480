import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { behind, freshPrefix } from '../storage/s3/s3-stage.js'
import { get } from '../support/http.js'
import { type InProcess, inFront } from '../support/in-process.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import type { Origin } from '../support/origin.js'
import { type RadosgwProgram, radosgwPrograms } from '../support/radosgw.js'
import { freePort, type RedisServer, startRedis } from '../support/redis.js'
import { type FaultyGateway, faultyGateway, type Gateway, openGateway } from '../support/s3-gateway.js'
import { someOrigin } from '../support/served.js'
import { type Settings, temporaryDirectory, until } from '../support/stage.js'

/** What replicas need, beside what Larder does. */
export const programs: readonly ('redis-server' | RadosgwProgram)[] = ['redis-server', ...radosgwPrograms]

/** Enough tries that a holder's death is got over; few enough that a failure shows soon. */
const patient: Settings = { retry: { attempts: 2, budget: '5s', resumes: 3 } }

const secret = 'a-secret-that-replicas-share'

export interface ReplicaOptions {
  readonly settings?: Settings
  readonly env?: Readonly<Record<string, string>>
  /** Minutes that its clock is ahead of the others'; a process of its own has one. */
  readonly ahead?: number
}

/** One remote, one Redis, one bucket: what replicas have in common. */
export interface FaultStage {
  readonly origin: Origin
  readonly redis: RedisServer
  /** Between the replicas and the bucket. */
  readonly front: FaultyGateway
  readonly bucket: ReturnType<typeof behind>
  /** What the names of objects begin with. */
  readonly prefix: string
  /** As compose wires it, in this process. */
  replica(options?: ReplicaOptions): Promise<InProcess>
  /** As many, once Redis answers all of them. */
  replicas(count: number, options?: ReplicaOptions): Promise<InProcess[]>
  /** A process of its own. */
  process(options?: ReplicaOptions): Promise<LarderProcess>
}

/** The bucket is one for a file's tests, each of which has a prefix of its own; `set` gives a test all the rest. */
export function faultStages(): { set(redisUrl?: string): Promise<FaultStage> } {
  let gateway: Gateway | undefined
  beforeAll(async () => {
    gateway = await openGateway()
  }, 300_000)
  afterAll(() => gateway?.dispose())
  return {
    set(redisUrl) {
      if (!gateway) throw new Error('there is no gateway')
      return setStage(gateway, redisUrl)
    },
  }
}

async function setStage(gateway: Gateway, redisUrl: string | undefined): Promise<FaultStage> {
  const [origin, redis, front] = await Promise.all([someOrigin(), startRedis(), faultyGateway(gateway.url)])
  const directory = await temporaryDirectory()
  const file = join(directory, 'secret')
  await writeFile(file, secret)
  onTestFinished(front.close)
  onTestFinished(() => redis.dispose())
  const prefix = freshPrefix()
  const environment = async () => {
    const port = await freePort()
    return {
      ...{ REDIS_URL: redisUrl ?? redis.url, LARDER_REDIS_DEADLINE: '500ms', LARDER_PEER_PORT: `${port}` },
      ...{ LARDER_PEER_URL: `http://127.0.0.1:${port}`, LARDER_PEER_SECRET_FILE: file },
      ...{ LARDER_S3_BUCKET: gateway.bucket, LARDER_S3_ENDPOINT: front.url, LARDER_S3_PREFIX: prefix },
    }
  }
  const replica = async ({ settings, env }: ReplicaOptions = {}) =>
    inFront(...inFrontOf(origin, settings), { ...(await environment()), ...env })
  return {
    ...{ origin, redis, front, prefix, bucket: behind(gateway), replica },
    async replicas(count, options) {
      const all: InProcess[] = []
      for (let i = 0; i < count; i += 1) all.push(await replica(options))
      for (const each of all) await sharing(each)
      return all
    },
    async process({ settings, env, ahead = 0 } = {}) {
      const [remote, raw] = inFrontOf(origin, settings)
      const larder = await startLarder({
        config: JSON.stringify({ repositories: { raw: { ...(remote !== undefined && { remote }), ...raw } } }),
        env: { ...credentials(), ...shifted(ahead), ...(await environment()), ...env },
      })
      onTestFinished(() => larder.dispose())
      await sharing(larder)
      return larder
    },
  }
}

const inFrontOf = (origin: Origin, settings: Settings = {}): [remote: string | undefined, settings: Settings] =>
  settings.type === 'hosted' ? [undefined, settings] : [origin.url, { ...patient, ...settings }]

/** Those that `openGateway` leaves in this process's environment. */
const credentials = () => ({
  AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID ?? '',
  AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY ?? '',
})

const shifted = (minutes: number) => ({
  NODE_OPTIONS: `--import=${new URL(`shifted-clock.mjs?minutes=${minutes}`, import.meta.url)}`,
})

/** Waits until a replica finds nothing wrong, Redis and the bucket included. */
export const sharing = ({ url }: { readonly url: string }) =>
  until(async () => (await get(`${url}/readyz`)).body.toString().includes('"ok"'), 'nothing is degraded')

/** Where a process serves a path of `raw`. */
export const pathAt = ({ url }: { readonly url: string }, path: string) => `${url}/repository/raw${path}`

/** Whole, and the bytes that were meant. */
export async function expectWhole(
  exchange: { readonly finished: Promise<{ readonly body: Buffer; readonly ended: string }> },
  body: Buffer,
): Promise<void> {
  const { body: received, ended } = await exchange.finished
  expect([ended, received.length, received.equals(body)]).toEqual(['end', body.length, true])
}

/** Each of them serves it, and asks nobody for it. */
export async function expectStored(origin: Origin, replicas: readonly InProcess[], path: string, body: Buffer) {
  await Promise.all(replicas.map(({ settled }) => settled()))
  const before = origin.count(path)
  for (const replica of replicas) await expectWhole(await replica.open(path), body)
  expect(origin.count(path), 'asked for what is stored').toBe(before)
}
