import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { bodyOf, versionAt } from './catalogue.mjs'

/**
 * @typedef {import('./catalogue.mjs').Artifact} Artifact
 * @typedef {object} Tally
 * @property {number} requests
 * @property {number} right whole answers, every byte looked at
 * @property {number} refused honest 5xx
 * @property {number} reset cut off, and not to be mistaken for whole
 * @property {number} left by a client that had enough
 * @property {string[]} wrong
 */

/** @returns {Tally} */
export const tally = () => ({ requests: 0, right: 0, refused: 0, reset: 0, left: 0, wrong: [] })

const PATIENCE_MS = 60_000
const REST_MS = 400

/** @type {readonly (readonly [number, (url: string, artifact: Artifact, count: Tally) => Promise<unknown>])[]} */
const KINDS = [
  [50, (url, artifact, count) => ask(url, artifact, count, {})],
  [15, (url, artifact, count) => ask(url, artifact, count, { range: someRange() })],
  [10, (url, artifact, count) => ask(url, artifact, count, { method: 'HEAD' })],
  [10, resume],
  [10, (url, artifact, count) => ask(url, artifact, count, { leavesAfter: Math.random() * 200_000 })],
  [5, (url, artifact, count) => ask(url, artifact, count, { isSlow: true })],
]

/**
 * One client: asks for one thing after another until it is told to stop.
 *
 * @param {string} base the repository's URL
 * @param {readonly Artifact[]} artifacts
 * @param {Tally} count
 * @param {() => boolean} goesOn
 */
export async function client(base, artifacts, count, goesOn) {
  while (goesOn()) {
    // Squared: some are asked for often, some hardly ever, and go.
    const artifact = artifacts[Math.floor(Math.random() ** 2 * artifacts.length)]
    if (artifact) await kind()(base + artifact.path, artifact, count)
    await sleep(Math.random() * REST_MS)
  }
}

function kind() {
  let at = Math.random() * 100
  for (const [weight, run] of KINDS) {
    if (at < weight) return run
    at -= weight
  }
  return resume
}

function someRange() {
  const start = Math.floor(Math.random() * 100_000)
  const forms = [`bytes=${start}-`, `bytes=${start}-${start + 5000}`, `bytes=-${start + 1}`]
  return forms[Math.floor(Math.random() * forms.length)]
}

/**
 * Leaves in the middle and goes on later from where it was.
 *
 * @param {string} url
 * @param {Artifact} artifact
 * @param {Tally} count
 */
async function resume(url, artifact, count) {
  const first = await ask(url, artifact, count, { leavesAfter: Math.random() * 100_000 })
  if (!first || first.taken === 0) return
  const etag = first.headers.etag
  await ask(url, artifact, count, { range: `bytes=${first.taken}-`, ...(etag !== undefined && { ifRange: etag }) })
}

/**
 * @typedef {{ method?: string, range?: string | undefined, ifRange?: string, leavesAfter?: number, isSlow?: boolean }} Wish
 * @typedef {{ status: number, headers: import('node:http').IncomingHttpHeaders, taken: number }} Taken
 *
 * @param {string} url
 * @param {Artifact} artifact
 * @param {Tally} count
 * @param {Wish} wish
 * @returns {Promise<Taken | undefined>}
 */
function ask(url, artifact, count, wish) {
  const { method = 'GET', range, ifRange } = wish
  const headers = {
    ...(range !== undefined && { Range: range }),
    ...(ifRange !== undefined && { 'If-Range': ifRange }),
  }
  count.requests += 1
  return new Promise((resolve) => {
    const sent = request(url, { method, headers, agent: false, timeout: PATIENCE_MS })
    sent.on('timeout', () => {
      count.wrong.push(`${artifact.path}: nothing came for ${PATIENCE_MS} ms`)
      sent.destroy()
    })
    sent.on('error', () => {
      count.reset += 1
      resolve(undefined)
    })
    sent.on('response', (response) => {
      resolve(
        take(response, artifact, count, wish).catch((error) => {
          count.wrong.push(`${artifact.path}: ${error.message}`)
          response.destroy()
          return undefined
        }),
      )
    })
    sent.end()
  })
}

/**
 * Reads an answer and compares every byte with what the version it names has at that place.
 *
 * @param {import('node:http').IncomingMessage} response
 * @param {Artifact} artifact
 * @param {Tally} count
 * @param {Wish} wish
 * @returns {Promise<Taken>}
 */
async function take(response, artifact, count, { method, leavesAfter = Number.POSITIVE_INFINITY, isSlow = false }) {
  const { headers, statusCode: status = 0 } = response
  if (status >= 500 || status === 404) {
    response.resume()
    if (status === 404) throw new Error('404 for what is there')
    count.refused += 1
    return { status, headers, taken: 0 }
  }
  const version = Number(headers['x-version'])
  if (!(version <= versionAt(artifact, Date.now()))) throw new Error(`version ${headers['x-version']} was never there`)
  const body = bodyOf(artifact, version)
  const start = startOf(status, headers, body.length)
  let taken = 0
  try {
    for await (const chunk of response) {
      const expected = body.subarray(start + taken, start + taken + chunk.length)
      if (!expected.equals(chunk)) throw new Error(`wrong bytes from ${start + taken} on, version ${version}`)
      taken += chunk.length
      if (taken > leavesAfter) {
        count.left += 1
        return { status, headers, taken }
      }
      if (isSlow) await sleep(100)
    }
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === undefined) throw error
    count.reset += 1
    return { status, headers, taken }
  }
  const wanted = method === 'HEAD' || status === 416 ? 0 : endOf(status, headers, body.length) - start
  if (taken !== wanted) throw new Error(`ended well after ${taken} of ${wanted} bytes, status ${status}`)
  count.right += 1
  return { status, headers, taken }
}

/**
 * @param {number} status
 * @param {import('node:http').IncomingHttpHeaders} headers
 * @param {number} size
 */
function startOf(status, headers, size) {
  if (status === 200 || status === 416) return 0
  const [, start, , whole] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? []
  if (status !== 206 || Number(whole) !== size) throw new Error(`${status} with ${headers['content-range']} of ${size}`)
  return Number(start)
}

/**
 * @param {number} status
 * @param {import('node:http').IncomingHttpHeaders} headers
 * @param {number} size
 */
const endOf = (status, headers, size) =>
  status === 206 ? Number(/-(\d+)\//.exec(headers['content-range'] ?? '')?.[1]) + 1 : size
