import { pino } from 'pino'
import type { CacheOutcome } from '../caching/cache-status.js'
import type { Metrics } from '../metrics.js'

/** What is told of a finished request: one line in the access log (O3), one count in the metrics (O2). */
export interface Access {
  readonly requestId: string
  readonly client: string
  readonly method: string
  /** A configured name, or `undefined`. */
  readonly repository: string | undefined
  /** Without the query's values. */
  readonly path: string
  readonly status: number
  readonly outcome: CacheOutcome['outcome']
  readonly collapsed: boolean
  /** Body bytes sent. */
  readonly bytes: number
  /** When the request came; ms of the monotonic clock. */
  readonly startedAt: number
  readonly code: string | undefined
  /** Who cut the answer short, if anyone did. */
  readonly abortedBy: 'client' | 'us' | undefined
}

export interface AccessLog {
  write(line: string): void
  reopen(): void
  close(): void
}

const flushEvery = 250
const bufferedBytes = 16 * 1024 - 1

/** `stdout`, `off`, or a file; lines are written in batches, at most 250 ms late. */
export function openAccessLog(destination: string): AccessLog | undefined {
  if (destination === 'off') return undefined
  const dest = destination === 'stdout' ? 1 : destination
  const out = pino.destination({ dest, sync: false, minLength: bufferedBytes, mkdir: true, append: true })
  const timer = setInterval(() => out.flush(), flushEvery).unref()
  return {
    write: (line) => out.write(line),
    reopen: () => destination !== 'stdout' && out.reopen(),
    close() {
      clearInterval(timer)
      out.flushSync()
    },
  }
}

/** Methods that get a label of their own; what else clients may invent is one. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])

/** Returns the function that tells of a finished request. */
export function createAccessRecorder(metrics: Metrics, log: AccessLog | undefined) {
  const timestamp = createTimestamp()
  return (access: Access): void => {
    const seconds = (performance.now() - access.startedAt) / 1000
    const { outcome, bytes } = access
    const repository = access.repository ?? ''
    const method = methods.has(access.method) ? access.method : 'other'
    metrics.requests.inc({ repository, method, status: access.status, outcome, collapsed: String(access.collapsed) })
    metrics.duration.observe({ repository, outcome }, seconds)
    if (bytes > 0) metrics.sentBytes.inc({ repository }, bytes)
    if (access.abortedBy) metrics.aborted.inc({ repository, by: access.abortedBy })
    log?.write(line(access, timestamp(), seconds))
  }
}

/** Written by hand: on the hit path a general serializer costs more than all the rest of the line. */
function line(a: Access, time: string, seconds: number): string {
  const optional =
    (a.collapsed ? ',"collapsed":true' : '') +
    (a.code === undefined ? '' : `,"code":"${a.code}"`) +
    (a.abortedBy === undefined ? '' : `,"abortedBy":"${a.abortedBy}"`)
  return (
    `{"time":"${time}","msg":"access","requestId":"${a.requestId}","client":"${a.client}",` +
    `"method":${JSON.stringify(a.method)},"repository":${a.repository === undefined ? 'null' : `"${a.repository}"`},` +
    `"path":${JSON.stringify(a.path)},"status":${a.status},"outcome":"${a.outcome}","bytes":${a.bytes},` +
    `"ms":${(seconds * 1000).toFixed(1)}${optional}}\n`
  )
}

/** The time in ISO form; worked out once a millisecond. */
function createTimestamp(): () => string {
  let text = ''
  let of = 0
  return () => {
    const now = Date.now()
    if (now !== of) {
      of = now
      text = new Date(now).toISOString()
    }
    return text
  }
}

/** The path and the names of the query's parameters: values may be signatures. */
export function withoutQueryValues(target: string): string {
  const question = target.indexOf('?')
  if (question === -1) return target
  return target.slice(0, question + 1) + target.slice(question + 1).replace(/=[^&]*/g, '=')
}
