import { rewriteFailed } from './faults.js'
import type { Input } from './input.js'
import { type PaxRecord, paxRecords, paxValue, withPaxValues } from './pax.js'
import { blockSize, isHeader, isRegular, paddingOf, pathOf, sizeOf, textIn, typeOf, withSize } from './tar-header.js'

/** A header whose content says something of the member that follows it, or of all that follow. */
export interface Extension {
  readonly header: Buffer
  /** With its padding. */
  readonly blocks: Buffer
  readonly size: number
}

export interface Member {
  readonly extensions: readonly Extension[]
  readonly header: Buffer
  /** Bytes of its content. */
  readonly size: number
  /** Bytes as they are. */
  readonly path: Buffer
  /** Whether it is a file whose content is its own, all of it, and may have another size. */
  readonly isPlain: boolean
}

/** What the global extended headers so far say of all members. */
export type Globals = readonly PaxRecord[]

const extensionTypes = 'xXgLK'

export const isGlobal = (header: Buffer): boolean => typeOf(header) === 'g'

/** A global header that stands for itself, no member need follow; and what holds from there on. Throws `REWRITE_FAILED`. */
export async function readGlobals(
  input: Input,
  header: Buffer,
  { globals, longest }: HeaderLimits,
): Promise<{ readonly blocks: Buffer; readonly globals: Globals }> {
  const extension = await readExtension(input, checked(header), longest)
  return {
    blocks: Buffer.concat([header, extension.blocks]),
    globals: lasting([...globals, ...recordsOf([extension], 'g')]),
  }
}

interface HeaderLimits {
  readonly globals: Globals
  /** Bytes the headers of a member may have. */
  readonly longest: number
}

/**
 * The member whose headers begin with `first`, and what holds for those behind it. Throws `REWRITE_FAILED`.
 */
export async function readMember(
  input: Input,
  first: Buffer,
  { globals, longest }: HeaderLimits,
): Promise<{ readonly member: Member; readonly globals: Globals }> {
  const extensions: Extension[] = []
  let header = checked(first)
  for (let left = longest; extensionTypes.includes(typeOf(header)); header = checked(await input.take(blockSize))) {
    const extension = await readExtension(input, header, left)
    left -= blockSize + extension.size
    extensions.push(extension)
  }
  const all = [...globals, ...recordsOf(extensions, 'g')]
  return { member: memberOf(header, extensions, all), globals: lasting(all) }
}

async function readExtension(input: Input, header: Buffer, longest: number): Promise<Extension> {
  const size = ownSize(header)
  if (blockSize + size > longest) throw rewriteFailed('the headers of a member are too long')
  return { header, size, blocks: await takeAll(input, size + paddingOf(size)) }
}

/** What is read here of global headers; the rest of them is passed on and forgotten. */
const lasting = (globals: Globals): Globals =>
  ['path', 'size'].flatMap((key) => globals.findLast((record) => record.key === key) ?? [])

function memberOf(header: Buffer, extensions: readonly Extension[], globals: Globals): Member {
  const own = recordsOf(extensions, 'xX')
  const records = [...globals, ...own]
  const size = paxSize(records) ?? ownSize(header)
  const longName = extensions.findLast((extension) => typeOf(extension.header) === 'L')
  const path =
    paxValue(records, 'path') ?? (longName ? textIn(longName.blocks.subarray(0, longName.size)) : pathOf(header))
  // Sparse content is a map and pieces, and a size that holds for all members can't be changed for one.
  const isPlain =
    isRegular(header) &&
    path.at(-1) !== 0x2f &&
    !own.some(({ key }) => key.startsWith('GNU.sparse.')) &&
    paxSize(globals) === undefined
  return { extensions, header, size: typeOf(header) === '1' ? 0 : size, path, isPlain }
}

export function recordsOf(extensions: readonly Extension[], types: string): readonly PaxRecord[] {
  return extensions
    .filter(({ header }) => types.includes(typeOf(header)))
    .flatMap(({ blocks, size }) => {
      const records = paxRecords(blocks.subarray(0, size))
      if (!records) throw rewriteFailed('an extended header is garbled')
      return records
    })
}

function paxSize(records: readonly PaxRecord[]): number | undefined {
  const value = paxValue(records, 'size')?.toString('latin1')
  if (value === undefined) return undefined
  if (!/^\d{1,15}$/.test(value)) throw rewriteFailed('a size is no number')
  return Number(value)
}

function ownSize(header: Buffer): number {
  const size = sizeOf(header)
  if (size === undefined) throw rewriteFailed('a size is no number')
  return size
}

function checked(block: Buffer): Buffer {
  if (block.length < blockSize) throw breaksOff()
  if (!isHeader(block)) throw rewriteFailed('a header of the archive is garbled')
  return block
}

export const breaksOff = () => rewriteFailed('the archive breaks off')

export async function takeAll(input: Input, count: number): Promise<Buffer> {
  const bytes = await input.take(count)
  if (bytes.length < count) throw breaksOff()
  return bytes
}

/** The member's headers as they are. */
export const headersOf = ({ extensions, header }: Member): Buffer =>
  Buffer.concat([...extensions.flatMap((extension) => [extension.header, extension.blocks]), header])

/** The member's headers with another size, wherever they tell it. */
export function headersWithSize({ extensions, header }: Member, size: number): Buffer {
  const blocks = extensions.flatMap((extension) => {
    const records = 'xX'.includes(typeOf(extension.header)) ? recordsOf([extension], 'xX') : []
    if (paxValue(records, 'size') === undefined) return [extension.header, extension.blocks]
    const content = withPaxValues(records, ['size'], () => Buffer.from(String(size)))
    return [withSize(extension.header, content.length), content, Buffer.alloc(paddingOf(content.length))]
  })
  return Buffer.concat([...blocks, withSize(header, size)])
}
