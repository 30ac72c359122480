import { join } from 'node:path'
import { start } from './processes.mjs'

const PROGRAM = join(import.meta.dirname, 'paced-origin-process.mjs')

/**
 * @param {{ size: number, bytesPerSecond: number }} options
 * @returns {Promise<import('./nginx.mjs').Origin>}
 */
export async function startPacedOrigin({ size, bytesPerSecond }) {
  const child = start(process.execPath, [PROGRAM, String(size), String(bytesPerSecond)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let requests = 0
  /** @type {number} */
  const port = await new Promise((resolve, reject) => {
    child.process.on('message', (/** @type {import('./paced-origin-process.mjs').Message} */ message) => {
      if (message.get !== undefined) requests += 1
      if (message.port !== undefined) resolve(message.port)
    })
    child.exited.then((code) => reject(new Error(`the paced origin ended with ${code}`)), reject)
  })
  return { url: `http://127.0.0.1:${port}`, requests: () => requests, stop: child.stop }
}
