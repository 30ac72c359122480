import { Readable } from 'node:stream'
import { runCommand } from '../../src/cli/program.js'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  /** What was written to standard output as bytes, if anything. */
  readonly bytes: Buffer | undefined
}

/** A command in this process, as typed. `interrupt` presses Ctrl-C as soon as somebody listens for it. */
export async function larder(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { interactive = false, interrupt = false, input = '', bytesIn = undefined as Uint8Array | undefined } = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const written: Uint8Array[] = []
  const code = await runCommand(argv, '0.0.0-test', {
    out(text) {
      out += text
    },
    err(text) {
      err += text
    },
    env,
    input: async () => input,
    bytesIn: bytesIn && Readable.from([bytesIn]),
    async bytesOut(bytes) {
      for await (const chunk of bytes) written.push(chunk)
    },
    interactive,
    onInterrupt(listener) {
      if (interrupt) listener()
      return () => {}
    },
  })
  return { code, out, err, bytes: written.length > 0 ? Buffer.concat(written) : undefined }
}
