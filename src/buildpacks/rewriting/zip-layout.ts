import { fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader, type ZipFile } from 'yauzl'
import type { OpenBody } from '../../storage/blob-store.js'
import { readRange } from './body-chunks.js'

/*
 * A zip that can be written again around changed entries, as nearly all are: each entry's local header, data and descriptor
 * begin where those of the one before end, the first at the very beginning, and the central directory follows the last.
 *
 *   local header 30 + name + extra | data | descriptor ...        per entry
 *   central header 46 + name + extra + comment ...                per entry, in an order of its own
 *   end of central directory 22 + comment
 *
 * Others (self-extracting, signed Android packages, zip64, entries that overlap) are not.
 */

export interface ZipEntry {
  /** For globs. */
  readonly path: string
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packedSize: number
  readonly size: number
  /** Where its local header begins. */
  readonly start: number
  /** Bytes of its local header. */
  readonly headerSize: number
  /** Where the next entry begins, or the central directory. */
  readonly end: number
  /** Where its central header begins in the central directory. */
  readonly listedAt: number
}

export interface ZipLayout {
  /** As they lie in the archive. */
  readonly entries: readonly ZipEntry[]
  /** The central directory and its end, comment included. */
  readonly listing: Buffer
  readonly listingAt: number
  /** Bytes of the listing before its end record. */
  readonly endAt: number
}

/** Id of the extra field for numbers of 64 bits. */
export const zip64Extra = 0x0001

/** Flag of an entry whose sizes stand behind its data. */
export const usesDescriptor = 0x08

export const localHeaderSize = 30
const endSize = 22

type Listed = Omit<ZipEntry, 'headerSize' | 'end'> & { readonly nameSize: number }

/** `undefined` for what is no such zip. `longest`: bytes its listing may have. Throws what reading the body throws. */
export async function zipLayout(
  body: OpenBody,
  { size, longest }: { readonly size: number; readonly longest: number },
): Promise<ZipLayout | undefined> {
  const listed = await listedEntries(body, size, longest)
  if (!listed) return undefined
  const { entries, listingSize, commentSize } = listed
  const listingAt = size - endSize - commentSize - listingSize
  if (listingAt < 0) return undefined
  const listing = await readRange(body, listingAt, size)
  const saysSo =
    listing.readUInt32LE(listingSize + 16) === listingAt && listing.readUInt32LE(listingSize + 12) === listingSize
  if (!saysSo) return undefined
  const inOrder = entries.toSorted((a, b) => a.start - b.start)
  const laidOut: ZipEntry[] = []
  let at = 0
  for (const [index, entry] of inOrder.entries()) {
    const end = inOrder[index + 1]?.start ?? listingAt
    const placed = entry.start === at ? await withLocalHeader(body, entry, end) : undefined
    if (!placed) return undefined
    laidOut.push(placed)
    at = end
  }
  return at === listingAt ? { entries: laidOut, listing, listingAt, endAt: listingSize } : undefined
}

async function withLocalHeader(
  body: OpenBody,
  { nameSize, ...entry }: Listed,
  end: number,
): Promise<ZipEntry | undefined> {
  const header = await readRange(body, entry.start, Math.min(end, entry.start + localHeaderSize))
  if (header.length < localHeaderSize || header.readUInt32LE(0) !== 0x04034b50) return undefined
  if (header.readUInt16LE(26) !== nameSize || header.readUInt16LE(8) !== entry.method) return undefined
  const headerSize = localHeaderSize + nameSize + header.readUInt16LE(28)
  const behind = end - entry.start - headerSize - entry.packedSize
  // A descriptor comes with a signature or without, in zip64 with larger numbers.
  const fits = behind === 0 || ((entry.flags & usesDescriptor) !== 0 && [12, 16, 20, 24].includes(behind))
  return fits ? { ...entry, headerSize, end } : undefined
}

interface ListedEntries {
  readonly entries: readonly Listed[]
  readonly listingSize: number
  readonly commentSize: number
}

async function listedEntries(body: OpenBody, size: number, longest: number): Promise<ListedEntries | undefined> {
  const reader = new BodyReader(body)
  let zip: ZipFile | undefined
  try {
    // Strings as bytes: a hostile name is a reason to fail only for those who unpack.
    zip = await fromRandomAccessReaderPromise(reader, size, { decodeStrings: false, autoClose: false })
    const entries: Listed[] = []
    let listingSize = 0
    for await (const entry of zip.eachEntry()) {
      const { generalPurposeBitFlag: flags, compressionMethod: method, extraFields, fileNameRaw } = entry
      entries.push({
        ...{ flags, method, crc: entry.crc32, packedSize: entry.compressedSize, size: entry.uncompressedSize },
        path: getFileNameLowLevel(flags, fileNameRaw, extraFields, false),
        nameSize: fileNameRaw.length,
        start: entry.relativeOffsetOfLocalHeader,
        listedAt: listingSize,
      })
      listingSize += 46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength
      if (listingSize > longest || extraFields.some(({ id }) => id === zip64Extra)) return undefined
    }
    return { entries, listingSize, commentSize: zip.comment.length }
  } catch {
    if (reader.fault !== undefined) throw reader.fault
    return undefined
  } finally {
    zip?.close()
  }
}

/** What yauzl reads a zip from; it reads by a few bytes, one entry after the other. */
class BodyReader extends RandomAccessReader {
  /** What reading the body threw. */
  fault: unknown
  readonly #body: OpenBody
  #window: { readonly at: number; readonly bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) }

  constructor(body: OpenBody) {
    super()
    this.#body = body
  }

  override read(
    into: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, count?: number) => void,
  ): void {
    this.#bytes(position, length).then(
      (bytes) => callback(null, bytes.copy(into, offset)),
      (error: unknown) => {
        this.fault = error
        callback(error as Error)
      },
    )
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    const { at, bytes } = this.#window
    if (position < at || position + length > at + bytes.length) {
      this.#window = {
        at: position,
        bytes: await readRange(this.#body, position, position + Math.max(length, 64 * 1024)),
      }
    }
    const from = position - this.#window.at
    return this.#window.bytes.subarray(from, from + length)
  }
}
