import { start } from './processes.mjs'
import { find, freePort } from './tools.mjs'

/**
 * A Redis without persistence. Larder does not wait for it, nor need we.
 *
 * @param {string} directory
 * @returns {Promise<string>} its URL
 */
export async function startRedis(directory) {
  const port = await freePort()
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  start(find('redis-server') ?? '', settings, { stdio: 'ignore' })
  return `redis://127.0.0.1:${port}`
}
