import { createWriteStream } from 'node:fs'
import type { Writable } from 'node:stream'
import type { CacheOutcome } from '../caching/cache-status.js'
import type { Logger } from '../log.js'
import type { RequestMetrics } from './request-metrics.js'

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
  /** After the file was moved away (log rotation). */
  reopen(): void
  close(): Promise<void>
}

/** Milliseconds a line may wait for others to be written with. */
const writtenWithin = 250
const batchCharacters = 64 * 1024

/** Bytes that may wait for whoever takes the log in; beyond, lines are lost. */
const maxBacklog = 8 * 1024 * 1024

/** `stdout`, `off`, or a file that is appended to. A full disk or a stalled reader loses lines, never requests. */
export function openAccessLog(destination: string, log: Logger): AccessLog | undefined {
  if (destination === 'off') return undefined
  let failing = false
  const failed = (error: Error) => {
    if (!failing) log.error({ err: error, destination }, 'cannot write the access log; lines are lost')
    failing = true
  }
  const open = (): Writable => {
    const stream = destination === 'stdout' ? process.stdout : createWriteStream(destination, { flags: 'a' })
    return stream.on('error', failed)
  }
  let out = open()
  let pending = ''
  const flush = () => {
    if (pending === '') return
    // A file that failed is tried anew with each batch.
    if (out.destroyed && destination !== 'stdout') out = open()
    if (out.writableLength < maxBacklog) {
      out.write(pending, (error) => {
        failing &&= Boolean(error)
      })
    }
    pending = ''
  }
  const timer = setInterval(flush, writtenWithin).unref()
  const end = async () => {
    flush()
    if (destination !== 'stdout') await new Promise<void>((resolve) => out.end(() => resolve()))
  }
  return {
    write(line) {
      pending += line
      if (pending.length > batchCharacters) flush()
    },
    reopen() {
      if (destination === 'stdout') return
      void end()
      out = open()
    },
    close() {
      clearInterval(timer)
      return end()
    },
  }
}

/** Returns the function that tells of a finished request. */
export function createAccessRecorder(metrics: RequestMetrics, log: AccessLog | undefined) {
  const timestamp = createTimestamp()
  return (access: Access): void => {
    const seconds = (performance.now() - access.startedAt) / 1000
    metrics.count(access, seconds)
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
