import type { RawHeaders } from '../caching/headers.js'
import type { PeerAnswer } from '../proxy/peers.js'

/** Bytes of the line of JSON; the fields of an answer have at most a few times 16 KiB. */
const longestLine = 256 * 1024

/** The answer that begins with a line of JSON, the bytes behind it being the body; `undefined` for anything else. */
export async function splitAnswer(bytes: AsyncIterable<Uint8Array>): Promise<PeerAnswer | undefined> {
  const chunks = bytes[Symbol.asyncIterator]()
  let beginning: Buffer = Buffer.alloc(0)
  for (;;) {
    const end = beginning.indexOf(0x0a)
    if (end !== -1) return answerOf(beginning.toString('utf8', 0, end), continued(beginning.subarray(end + 1), chunks))
    const { value, done } = await chunks.next()
    if (done || beginning.length > longestLine) return undefined
    beginning = Buffer.concat([beginning, value])
  }
}

function answerOf(line: string, body: AsyncIterable<Uint8Array>): PeerAnswer | undefined {
  const told = parsed(line)
  if (told?.kind === 'over') return { kind: 'over' }
  if (!told || !Number.isSafeInteger(told.status) || !isFields(told.headers)) return undefined
  const { status, headers } = told as { status: number; headers: RawHeaders }
  if (told.kind === 'refused') return { kind: 'refused', status, headers }
  const { requestTime, responseTime, framing, remote } = told
  if (told.kind !== 'growing' || !isFraming(framing) || typeof remote !== 'string') return undefined
  if (!isTime(requestTime) || !isTime(responseTime)) return undefined
  const response = { status, headers, requestTime, responseTime, framing, remote, body, discard() {} }
  const selecting = isSelecting(told.selecting) ? told.selecting : undefined
  return { kind: 'growing', response, selecting }
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const isTime = (value: unknown): value is number => Number.isFinite(value)
const framings = ['length', 'chunked', 'close', 'none'] as const
const isFraming = (value: unknown): value is (typeof framings)[number] => framings.some((framing) => framing === value)
const isSelecting = (value: unknown): value is Record<string, string | null> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((text) => text === null || typeof text === 'string')
const isFields = (value: unknown): boolean =>
  Array.isArray(value) && value.length % 2 === 0 && value.every((text) => typeof text === 'string')

async function* continued(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}
