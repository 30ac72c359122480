import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { radosgwPrograms, startRadosgw } from './radosgw.js'
import { missing, provide } from './servers.js'

/**
 * Once per run, before any test: the server is built as `npm run build` does it, and the programs the tests run are there. Runs
 * of the whole suite have one S3 gateway for all of it; each of a few files has its own, if it needs one. Returns its end.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  provide()
  const isWhole = process.argv.slice(2).every((word) => word === 'run')
  if (!isWhole || process.env.LARDER_TEST_S3_ENDPOINT !== undefined || missing(...radosgwPrograms).length > 0) return
  const { url, accessKeyId, secretAccessKey, dispose } = await startRadosgw()
  Object.assign(process.env, {
    LARDER_TEST_S3_ENDPOINT: url,
    LARDER_TEST_S3_ACCESS_KEY: accessKeyId,
    LARDER_TEST_S3_SECRET_KEY: secretAccessKey,
  })
  return dispose
}
