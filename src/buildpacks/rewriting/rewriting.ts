import { field, type RawHeaders } from '../../caching/headers.js'
import type { Original, RewriteOutcome, Rewriting, WhyUntouched } from '../../proxy/rewriter.js'
import { bodyChunks, unlessLeft } from './body-chunks.js'
import { formatOf, tellingBytes } from './formats.js'
import { evenly } from './gzip.js'
import { type Input, inputOf } from './input.js'
import { type Judgement, judge } from './stream.js'
import type { MemberRewriting } from './text.js'
import { judgeZip } from './zip.js'

/** One body's. `options.text` is for it alone. */
export function rewriting(original: Original, options: MemberRewriting): Rewriting {
  let outcome: RewriteOutcome | undefined
  const left = new AbortController()
  async function* chunks(): AsyncGenerator<Uint8Array, void, void> {
    const input = inputOf(bodyChunks(original.body, left.signal))
    const judgement = await judgeOriginal({ original, input, left: left.signal }, options)
    yield* judgement.kind === 'rewritten' ? evenly(judgement.chunks) : input.rest()
    outcome = judgement.kind === 'untouched' ? judgement : { kind: 'rewritten', ...options.text.done() }
  }
  return {
    chunks: leavable(chunks(), left),
    outcome: () => {
      if (!outcome) throw new Error('what was done is known only once the chunks have ended')
      return outcome
    },
  }
}

interface Looked {
  readonly original: Original
  readonly input: Input
  readonly left: AbortSignal
}

async function judgeOriginal({ original, input, left }: Looked, options: MemberRewriting): Promise<Judgement> {
  const why = (reason: WhyUntouched): Judgement => ({ kind: 'untouched', why: reason })
  if (!isOpenEncoding(original.headers)) return why('encoding')
  if (formatOf(await input.peek(tellingBytes)) !== 'zip') return judge(input, { ...options, expansion: { bytes: 0 } })
  const size = await unlessLeft(original.whole(), left)
  return size === undefined ? why('format') : judgeZip(original.body, size, options)
}

/** A gzip is one by its bytes, whether it is called an encoding of the body or not. */
const isOpenEncoding = (headers: RawHeaders): boolean =>
  (field(headers, 'content-encoding') ?? '')
    .split(',')
    .every((coding) => ['', 'gzip', 'x-gzip', 'identity'].includes(coding.trim().toLowerCase()))

/** The generator's, for one reader, who can leave while it waits for bytes that may never come. */
function leavable(generator: AsyncGenerator<Uint8Array, void, void>, left: AbortController): AsyncIterable<Uint8Array> {
  const leave = async () => {
    left.abort(new Error('the reader has left'))
    // What it was waiting for fails; it has ended by then.
    await generator.return().catch(() => {})
    return { done: true as const, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next: () => generator.next(), return: leave }) }
}
