import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRaw } from 'node:zlib'
import { parseExtraFields } from 'yauzl'
import type { OpenBody } from '../../storage/blob-store.js'
import { bodyRange, readRange } from './body-chunks.js'
import type { Judgement } from './stream.js'
import type { MemberRewriting } from './text.js'
import { localHeaderSize, usesDescriptor, type ZipEntry, type ZipLayout, zip64Extra, zipLayout } from './zip-layout.js'

const inflate = promisify(inflateRaw)
const deflate = promisify<Buffer, { level: number }, Buffer>(deflateRaw)

/** Java's and NuGet's signatures, and the digests of a Python wheel: pip holds what it installs against them. */
const signature = /^(?:META-INF\/[^/]+\.(?:SF|RSA|DSA|EC)|\.signature\.p7s|[^/]+\.dist-info\/RECORD)$/i

/** Offsets are numbers of 32 bits, and entries may become longer. */
const largestZip = 0xf000_0000

/**
 * A zip is read from its end, so all of it must be there. Entries that stay as they are are copied as they are, the changed
 * ones written anew in their places, and the central directory told of both. Throws what reading throws.
 */
export async function judgeZip(body: OpenBody, size: number, rewriting: MemberRewriting): Promise<Judgement> {
  if (size > largestZip) return { kind: 'untouched', why: 'size' }
  const layout = await zipLayout(body, { size, longest: rewriting.limits.listing })
  if (!layout) return { kind: 'untouched', why: 'format' }
  if (layout.entries.some(({ path }) => signature.test(path))) return { kind: 'untouched', why: 'signed' }
  // No entry unpacks to more than it says.
  const looked = layout.entries.filter((entry) => isLookedInto(entry, rewriting))
  const expanded = looked.reduce((sum, entry) => sum + entry.size, 0)
  if (expanded > rewriting.limits.expanded) return { kind: 'untouched', why: 'size' }
  return { kind: 'rewritten', chunks: rewriteZip(body, layout, rewriting) }
}

async function* rewriteZip(
  body: OpenBody,
  { entries, listing, listingAt, endAt }: ZipLayout,
  rewriting: MemberRewriting,
): AsyncGenerator<Uint8Array, void, void> {
  let shift = 0
  let copied = 0
  for (const entry of entries) {
    listing.writeUInt32LE(entry.start + shift, entry.listedAt + 42)
    const changed = await rewrittenEntry(body, entry, rewriting)
    if (!changed) continue
    yield* bodyRange(body, copied, entry.start)
    yield changed.header
    yield changed.data
    copied = entry.end
    shift += changed.header.length + changed.data.length - (entry.end - entry.start)
    describe(listing, entry.listedAt + 8, changed)
  }
  yield* bodyRange(body, copied, listingAt)
  listing.writeUInt32LE(listingAt + shift, endAt + 16)
  yield listing
}

interface Changed {
  readonly header: Buffer
  readonly data: Buffer
  readonly flags: number
  readonly crc: number
  readonly size: number
}

const encrypted = 0x2041
const methods = { stored: 0, deflated: 8 }

/** `undefined` for one that stays as it is. */
async function rewrittenEntry(
  body: OpenBody,
  entry: ZipEntry,
  rewriting: MemberRewriting,
): Promise<Changed | undefined> {
  const content = await contentOf(body, entry, rewriting)
  if (!content) return undefined
  const header = await readRange(body, entry.start, entry.start + entry.headerSize)
  const rewritten = hasZip64Sizes(header) ? undefined : await rewriting.text.rewrite(content)
  if (!rewritten) return undefined
  const changed = {
    header,
    data: entry.method === methods.stored ? rewritten : await deflate(rewritten, { level: 6 }),
    // What a descriptor behind the data said is known beforehand now.
    flags: entry.flags & ~usesDescriptor,
    crc: crc32(rewritten),
    size: rewritten.length,
  }
  describe(changed.header, 6, changed)
  return changed
}

/** Some who stream zips prepare each entry for large sizes; which of the two places counts then differs by reader. */
function hasZip64Sizes(header: Buffer): boolean {
  try {
    const extra = header.subarray(localHeaderSize + header.readUInt16LE(26))
    return parseExtraFields(extra).some(({ id }) => id === zip64Extra)
  } catch {
    return true
  }
}

/** Fields that a local and a central header have alike; `at`: where the flags stand. */
function describe(header: Buffer, at: number, { flags, crc, data, size }: Changed): void {
  header.writeUInt16LE(flags, at)
  header.writeUInt32LE(crc, at + 8)
  header.writeUInt32LE(data.length, at + 12)
  header.writeUInt32LE(size, at + 16)
}

function isLookedInto({ flags, size, packedSize, path }: ZipEntry, { fits, limits }: MemberRewriting): boolean {
  const isOpen = (flags & encrypted) === 0
  const isSmall = size <= limits.text && packedSize <= 2 * limits.text
  return isOpen && isSmall && size > 0 && !path.endsWith('/') && fits(path)
}

/** What an entry holds, if it is to be looked into and is what its header says. */
async function contentOf(body: OpenBody, entry: ZipEntry, rewriting: MemberRewriting): Promise<Buffer | undefined> {
  const { method, size, packedSize, start, headerSize } = entry
  if (!isLookedInto(entry, rewriting)) return undefined
  const packed = await readRange(body, start + headerSize, start + headerSize + packedSize)
  const content = method === methods.deflated ? await inflated(packed, size) : packed
  const isWhole = content?.length === size && crc32(content) === entry.crc
  return isWhole && [methods.stored, methods.deflated].includes(method) ? content : undefined
}

const inflated = (packed: Buffer, size: number): Promise<Buffer | undefined> =>
  inflate(packed, { maxOutputLength: size }).catch(() => undefined)
