import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// Debian keeps nginx where only root's PATH looks.
const PLACES = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

/**
 * The programs the benches need beside Node. Throws with all that are missing, and what to install.
 *
 * @returns {{ nginx: string, wrk: string }}
 */
export function findTools() {
  const tools = { nginx: find('nginx'), wrk: find('wrk') }
  const missing = Object.entries(tools).flatMap(([name, path]) => (path === undefined ? [name] : []))
  if (missing.length > 0) {
    throw new Error(`not found: ${missing.join(', ')}. On Debian and Ubuntu: apt-get install nginx-light wrk`)
  }
  return /** @type {{ nginx: string, wrk: string }} */ (tools)
}

/** @param {string} name where that program is, if it is here */
export function find(name) {
  return PLACES.map((place) => join(place, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @returns {Promise<number>} a port nobody listens on at this moment */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}

/**
 * Polls until `url` answers 200.
 *
 * @param {string} url
 * @param {import('./processes.mjs').Child} child given up on at once when it ends
 * @param {number} limitMs
 */
export async function untilAnswering(url, child, limitMs) {
  const deadline = performance.now() + limitMs
  while (performance.now() < deadline) {
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => undefined,
    )
    if (status === 200) return
    if (child.process.exitCode !== null) throw new Error(`${url}: the server ended with ${child.process.exitCode}`)
    await sleep(5)
  }
  throw new Error(`${url}: no answer within ${limitMs} ms`)
}
