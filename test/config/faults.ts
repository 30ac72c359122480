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

/** What is wrong with a repositories.yaml, each fault as `line:column: path: message`. */
export function faultsOf(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  return faultLines(() => parseConfig(text, 'r.yaml', env)).map((line) => line.replace(/^r\.yaml:\s?/, ''))
}
