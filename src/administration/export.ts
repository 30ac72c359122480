import type { ArchiveEntry } from '../archive/layout.js'
import { writeArchive } from '../archive/write.js'
import { type Digest, inlineLimit, type StoredRecord, type StoredResponse } from '../caching/record.js'
import type { Repository } from '../caching/repository.js'
import { selectionPrefix, selects } from '../caching/selection.js'
import type { OpenBody } from '../storage/blob-store.js'
import type { AdministeredStore } from './catalogue.js'

/** What of the store goes into an archive. */
export interface ExportOrder {
  readonly repositories: readonly Repository[]
  readonly prefix?: string | undefined
  /** Over paths without their query. */
  readonly glob?: string | undefined
}

type ExportedStore = Pick<AdministeredStore, 'list' | 'open' | 'pins'>

/** Bytes read of a body at a time. */
const chunkBytes = 256 * 1024

/** An archive of what is stored now, as it is asked for. Throws `STORE_FAULT`: what came before is good, but not the whole. */
export const exported = (store: ExportedStore, order: ExportOrder): AsyncGenerator<Uint8Array, void, void> =>
  writeArchive(entriesOf(store, order))

async function* entriesOf(
  store: ExportedStore,
  { repositories, prefix = '', glob }: ExportOrder,
): AsyncGenerator<ArchiveEntry> {
  const names = new Set(repositories.map(({ name }) => name))
  // Pins speak of more than a part.
  const isWhole = prefix === '' && glob === undefined
  if (isWhole) yield { kind: 'pins', pins: store.pins().filter(({ repository }) => names.has(repository)) }
  for (const repository of names) {
    const selections = [{ repository, by: 'prefix', pattern: prefix } as const]
    const wanted = [
      ...selections,
      ...(glob === undefined ? [] : [{ repository, by: 'glob', pattern: glob } as const]),
    ].map(selects)
    const written = new Set<Digest>()
    for await (const record of store.list(selectionPrefix({ repository, by: 'prefix', pattern: prefix }))) {
      if (wanted.every((means) => means(record.key))) yield* entriesOfRecord(store, record, written)
    }
  }
}

/** `written`: large bodies that are in the archive already. */
async function* entriesOfRecord(
  store: ExportedStore,
  record: StoredRecord,
  written: Set<Digest>,
): AsyncGenerator<ArchiveEntry> {
  const opened: { readonly stored: StoredResponse; readonly body: OpenBody | undefined }[] = []
  try {
    for (const stored of record.variants) {
      if (stored.damaged) continue
      const body = stored.body.inline ? undefined : await store.open(record.key, stored)
      // One that is damaged is dropped, and so not part of what is stored.
      if (body || stored.body.inline) opened.push({ stored, body })
    }
    if (opened.length === 0) return
    yield { kind: 'artifact', record: { ...record, variants: opened.map(({ stored }) => stored) } }
    const here = new Set<Digest>()
    for (const { stored, body } of opened) {
      const { digest, size, inline } = stored.body
      if (written.has(digest) || here.has(digest)) continue
      here.add(digest)
      if (size > inlineLimit) written.add(digest)
      yield { kind: 'blob', digest, size, chunks: inline ? [inline] : chunksOf(body, size) }
    }
  } finally {
    for (const { body } of opened) body?.close()
  }
}

async function* chunksOf(body: OpenBody | undefined, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let position = 0; body && position < size; ) {
    // A new one each time: who takes it may keep it.
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, size - position))
    const count = await body.read(chunk, position)
    if (count === 0) return
    yield chunk.subarray(0, count)
    position += count
  }
}
