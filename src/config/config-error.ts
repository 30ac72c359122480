/** One thing wrong with the configuration. No message holds a configured value: it may be a secret. */
export interface Fault {
  /** The file as named by the caller, or `environment`. */
  readonly file: string
  /** From 1; 0 where there is no position (the environment, a file that cannot be read). */
  readonly line: number
  readonly column: number
  /** The setting (`repositories.lang-jvm.remote`) or variable; empty when the fault is the whole file's. */
  readonly path: string
  /** What was wrong, and what was expected. */
  readonly message: string
}

/** Everything wrong with a configuration, at once; its message has a line for each fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly faults: readonly Fault[]) {
    super(faults.map(asLine).join('\n'))
  }
}

function asLine({ file, line, column, path, message }: Fault): string {
  const where = line === 0 ? file : `${file}:${line}:${column}`
  return path === '' ? `${where}: ${message}` : `${where}: ${path}: ${message}`
}
