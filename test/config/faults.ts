import { join } from 'node:path'
import { ConfigError } from '../../src/config/config-error.js'
import { parseConfig } from '../../src/config/load.js'

/** The lines of the `ConfigError` that `run` throws; none when it doesn't throw. */
export function faultLines(run: () => unknown): string[] {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

/** What is wrong with a repositories.yaml in `directory`, each fault as `line:column: path: message`. */
export function faultsIn(directory: string, text: string, env: NodeJS.ProcessEnv = {}): string[] {
  const file = join(directory, 'r.yaml')
  return faultLines(() => parseConfig(text, file, env)).map((line) =>
    line.startsWith(`${file}:`) ? line.slice(file.length + 1).trimStart() : line,
  )
}

export const faultsOf = (text: string, env: NodeJS.ProcessEnv = {}): string[] => faultsIn('', text, env)
