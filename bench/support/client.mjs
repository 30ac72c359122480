import { join } from 'node:path'
import { start } from './processes.mjs'

const PROGRAM = join(import.meta.dirname, 'client-process.mjs')

/**
 * @typedef {import('./client-process.mjs').Transfer} Transfer
 * @typedef {{ cpuShare: number }} Cost the client's own CPU seconds by the second; near 1, it is the limit
 */

/** A Node client in a process of its own; see client-process.mjs. One plan at a time. */
export function startClient() {
  const child = start(process.execPath, [PROGRAM], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = child.exited.then((code) => {
    throw new Error(`the client ended with ${code}`)
  })
  ended.catch(() => undefined)

  /**
   * @template Result
   * @param {import('./client-process.mjs').Plan} plan
   * @returns {Promise<Result & Cost>}
   */
  function carryOut(plan) {
    const answer = new Promise((resolve, reject) => {
      child.process.once('message', (/** @type {{ result?: any, fault?: string }} */ { result, fault }) => {
        if (fault === undefined) resolve(result)
        else reject(new Error(`client: ${fault} (${plan.kind} ${plan.url})`))
      })
    })
    child.process.send(plan)
    return Promise.race([answer, ended])
  }

  return {
    /** @param {string} url @returns {Promise<Transfer & Cost>} */
    fetch: (url) => carryOut({ kind: 'fetch', url }),
    /** @param {{ url: string, connections: number, seconds: number }} plan @returns {Promise<{ bytes: number, bytesPerSecond: number } & Cost>} */
    drain: (plan) => carryOut({ kind: 'drain', ...plan }),
    /** @param {{ url: string, clients: number, joinAfterMs: number }} plan @returns {Promise<{ transfers: Transfer[], joiner: Transfer } & Cost>} */
    herd: (plan) => carryOut({ kind: 'herd', ...plan }),
    /** @param {{ url: string, readers: number, bytesPerSecond: number, seconds: number }} plan @returns {Promise<{ bytesPerSecond: number } & Cost>} */
    crawl: (plan) => carryOut({ kind: 'crawl', ...plan }),
    /** @param {{ url: string, keys: number, connections: number }} plan @returns {Promise<Cost>} */
    sow: (plan) => carryOut({ kind: 'sow', ...plan }),
    stop: child.stop,
  }
}
