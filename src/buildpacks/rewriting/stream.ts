import { isLarderError } from '../../errors.js'
import type { WhyUntouched } from '../../proxy/rewriter.js'
import { rewriteFailed } from './faults.js'
import { formatOf, tellingBytes } from './formats.js'
import { gunzip, gzip } from './gzip.js'
import { type Input, inputOf } from './input.js'
import { rewriteTar } from './tar.js'
import { hasNul, type MemberRewriting } from './text.js'

/*
 * What is to be done with a body is decided while its first bytes are looked at, and none of them is taken: what is left
 * alone goes out as it came, without being read again. It may be readable only once.
 */

export type Judgement =
  | { readonly kind: 'untouched'; readonly why: WhyUntouched }
  /** It was looked through to its end, and has nothing to replace. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'rewritten'; readonly chunks: AsyncIterable<Uint8Array> }

export interface StreamRewriting extends MemberRewriting {
  /** Counts what came out of gzips of the body so far. */
  readonly expansion: { bytes: number }
}

/** Text, tar, or either in gzips. `depth`: gzips around it. Throws what reading throws; so do the chunks, and `REWRITE_FAILED`. */
export async function judge(input: Input, rewriting: StreamRewriting, depth = 0): Promise<Judgement> {
  const format = formatOf(await input.peek(tellingBytes))
  if (format === 'tar') return { kind: 'rewritten', chunks: rewriteTar(input, rewriting) }
  if (format === 'text') return judgeText(input, rewriting)
  if (format === 'gzip' && depth < rewriting.limits.depth) return judgeGzip(input, rewriting, depth)
  return { kind: 'untouched', why: 'format' }
}

async function judgeText(input: Input, { text, limits }: StreamRewriting): Promise<Judgement> {
  for (let chunk = await input.peek(input.held()); ; ) {
    if (hasNul(chunk)) return { kind: 'untouched', why: 'format' }
    if (input.held() > limits.text) return { kind: 'untouched', why: 'size' }
    const next = await input.ahead()
    if (!next) break
    chunk = next
  }
  const rewritten = await text.rewrite(await input.peek(input.held()))
  return rewritten ? { kind: 'rewritten', chunks: one(rewritten) } : { kind: 'unchanged' }
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  yield bytes
}

/** What is in it decides. Until then what it was unpacked from stays to be taken. */
async function judgeGzip(packed: Input, rewriting: StreamRewriting, depth: number): Promise<Judgement> {
  const feed = feedOf(packed, rewriting.limits.text)
  const unpacked = gunzip(feed.chunks())
  const verdict = await judge(inputOf(counted(unpacked, rewriting)), rewriting, depth + 1).catch((error: unknown) => {
    // Nothing is out yet: what only looks like a gzip is none.
    if (isLarderError(error) && error.code === 'REWRITE_FAILED') return untouched(feed.isTooLong() ? 'size' : 'format')
    throw error
  })
  if (verdict.kind !== 'rewritten') {
    await unpacked.return()
    return verdict
  }
  feed.forget()
  return { kind: 'rewritten', chunks: endingWith(gzip(verdict.chunks), unpacked) }
}

/** Whoever leaves the chunks leaves what they are made of. */
async function* endingWith(
  chunks: AsyncIterable<Buffer>,
  source: AsyncGenerator<Buffer, void, void>,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* chunks
  } finally {
    await source.return()
  }
}

const untouched = (why: WhyUntouched): Judgement => ({ kind: 'untouched', why })

/** All of an input, which stays to be taken until it may be forgotten; ends where that comes to more than `longest` bytes. */
function feedOf(input: Input, longest: number) {
  let keeping = true
  let tooLong = false
  async function* chunks(): AsyncGenerator<Buffer, void, void> {
    // What was looked at before it was known for a gzip.
    let chunk: Buffer | undefined = await input.peek(input.held())
    while (chunk) {
      if (!keeping) input.drop()
      tooLong = input.held() > 2 * longest
      if (tooLong) return
      yield chunk
      chunk = await input.ahead()
    }
  }
  return {
    chunks,
    isTooLong: () => tooLong,
    forget: () => {
      keeping = false
    },
  }
}

/** Throws `REWRITE_FAILED` where a bomb goes off. */
async function* counted(
  chunks: AsyncIterable<Buffer>,
  { expansion, limits }: StreamRewriting,
): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks) {
    expansion.bytes += chunk.length
    if (expansion.bytes > limits.expanded) throw rewriteFailed(`it unpacks to more than ${limits.expanded} bytes`)
    yield chunk
  }
}
