import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { provide } from './servers.js'

/** Once per run, before any test: the server is built as `npm run build` does it, and the programs the tests run are there. */
export default function setup(): void {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  provide()
}
