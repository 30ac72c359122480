import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract, type Header } from 'tar-stream'
import type { Digest } from '../caching/record.js'
import { recordOfJson } from '../caching/record-encoding.js'
import type { Selection } from '../caching/selection.js'
import { isLarderError, LarderError } from '../errors.js'
import { type ArchiveEntry, archiveFormat, archiveVersion, artifactName, blobName, names } from './layout.js'

/** Bytes of an entry of JSON; a record of eight variants with all the fields they may have is well below. */
const longestJson = 1024 * 1024

/**
 * The entries of an archive, in their order; what of a blob's chunks is left when the next entry is asked for is passed over.
 * No entry's name is ever taken for a path. Throws `ARCHIVE_INVALID`, which says where.
 */
export async function* readArchive(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry, void, void> {
  const source = Readable.from(bytes)
  const tar = extract()
  source.on('error', (error) => tar.destroy(error))
  source.pipe(tar as unknown as NodeJS.WritableStream)
  let place = 'at its beginning'
  let state: 'begins' | 'open' | 'ended' = 'begins'
  const entries = tar[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { done, value: entry } = await entries.next().catch((error: unknown) => {
        throw invalid(place, error instanceof Error ? error.message : String(error), error)
      })
      if (done) break
      const { header } = entry
      const at = `in ${printable(header.name)}`
      if (state === 'ended') throw invalid(at, 'it goes on behind its end')
      const chunks = entry as unknown as AsyncIterable<Uint8Array>
      if (state === 'begins') {
        checkStart(header, at, await json(chunks, header, at))
        state = 'open'
      } else if (header.name === names.end) {
        await json(chunks, header, at)
        state = 'ended'
      } else {
        yield await entryOf(header, chunks, at)
        entry.resume()
      }
      place = `behind ${printable(header.name)}`
    }
  } finally {
    tar.destroy()
    source.destroy()
  }
  if (state === 'begins') throw invalid(place, 'it is empty')
  if (state === 'open') throw invalid(place, 'it breaks off')
}

async function entryOf(header: Header, chunks: AsyncIterable<Uint8Array>, at: string): Promise<ArchiveEntry> {
  const { name, size, type } = header
  if (type !== 'file') throw invalid(at, `it is no file but a ${type}`)
  const hex = blobName.exec(name)?.[1]
  if (hex !== undefined)
    return { kind: 'blob', digest: `sha256:${hex}` satisfies Digest, size, chunks: told(chunks, at) }
  if (name === names.pins) return { kind: 'pins', pins: pinsOf(parsed(await json(chunks, header, at), at), at) }
  if (!artifactName.test(name)) throw invalid(at, 'no export has a file of that name')
  const record = recordOfJson(await json(chunks, header, at))
  if (!record) throw invalid(at, 'it is not the record of an artifact')
  return { kind: 'artifact', record }
}

/** A body that breaks off is a fault of the archive. */
async function* told(chunks: AsyncIterable<Uint8Array>, at: string): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* chunks
  } catch (error) {
    throw invalid(at, 'it breaks off', error)
  }
}

function checkStart({ name }: Header, at: string, text: string): void {
  const start = name === names.start ? (parsed(text, at) as { format?: unknown; version?: unknown } | null) : null
  if (start?.format !== archiveFormat) throw invalid(at, `it does not begin with ${names.start}: no export of Larder's`)
  if (start.version !== archiveVersion) {
    throw invalid(at, `its version is ${printable(String(start.version))}, expected ${archiveVersion}`)
  }
}

async function json(chunks: AsyncIterable<Uint8Array>, { size }: Header, at: string): Promise<string> {
  if (size > longestJson) throw invalid(at, `it has ${size} bytes, more than ${longestJson}`)
  try {
    return (await buffer(chunks)).toString()
  } catch (error) {
    throw invalid(at, 'it breaks off', error)
  }
}

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalid(at, 'it is not JSON', error)
  }
}

const ways: ReadonlySet<unknown> = new Set(['path', 'prefix', 'glob', 'all'])

function pinsOf(value: unknown, at: string): readonly Selection[] {
  const isPin = (pin: Partial<Selection> | null) =>
    typeof pin?.repository === 'string' && ways.has(pin.by) && typeof pin.pattern === 'string'
  if (!Array.isArray(value) || !value.every(isPin)) throw invalid(at, 'it is not a list of pins')
  return value.map(({ repository, by, pattern }: Selection) => ({ repository, by, pattern }))
}

const invalid = (place: string, why: string, cause?: unknown): LarderError =>
  isLarderError(cause)
    ? cause
    : new LarderError('ARCHIVE_INVALID', `the archive is not whole, ${place}: ${why}`, { cause })

/** Names are anybody's. */
const printable = (name: string) => JSON.stringify(name.slice(0, 100))
