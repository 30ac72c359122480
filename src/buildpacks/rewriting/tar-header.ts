/*
 * The header block of a tar member (POSIX.1-2017 pax, "ustar Interchange Format", and what GNU tar writes):
 *
 *     0 name 100    100 mode 8    108 uid 8    116 gid 8    124 size 12    136 mtime 12    148 checksum 8    156 type 1
 *   157 link 100    257 magic 6   263 version 2   ...       345 prefix 155 (where the magic is POSIX's)
 *   482 whether blocks of a sparse file's map follow (GNU)
 */

export const blockSize = 512

const name = { at: 0, length: 100 }
const prefix = { at: 345, length: 155 }
const link = { at: 157, length: 100 }
const size = { at: 124, length: 12 }
const checksum = { at: 148, length: 8 }
const mapGoesOnAt = 482

/** Bytes up to the next block. */
export const paddingOf = (length: number): number => (blockSize - (length % blockSize)) % blockSize

export const isZeroBlock = (block: Buffer): boolean => block.every((byte) => byte === 0)

/** Whether its checksum is right: the sum of all bytes, its own taken for spaces; old tars added them up signed. */
export function isHeader(block: Buffer): boolean {
  if (block.length < blockSize || isZeroBlock(block)) return false
  const written = numberIn(block, checksum)
  return (
    written === sumOf(block, (byte) => byte) || written === sumOf(block, (byte) => (byte < 128 ? byte : byte - 256))
  )
}

function sumOf(block: Buffer, value: (byte: number) => number): number {
  let sum = 0
  for (let i = 0; i < blockSize; i += 1) {
    const isOwn = i >= checksum.at && i < checksum.at + checksum.length
    sum += isOwn ? 0x20 : value(block[i] as number)
  }
  return sum
}

export const typeOf = (header: Buffer): string => String.fromCharCode(header[156] as number)

/** A regular file: POSIX's, old tar's, one that was to lie in one piece. */
export const isRegular = (header: Buffer): boolean => ['0', '\0', '7'].includes(typeOf(header))

export const hasSparseMap = (header: Buffer): boolean => typeOf(header) === 'S' && header[mapGoesOnAt] !== 0

/** Whether another block of a sparse file's map follows this one. */
export const mapGoesOn = (block: Buffer): boolean => block[504] !== 0

/** Bytes that follow the header; `undefined` where that is no number. A hard link has none, whatever size it tells. */
export const sizeOf = (header: Buffer): number | undefined => (typeOf(header) === '1' ? 0 : numberIn(header, size))

/** As the header alone has it, its bytes untouched. */
export function pathOf(header: Buffer): Buffer {
  const last = textIn(header, name.at, name.length)
  const first = prefixOf(header)
  return first.length === 0 ? last : Buffer.concat([first, slash, last])
}

const prefixOf = (header: Buffer): Buffer =>
  header.toString('latin1', 257, 263) === 'ustar\0' ? textIn(header, prefix.at, prefix.length) : Buffer.alloc(0)

const slash = Buffer.from('/')

/** The same header with another beginning of its path, which `change` may make shorter. */
export function withPathBeginning(header: Buffer, change: (path: Buffer) => Buffer): Buffer {
  const first = prefixOf(header)
  if (first.length === 0) return withText(header, name, change(textIn(header, name.at, name.length)))
  return withText(header, prefix, change(Buffer.concat([first, slash])).subarray(0, -1))
}

/** The same for the path it links to. */
export const withLinkBeginning = (header: Buffer, change: (path: Buffer) => Buffer): Buffer =>
  withText(header, link, change(textIn(header, link.at, link.length)))

function withText(header: Buffer, { at, length }: { readonly at: number; readonly length: number }, text: Buffer) {
  const block = Buffer.from(header)
  block.fill(0, at, at + length)
  text.copy(block, at)
  return summed(block)
}

/** Up to its first NUL. */
export function textIn(bytes: Buffer, start = 0, length = bytes.length): Buffer {
  const field = bytes.subarray(start, start + length)
  const end = field.indexOf(0)
  return end === -1 ? field : field.subarray(0, end)
}

/** Octal digits that a space or NUL ends, or (GNU) a binary number whose first bit is set. */
function numberIn(block: Buffer, { at, length }: { readonly at: number; readonly length: number }): number | undefined {
  const field = block.subarray(at, at + length)
  if ((field[0] as number) & 0x80) return binary(field)
  const digits = /^ *([0-7]*)(?: |$)/.exec(field.toString('latin1').replaceAll('\0', ' '))?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits || '0', 8)
}

function binary(field: Buffer): number | undefined {
  let value = (field[0] as number) & 0x7f
  for (const byte of field.subarray(1)) value = value * 256 + byte
  return Number.isSafeInteger(value) ? value : undefined
}

/** The same header for another size, its checksum right; how both numbers end is kept. */
export function withSize(header: Buffer, bytes: number): Buffer {
  const block = Buffer.from(header)
  writeOctal(block, { at: size.at, digits: 11 }, bytes)
  const last = size.at + size.length - 1
  if (block[last] !== 0x20) block[last] = 0
  return summed(block)
}

/** With its checksum made right. */
function summed(block: Buffer): Buffer {
  const isDigit = (block[checksum.at + 6] as number) >= 0x30
  writeOctal(
    block,
    { at: checksum.at, digits: isDigit ? 7 : 6 },
    sumOf(block, (byte) => byte),
  )
  return block
}

const writeOctal = (block: Buffer, { at, digits }: { readonly at: number; readonly digits: number }, value: number) =>
  block.write(value.toString(8).padStart(digits, '0'), at, 'latin1')
