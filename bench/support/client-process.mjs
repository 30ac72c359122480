import { setTimeout as sleep } from 'node:timers/promises'
import { open } from './download.mjs'

/**
 * The Node client, run as a process of its own so that the bench's own work doesn't disturb it. Takes one plan after
 * the other from the parent and answers each with its result and the CPU share it took.
 *
 * @typedef {import('./download.mjs').Transfer} Transfer
 * @typedef {{ kind: 'fetch', url: string }} Fetch one GET
 * @typedef {{ kind: 'drain', url: string, connections: number, seconds: number }} Drain one GET after the other
 * @typedef {{ kind: 'herd', url: string, clients: number, joinAfterMs: number }} Herd all at once, and one more later
 * @typedef {{ kind: 'crawl', url: string, readers: number, bytesPerSecond: number, seconds: number }} Crawl slow readers
 * @typedef {{ kind: 'sow', url: string, keys: number, connections: number }} Sow GETs of `<url>0` to `<url><keys - 1>`
 * @typedef {Fetch | Drain | Herd | Crawl | Sow} Plan
 */

// Small enough that a slow reader takes many small sips rather than a gulp a second.
const SIP_BYTES = 8 * 1024

/** @param {string} url */
async function once(url) {
  const connection = open(url)
  try {
    return await connection.get(pathOf(url))
  } finally {
    connection.close()
  }
}

/** @param {Drain} plan */
async function drain({ url, connections, seconds }) {
  const readers = Array.from({ length: connections }, () => open(url))
  let bytes = 0
  const began = performance.now()
  const reading = readers.map(async (reader) => {
    for (;;) {
      let seen = 0
      await reader.get(pathOf(url), (transfer) => {
        bytes += transfer.bytes - seen
        seen = transfer.bytes
        return true
      })
    }
  })
  // They read on until they are closed: only a fault ends them before.
  await Promise.race([sleep(seconds * 1000), ...reading])
  const bytesPerSecond = bytes / ((performance.now() - began) / 1000)
  for (const reader of readers) reader.close()
  return { bytes, bytesPerSecond }
}

/** @param {Herd} plan */
async function herd({ url, clients, joinAfterMs }) {
  const waiting = Array.from({ length: clients }, () => once(url))
  const joining = sleep(joinAfterMs).then(() => once(url))
  const [transfers, joiner] = await Promise.all([Promise.all(waiting), joining])
  return { transfers, joiner }
}

/** @param {Crawl} plan */
async function crawl({ url, readers, bytesPerSecond, seconds }) {
  const began = performance.now()
  const connections = Array.from({ length: readers }, () => open(url, { bufferBytes: SIP_BYTES }))
  /** @type {number[]} */
  const taken = new Array(readers).fill(0)
  const ends = connections.map((connection, reader) =>
    connection.get(pathOf(url), ({ bytes, resume }) => {
      taken[reader] = bytes
      setTimeout(resume, Math.max(1, began + (bytes / bytesPerSecond) * 1000 - performance.now()))
      return false
    }),
  )
  // No reader may come to an end: an error rejects, and a body that ends was not read slowly.
  const early = Promise.race(ends).then(() => {
    throw new Error('a slow reader reached the end')
  })
  await Promise.race([sleep(seconds * 1000), early])
  for (const connection of connections) connection.close()
  return { bytesPerSecond: total(taken) / ((performance.now() - began) / 1000) }
}

/** @param {Sow} plan */
async function sow({ url, keys, connections }) {
  const path = pathOf(url)
  let next = 0
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = open(url)
      while (next < keys) await connection.get(`${path}${next++}`)
      connection.close()
    }),
  )
  return {}
}

/** @param {string} url the path as it stands there: `URL` would normalise it */
function pathOf(url) {
  return url.slice(new URL(url).origin.length)
}

/** @param {readonly number[]} numbers */
function total(numbers) {
  return numbers.reduce((sum, n) => sum + n, 0)
}

/** @param {Plan} plan */
function carryOut(plan) {
  switch (plan.kind) {
    case 'fetch':
      return once(plan.url)
    case 'drain':
      return drain(plan)
    case 'herd':
      return herd(plan)
    case 'crawl':
      return crawl(plan)
    case 'sow':
      return sow(plan)
  }
}

process.on('message', async (/** @type {Plan} */ plan) => {
  const began = performance.now()
  const before = process.cpuUsage()
  try {
    const result = await carryOut(plan)
    const { user, system } = process.cpuUsage(before)
    const cpuShare = (user + system) / 1000 / (performance.now() - began)
    process.send?.({ result: { ...result, cpuShare } })
  } catch (error) {
    process.send?.({ fault: error instanceof Error ? error.message : String(error) })
  }
})
process.once('disconnect', () => process.exit())
