import { runCommand } from '../../src/cli/program.js'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A command in this process, as typed. `interrupt` presses Ctrl-C as soon as somebody listens for it. */
export async function larder(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { interactive = false, interrupt = false, input = '' } = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const code = await runCommand(argv, '0.0.0-test', {
    out(text) {
      out += text
    },
    err(text) {
      err += text
    },
    env,
    input: async () => input,
    interactive,
    onInterrupt(listener) {
      if (interrupt) listener()
      return () => {}
    },
  })
  return { code, out, err }
}
