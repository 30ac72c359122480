import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { createAdministration } from '../../src/administration/administration.js'
import { createTasks } from '../../src/administration/tasks.js'
import { createWarmJobs } from '../../src/administration/warm-jobs.js'
import type { StoredRecord } from '../../src/caching/record.js'
import type { Selection } from '../../src/caching/selection.js'
import { selectionId, selects } from '../../src/caching/selection.js'
import { parseConfig } from '../../src/config/load.js'
import { repositoryIndex } from '../../src/config/repositories.js'
import { LarderError } from '../../src/errors.js'
import { adminBase, createAdmin } from '../../src/http/admin/admin.js'
import { createAttempts } from '../../src/http/attempts.js'
import { createTokenSet } from '../../src/http/auth.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import { createAvailability } from '../../src/proxy/availability.js'
import type { Warmed, WarmRequest } from '../../src/proxy/warm.js'
import { noBulletin } from '../../src/storage/bulletin.js'
import type { VerifyOptions, VerifyProgress } from '../../src/storage/verify.js'
import { stored } from '../caching/fixtures.js'
import type { LogLine } from '../support/larder.js'

const adminToken = 'an-admin-token-of-the-tests'

export const bearer = (token = adminToken) => ({ Authorization: `Bearer ${token}` })

const config = parseConfig(
  JSON.stringify({
    repositories: {
      raw: { remote: 'https://remote.test/base', aliases: ['remote.test'] },
      other: { remote: 'https://other.test' },
    },
  }),
  'repositories.yaml',
  {},
)

/** A store in memory that notes what it was asked. */
function memoryStore() {
  const records = new Map<string, StoredRecord>()
  const pins = new Map<string, Selection>()
  const purges: { selection: Selection; soft: boolean }[] = []
  let verify = async (_: VerifyOptions): Promise<VerifyProgress> => ({ checked: 0, bytes: 0, damaged: 0 })
  return {
    purges,
    put(key: string, headers: readonly string[] = []) {
      const response = stored(headers, { responseTime: Date.now(), requestTime: Date.now() })
      records.set(key, { key, version: 1, epoch: 0, remote: 'https://remote.test/base', variants: [response] })
    },
    verifyBy(work: typeof verify) {
      verify = work
    },
    warming: {
      ensure: async ({ target }: WarmRequest): Promise<Warmed> =>
        target.includes('missing')
          ? { kind: 'failed', error: new LarderError('UPSTREAM_ABSENT', 'the remote answered 404', { status: 404 }) }
          : { kind: 'ready', how: 'fetched', bytes: 3 },
      read: async () => new TextEncoder().encode(''),
    },
    store: {
      async *list(prefix: string, after = '') {
        const keys = [...records.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
        for (const key of keys) yield records.get(key) as StoredRecord
      },
      lookup: (key: string) => records.get(key),
      totals: () => ({ records: records.size, bytes: 3 * records.size }),
      lastUse: () => undefined,
      isPinned: (key: string) => [...pins.values()].some((selection) => selects(selection)(key)),
      async purge(selection: Selection, { soft }: { soft: boolean }) {
        purges.push({ selection, soft })
        return { records: 1, bytes: 3 }
      },
      async pin(selection: Selection) {
        pins.set(selectionId(selection), selection)
      },
      unpin: async (selection: Selection) => pins.delete(selectionId(selection)),
      pins: () => [...pins.values()],
      verify: (options: VerifyOptions = {}) => verify(options),
      open: async () => undefined,
      takeIn() {
        throw new Error('nothing is imported here')
      },
      gc: async () => ({ blobs: 2, purges: 0, unused: 0 }),
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests compare it as a whole
  readonly body: any
}

/** The API as the server mounts it, on a store in memory, without sockets. */
export function adminStage() {
  const memory = memoryStore()
  const logs: LogLine[] = []
  const log = createLog('info', { write: (line) => void logs.push(JSON.parse(line) as LogLine) })
  const metrics = createMetrics()
  const tasks = createTasks(log)
  const shelves = { repositories: () => config.repositories, find: repositoryIndex(config.repositories) }
  const warmJobs = createWarmJobs({ ...shelves, warming: memory.warming, tasks, metrics })
  const administration = createAdministration({
    ...shelves,
    store: memory.store,
    availability: createAvailability({ bulletin: noBulletin, repositories: () => [], metrics, log }),
    tasks,
    warmJobs,
    ...{ bulletin: noBulletin, metrics, log },
    measure: async () => {},
    foresee: async () => ({ action: 'fetch', cache: { outcome: 'miss' }, known: undefined }),
  })
  const admin = createTokenSet([{ name: 'ops', secret: adminToken }])
  const reading = createTokenSet([{ name: 'ci', secret: 'a-token-that-may-read' }])
  const api = createAdmin({
    administration,
    tokens: () => ({ reading, writing: undefined, admin }),
    attempts: createAttempts(),
    unhurried() {},
    log,
    version: '0.0.0-test',
  })
  const app = new Hono<{ Bindings: HttpBindings }>().route(`${adminBase}/`, api)

  const call = async (
    method: string,
    route: string,
    { body, headers = bearer(), from = '192.0.2.1' }: CallOptions = {},
  ): Promise<Answer> => {
    const path = adminBase + route
    const json = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const init = { method, headers: { ...(json && { 'Content-Type': 'application/json' }), ...headers } }
    const env = { incoming: { url: path, socket: { remoteAddress: from } } } as unknown as HttpBindings
    const response = await app.request(path, { ...init, ...(json !== undefined && { body: json }) }, env)
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }
  return { ...memory, call, logs, metrics, tasks }
}

interface CallOptions {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly from?: string
}
