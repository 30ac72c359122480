import { once } from 'node:events'
import { type Pack, pack } from 'tar-stream'
import { recordJson } from '../caching/record-encoding.js'
import { type ArchiveEntry, archiveFormat, archiveVersion, names } from './layout.js'

/** The bytes of an archive of these entries, as they are asked for; whoever stops asking ends it. Throws what `entries` throws. */
export async function* writeArchive(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Uint8Array, void, void> {
  const tar = pack()
  const left = new AbortController()
  let fault: unknown
  const writing = writeAll(tar, entries, left.signal).catch((error: unknown) => {
    fault = error
    tar.destroy()
  })
  try {
    for await (const chunk of tar) yield chunk as Uint8Array
    await writing
    // A tar that was destroyed ends like a whole one.
    if (fault !== undefined) throw fault
  } catch (error) {
    throw fault ?? error
  } finally {
    left.abort()
    tar.destroy()
    await writing
  }
}

async function writeAll(tar: Pack, entries: AsyncIterable<ArchiveEntry>, left: AbortSignal): Promise<void> {
  const file = (name: string, content: unknown) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    return writeFile(tar, { name, size: Buffer.byteLength(text), chunks: [Buffer.from(text)] }, left)
  }
  let artifacts = 0
  await file(names.start, { format: archiveFormat, version: archiveVersion, createdAt: new Date().toISOString() })
  for await (const entry of entries) {
    left.throwIfAborted()
    if (entry.kind === 'pins') await file(names.pins, entry.pins)
    else if (entry.kind === 'blob') await writeFile(tar, { ...entry, name: names.blob(entry.digest) }, left)
    else {
      artifacts += 1
      await file(names.artifact(artifacts), recordJson(entry.record))
    }
  }
  await file(names.end, { artifacts })
  tar.finalize()
}

interface TarFile {
  readonly name: string
  /** Bytes; what the chunks come to. */
  readonly size: number
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

async function writeFile(tar: Pack, { name, size, chunks }: TarFile, left: AbortSignal): Promise<void> {
  let written: (error?: Error | null) => void = () => {}
  const done = new Promise<void>((resolve, reject) => {
    written = (error) => (error ? reject(error) : resolve())
  })
  done.catch(() => {})
  const sink = tar.entry({ name, size }, (error) => written(error))
  sink.on('error', () => {})
  for await (const chunk of chunks) {
    if (!sink.write(chunk)) await once(sink as unknown as NodeJS.EventEmitter, 'drain', { signal: left })
  }
  sink.end(null)
  await done
}
