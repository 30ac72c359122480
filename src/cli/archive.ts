import type { ImportReport } from '../administration/views.js'
import type { ApiClient } from './api-client.js'
import { CommandFailed, json, NotUnderstood, printable, size, type Terminal } from './terminal.js'

export interface ExportOptions {
  readonly repository?: string
  readonly prefix?: string
  readonly glob?: string
  readonly json?: boolean
}

/** Milliseconds between two looks at how far it is. */
const glance = 250

export async function exportArchive(api: ApiClient, terminal: Terminal, options: ExportOptions): Promise<void> {
  const { bytesOut } = terminal
  if (!bytesOut) throw new NotUnderstood('an archive is nothing for a screen: larder export > larder.tar')
  const { repository, prefix, glob } = options
  const meter = createMeter(terminal, 'exported')
  try {
    await bytesOut(meter.through(api.download('/export', { repository, prefix, glob })))
  } finally {
    meter.end()
  }
  terminal.err(options.json ? json({ bytes: meter.bytes() }) : `${size(meter.bytes())} exported\n`)
}

export interface ImportOptions {
  readonly force?: boolean
  readonly json?: boolean
}

/** Throws `CommandFailed` where something was left out, after listing it. */
export async function importArchive(api: ApiClient, terminal: Terminal, options: ImportOptions): Promise<void> {
  const { bytesIn } = terminal
  if (!bytesIn) throw new NotUnderstood('expected an archive on standard input: larder import < larder.tar')
  const meter = createMeter(terminal, 'sent')
  let report: ImportReport
  try {
    report = await api.upload<ImportReport>('/import', { force: options.force }, meter.through(unlessEmpty(bytesIn)))
  } finally {
    meter.end()
  }
  const { imported, present, skipped, bytes, findings } = report
  if (options.json) terminal.out(json(report))
  else {
    for (const { artifact, reason } of findings) terminal.err(`skipped ${printable(artifact)}: ${reason}\n`)
    terminal.out(`${imported} imported, ${size(bytes)}; ${present} here already, as new or newer; ${skipped} skipped\n`)
  }
  if (skipped > 0) throw new CommandFailed(`${skipped} artifacts of the archive were skipped`)
}

/** Node's fetch never ends a request whose streamed body has no byte. */
async function* unlessEmpty(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let isEmpty = true
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    isEmpty = false
    yield chunk
  }
  if (isEmpty) throw new CommandFailed('there is nothing on standard input')
}

/** Counts bytes that pass by, and shows the count to whoever watches. */
function createMeter({ interactive, err }: Terminal, verb: string) {
  const began = performance.now()
  let bytes = 0
  let shown = began
  return {
    bytes: () => bytes,
    async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
      for await (const chunk of chunks) {
        bytes += chunk.length
        yield chunk
        const now = performance.now()
        if (!interactive || now - shown < glance) continue
        shown = now
        err(`\r\u001b[K${size(bytes)} ${verb}, ${size(Math.round((bytes * 1000) / (now - began)))}/s`)
      }
    },
    end() {
      if (interactive) err('\r\u001b[K')
    },
  }
}
