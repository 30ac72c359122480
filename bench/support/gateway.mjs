import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { start, stopLater } from './processes.mjs'
import { freePort } from './tools.mjs'

const SCRIPT = join(import.meta.dirname, '..', '..', 'test', 'support', 'radosgw.sh')
const BUCKET = 'larder-bench'

export const GATEWAY_PROGRAMS = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'ceph', 'curl']

/**
 * Ceph's gateway, its objects in memory, with a bucket.
 *
 * @param {string} directory
 * @returns {Promise<Readonly<Record<string, string>>>} the environment of a Larder that stores there
 */
export async function startGateway(directory) {
  const home = join(directory, 'gateway')
  stopLater(() => void spawnSync('bash', [SCRIPT, 'down', home]))
  const ports = { S3_PORT: `${await freePort()}`, MON_PORT: `${await freeBlock()}` }
  const child = start('bash', [SCRIPT, 'up', home], { env: { ...process.env, ...ports } })
  const { stdout, stderr } = child.process
  if (stdout === null || stderr === null) throw new Error('the gateway needs its output piped')
  const [output, faults, code] = await Promise.all([text(stdout), text(stderr), child.exited])
  if (code !== 0) throw new Error(`the gateway doesn't run: ${faults}`)
  const [endpoint = '', access = '', secret = ''] = [...output.matchAll(/=(\S+)/g)].map(([, value]) => value)
  const signed = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', `${access}:${secret}`]
  const fields = ['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD']
  execFileSync('curl', ['-q', '-sS', '--fail-with-body', ...signed, ...fields, '-X', 'PUT', `${endpoint}/${BUCKET}`])
  return {
    LARDER_S3_BUCKET: BUCKET,
    LARDER_S3_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: access,
    AWS_SECRET_ACCESS_KEY: secret,
  }
}

/** The monitor takes a port, and its fellows the twenty behind it: below those that clients are given. */
async function freeBlock() {
  return 18_000 + 20 * ((await freePort()) % 600)
}
