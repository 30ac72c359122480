import { randomBytes } from 'node:crypto'
import type { CacheOutcome } from '../caching/cache-status.js'
import { field, filterFields } from '../caching/headers.js'
import { type ByteRange, evaluate, isConditional, wantsRange } from '../caching/preconditions.js'
import { isLarderError, LarderError } from '../errors.js'
import { opened, release } from '../proxy/bodies.js'
import type { Artifact, ArtifactBody } from '../proxy/resolution.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { Exchange } from './exchange.js'
import { type BufferPool, ClientGone, pump, pumpChunks, write } from './pump.js'

/** One answer on its way: an artifact, the fields of its answer, how it came to be. */
interface Sending {
  readonly exchange: Exchange
  readonly artifact: Artifact
  readonly fields: readonly string[]
  readonly cache: CacheOutcome
  readonly pool: BufferPool
}

type GrowingBody = Extract<ArtifactBody, { kind: 'growing' }>

export interface SendDeps {
  /** The fields of an answer that depend on neither its range nor the single request. */
  readonly fieldsOf: (artifact: Artifact) => readonly string[]
  readonly pool: BufferPool
}

export type Send = (exchange: Exchange, artifact: Artifact, cache: CacheOutcome) => void | Promise<void>

/** An artifact onto the raw response: conditions and ranges (C5), fields (C2, C3), body (C6), reset on failure (C7). */
export function createSend({ fieldsOf, pool }: SendDeps): Send {
  return (exchange, artifact, cache) => {
    if (exchange.left) {
      release(artifact.body)
      return exchange.abandoned()
    }
    const { body, size } = artifact
    const sending = { exchange, artifact, fields: fieldsOf(artifact), cache, pool }
    if (!isConditional(exchange.request.headers)) return sendWhole(sending)
    const unknown = body.kind === 'growing' && size === undefined && wantsRange(exchange.request.headers)
    return unknown ? sendOnceWhole(sending, body) : send(sending)
  }
}

/** A range of a body whose size the remote did not tell waits for its end, following it so that it stays readable. */
async function sendOnceWhole(sending: Sending, growing: GrowingBody): Promise<void> {
  const body = growing.follow(undefined)
  try {
    const size = await growing.whole()
    // Of what can't be kept the size shows only at its end: the range is answered whole (K7).
    if (size === undefined) return await send(sending)
    await send({ ...sending, artifact: { ...sending.artifact, size, body: { kind: 'stored', body } } })
  } catch (error) {
    failed(sending, error)
  } finally {
    body.close()
  }
}

function send(sending: Sending): void | Promise<void> {
  const { exchange, artifact } = sending
  const { request } = exchange
  const { status, headers, size } = artifact
  const representation = {
    status,
    // What only passes by can't be read by position: a range of it is answered whole.
    size: artifact.body.kind === 'passing' ? undefined : size,
    etag: field(headers, 'etag'),
    lastModified: field(headers, 'last-modified'),
    date: field(headers, 'date'),
  }
  const outcome = evaluate({ method: request.method ?? '', headers: request.headers }, representation, Date.now())
  switch (outcome.kind) {
    case 'whole':
      return sendWhole(sending)
    case 'partial':
      return outcome.ranges.length === 1 ? sendRange(sending, outcome.ranges[0]) : sendParts(sending, outcome.ranges)
    case 'not-modified':
      return sendNothing(sending, 304, [])
    case 'failed':
      return sendNothing(sending, 412, ['Content-Length', '0'])
    case 'unsatisfiable':
      return sendNothing(sending, 416, ['Content-Range', `bytes */${artifact.size}`, 'Content-Length', '0'])
  }
}

/** An answer about the artifact and without it; what describes the body is left out (RFC 9110 §15.4.5). */
function sendNothing({ exchange, artifact, fields, cache }: Sending, status: number, ours: readonly string[]): void {
  release(artifact.body)
  const about = filterFields(fields, (name) => !name.startsWith('content-') || name === 'content-location')
  exchange.begin(status, about, cache, artifact.age, [...sandboxed, ...ours])
  exchange.end()
}

const sandboxed = ['Content-Security-Policy', 'sandbox']

function sendWhole(sending: Sending): void | Promise<void> {
  const { exchange, artifact, fields, cache } = sending
  const { age, body, size, status } = artifact
  const begin = () =>
    exchange.begin(
      status,
      fields,
      cache,
      age,
      size === undefined || status === 204 ? [] : ['Content-Length', String(size)],
    )
  switch (body.kind) {
    case 'none':
      begin()
      return exchange.end()
    case 'inline':
      begin()
      return exchange.end(body.bytes)
    case 'passing':
      return streamed(sending, () => pumpChunks(exchange.response, body.chunks, begin, (n) => exchange.sent(n)))
    default:
      return fromBody(sending, { start: 0, end: size === undefined ? undefined : size - 1 }, begin)
  }
}

function sendRange(sending: Sending, range: ByteRange): void | Promise<void> {
  const { exchange, artifact, fields, cache } = sending
  const length = String(range.end - range.start + 1)
  const own = ['Content-Range', contentRange(range, artifact.size), 'Content-Length', length]
  const begin = () => exchange.begin(206, fields, cache, artifact.age, own)
  const { body } = artifact
  if (body.kind !== 'inline') return fromBody(sending, range, begin)
  begin()
  exchange.end(body.bytes.subarray(range.start, range.end + 1))
}

/** Reads the range off an open or growing body. */
function fromBody(sending: Sending, range: ByteRange | { start: number; end: undefined }, begin: () => void) {
  const { exchange, artifact, pool } = sending
  const body = opened(artifact.body, range.end === undefined ? undefined : range)
  const sent = (bytes: number) => exchange.sent(bytes)
  return streamed(sending, () => pump({ response: exchange.response, body, range, pool, begin, sent }), body)
}

/** Several ranges as multipart/byteranges (RFC 9110 §14.6). */
function sendParts(sending: Sending, ranges: readonly ByteRange[]): Promise<void> {
  const { exchange, artifact, fields, cache, pool } = sending
  const { response } = exchange
  const boundary = `larder-${randomBytes(12).toString('hex')}`
  const type = field(artifact.headers, 'content-type')
  const heads = ranges.map(
    (range) =>
      `\r\n--${boundary}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}` +
      `Content-Range: ${contentRange(range, artifact.size)}\r\n\r\n`,
  )
  const tail = `\r\n--${boundary}--\r\n`
  const length = ranges.reduce((sum, { start, end }, i) => sum + (heads[i] ?? '').length + end - start + 1, tail.length)
  const about = filterFields(fields, (name) => name !== 'content-type')
  const own = ['Content-Type', `multipart/byteranges; boundary=${boundary}`, 'Content-Length', String(length)]
  const body = opened(artifact.body, ranges[0])
  const parts = async () => {
    for (const [i, range] of ranges.entries()) {
      const begin = () => {
        if (i === 0) exchange.begin(206, about, cache, artifact.age, own)
        // The length counts characters, and fields are sent as they came: a byte each.
        response.write(heads[i] ?? '', 'latin1')
      }
      await pump({ response, body, range, pool, begin, sent: (bytes) => exchange.sent(bytes) })
    }
    await write(response, tail)
  }
  return streamed(sending, parts, body)
}

/** Runs a transfer to its end: a clean one, an error while nothing went out yet, a reset after (C7). */
async function streamed(sending: Sending, transfer: () => Promise<void>, body?: OpenBody): Promise<void> {
  const { exchange } = sending
  const close = () => body?.close()
  exchange.response.once('close', close)
  try {
    await transfer()
    if (exchange.left) exchange.abandoned()
    else exchange.end()
  } catch (error) {
    failed(sending, error)
  } finally {
    exchange.response.off('close', close)
    close()
  }
}

function failed({ exchange, artifact }: Sending, error: unknown): void {
  if (artifact.body.kind === 'passing') artifact.body.discard()
  if (error instanceof ClientGone || exchange.left) {
    exchange.abandoned()
    return
  }
  const fault = isLarderError(error) ? error : new LarderError('STORE_FAULT', 'reading a body failed', { cause: error })
  if (exchange.response.headersSent) exchange.cut(fault.code)
  else exchange.fail(fault, { outcome: 'error', detail: fault.code })
}

const contentRange = ({ start, end }: ByteRange, size: number | undefined) => `bytes ${start}-${end}/${size ?? '*'}`
