import type { RawHeaders } from './headers.js'
import type { Digest, StoredBody, StoredRecord, StoredResponse } from './record.js'

/*
 *   0        1            5             5 + n
 *   +--------+------------+-------------+----------------+----------------+---
 *   | format | n (uint32, | head: JSON, | inline body of | inline body of | ...
 *   | = 1    | big-endian)| n bytes     | first variant  | next variant   |
 *   +--------+------------+-------------+----------------+----------------+---
 *
 * The head is the record; where a body is inline its `inline` is `true`, and `size` bytes of it follow in variant order.
 * Nothing comes after the last one.
 */
const formatVersion = 1
const headStart = 5

export function encodeRecord(record: StoredRecord): Uint8Array {
  const inline = record.variants.flatMap(({ body }) => (body.inline ? [body.inline] : []))
  const head = Buffer.from(JSON.stringify({ ...record, variants: record.variants.map(headOf) }))
  const start = Buffer.alloc(headStart)
  start.writeUInt8(formatVersion)
  start.writeUInt32BE(head.length, 1)
  return Buffer.concat([start, head, ...inline])
}

function headOf({ body, ...variant }: StoredResponse): EncodedResponse {
  const { inline, ...rest } = body
  return { ...variant, body: inline ? { ...rest, inline: true } : rest }
}

/** `undefined` for another format version, and for what is truncated or garbled. Inline bodies are copies: `bytes` may be reused. */
export function decodeRecord(bytes: Uint8Array): StoredRecord | undefined {
  if (bytes.length < headStart || bytes[0] !== formatVersion) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headEnd = headStart + buffer.readUInt32BE(1)
  if (headEnd > buffer.length) return undefined
  const head = parseJson(buffer.toString('utf8', headStart, headEnd))
  if (!isRecordHead(head)) return undefined
  let position = headEnd
  const variants: StoredResponse[] = []
  for (const { body, ...variant } of head.variants) {
    const { inline, ...rest } = body
    if (!inline) {
      variants.push({ ...variant, body: rest })
      continue
    }
    if (position + rest.size > buffer.length) return undefined
    variants.push({
      ...variant,
      body: { ...rest, inline: new Uint8Array(buffer.subarray(position, position + rest.size)) },
    })
    position += rest.size
  }
  return position === buffer.length ? { ...head, variants } : undefined
}

/** The record without its bodies. */
export const recordJson = (record: StoredRecord): string =>
  JSON.stringify({
    ...record,
    variants: record.variants.map(({ body, ...variant }) => ({ ...variant, body: bare(body) })),
  })

/** `undefined` for what is none; fields of no meaning here are left out. */
export function recordOfJson(text: string): StoredRecord | undefined {
  const head = parseJson(text)
  if (!isRecordHead(head)) return undefined
  const { key, version, epoch, remote } = head
  const variants = head.variants.map(
    ({ status, headers, requestTime, responseTime, selecting, body, invalidated }) => ({
      ...{ status, headers, requestTime, responseTime, selecting, body: bare(body) },
      ...(invalidated && { invalidated }),
    }),
  )
  return { key, version, epoch, remote, variants }
}

const bare = ({ digest, size }: Pick<StoredBody, 'digest' | 'size'>): StoredBody => ({ digest, size })

type BodyHead = Omit<StoredBody, 'inline'> & { readonly inline?: true }
type EncodedResponse = Omit<StoredResponse, 'body'> & { readonly body: BodyHead }
type RecordHead = Omit<StoredRecord, 'variants'> & { readonly variants: readonly EncodedResponse[] }

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isRecordHead = (value: unknown): value is RecordHead =>
  isObject(value) &&
  typeof value.key === 'string' &&
  isCount(value.version) &&
  isCount(value.epoch) &&
  typeof value.remote === 'string' &&
  Array.isArray(value.variants) &&
  value.variants.every(isEncodedResponse)

const isEncodedResponse = (value: unknown): value is EncodedResponse =>
  isObject(value) &&
  isCount(value.status) &&
  isRawHeaders(value.headers) &&
  Number.isFinite(value.requestTime) &&
  Number.isFinite(value.responseTime) &&
  isObject(value.selecting) &&
  Object.values(value.selecting).every((line) => line === null || typeof line === 'string') &&
  isBodyHead(value.body) &&
  [value.invalidated, value.damaged].every((mark) => mark === undefined || mark === true)

const isRawHeaders = (value: unknown): value is RawHeaders =>
  Array.isArray(value) && value.length % 2 === 0 && value.every((text) => typeof text === 'string')

const isBodyHead = (value: unknown): value is BodyHead =>
  isObject(value) &&
  isDigest(value.digest) &&
  isCount(value.size) &&
  (value.inline === undefined || value.inline === true)

const isDigest = (value: unknown): value is Digest => typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
