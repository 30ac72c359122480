import type { Input } from './input.js'
import { blockSize, hasSparseMap, isZeroBlock, mapGoesOn, paddingOf } from './tar-header.js'
import {
  breaksOff,
  type Globals,
  headersOf,
  headersWithSize,
  isGlobal,
  type Member,
  readGlobals,
  readMember,
  takeAll,
} from './tar-member.js'
import type { MemberRewriting } from './text.js'
import { createUnwrapping } from './unwrap.js'

/*
 * Walks over the blocks of a tar and passes them on. A library that unpacks and packs would write every header anew, and
 * none can write again what it does not know: other bytes of the archive are to stay what they are.
 *
 * Nothing is unpacked, so that no name of a member can do harm. There are signed tars, but none that says so inside, where
 * it could be told; digests in it that name the contents of other files stay right, since only URLs change.
 */

/** The archive with the texts rewritten in the members that fit. Throws `REWRITE_FAILED` where it breaks off or is garbled. */
export async function* rewriteTar(input: Input, rewriting: MemberRewriting): AsyncGenerator<Uint8Array, void, void> {
  let globals: Globals = []
  const unwrapped = rewriting.unwrap ? createUnwrapping() : (member: Member) => member
  for (;;) {
    const block = await input.take(blockSize)
    // Many writers leave the end out.
    if (block.length === 0) return
    if (block.length === blockSize && isZeroBlock(block)) {
      yield block
      yield* input.rest()
      return
    }
    const limits = { globals, longest: rewriting.limits.listing }
    if (isGlobal(block)) {
      const read = await readGlobals(input, block, limits)
      globals = read.globals
      yield read.blocks
    } else {
      const read = await readMember(input, block, limits)
      globals = read.globals
      yield* passMember(input, unwrapped(read.member), rewriting)
    }
  }
}

async function* passMember(
  input: Input,
  member: Member,
  { text, fits, limits }: MemberRewriting,
): AsyncGenerator<Uint8Array, void, void> {
  const padding = paddingOf(member.size)
  if (!member.isPlain || member.size > limits.text || !fits(member.path.toString())) {
    yield headersOf(member)
    if (hasSparseMap(member.header)) yield* passSparseMap(input)
    yield* pass(input, member.size + padding)
    return
  }
  const content = await takeAll(input, member.size)
  const filler = await takeAll(input, padding)
  const rewritten = await text.rewrite(content)
  if (rewritten) {
    yield headersWithSize(member, rewritten.length)
    yield rewritten
    yield Buffer.alloc(paddingOf(rewritten.length))
  } else {
    yield headersOf(member)
    yield content
    yield filler
  }
}

async function* passSparseMap(input: Input): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    const block = await takeAll(input, blockSize)
    yield block
    if (!mapGoesOn(block)) return
  }
}

async function* pass(input: Input, count: number): AsyncGenerator<Uint8Array, void, void> {
  for (let left = count; left > 0; ) {
    const chunk = await input.some(left)
    if (!chunk) throw breaksOff()
    left -= chunk.length
    yield chunk
  }
}
