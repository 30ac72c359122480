import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { bodyOf, catalogue, tagOf, versionAt } from './support/catalogue.mjs'

/*
 * The remote: well for a while, then flapping (half the requests fail, three in ten bodies are cut, some stall), then dead for
 * a moment, and again. On the message 'heal' it is well for good. Says the port it listens on.
 */

const artifacts = new Map(catalogue(Number(process.argv[2])).map((artifact) => [artifact.path, artifact]))
const PHASES = /** @type {const} */ ([
  ['well', 8_000],
  ['flapping', 9_000],
  ['dead', 2_000],
])
const CYCLE_MS = PHASES.reduce((sum, [, ms]) => sum + ms, 0)
const PIECE = 64 * 1024
let healed = false

function phase() {
  let at = healed ? 0 : Date.now() % CYCLE_MS
  for (const [name, ms] of PHASES) {
    if (at < ms) return name
    at -= ms
  }
  return 'well'
}

/** @param {number} share */
const chance = (share) => Math.random() < share

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(request, response) {
  const now = phase()
  if (now === 'dead') return void request.socket.resetAndDestroy()
  if (now === 'flapping' && chance(0.5)) return fail(request, response)
  const artifact = artifacts.get(request.url ?? '')
  if (!artifact) return void response.writeHead(404, { 'Content-Length': 0 }).end()
  const version = versionAt(artifact, Date.now())
  const etag = artifact.tagged ? tagOf(artifact, version) : undefined
  const body = bodyOf(artifact, version)
  response.setHeader('X-Version', version)
  response.setHeader('Accept-Ranges', 'bytes')
  if (etag) response.setHeader('ETag', etag)
  const { 'if-none-match': known, 'if-range': bound, range } = request.headers
  if (etag && known === etag) return void response.writeHead(304).end()
  const [, from] = /^bytes=(\d+)-$/.exec(range ?? '') ?? []
  const start = from !== undefined && (bound === undefined || bound === etag) ? Number(from) : undefined
  if (start !== undefined && start >= body.length) {
    return void response.writeHead(416, { 'Content-Range': `bytes */${body.length}`, 'Content-Length': 0 }).end()
  }
  const part = body.subarray(start ?? 0)
  if (start !== undefined) response.setHeader('Content-Range', `bytes ${start}-${body.length - 1}/${body.length}`)
  if (!artifact.chunked || request.method === 'HEAD') response.setHeader('Content-Length', part.length)
  response.writeHead(start === undefined ? 200 : 206)
  if (request.method === 'HEAD') return void response.end()
  await send(response, part, now === 'flapping' && chance(0.3), now === 'flapping' && chance(0.05))
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {Buffer} body
 * @param {boolean} isCut
 * @param {boolean} stalls
 */
async function send(response, body, isCut, stalls) {
  const end = isCut ? Math.floor(Math.random() * body.length) : body.length
  if (stalls) await sleep(3_000)
  for (let at = 0; at < end && !response.destroyed; at += PIECE) {
    if (!response.write(body.subarray(at, Math.min(end, at + PIECE)))) await drained(response)
  }
  if (!isCut) response.end()
  else if (chance(0.5)) response.socket?.resetAndDestroy()
  else response.socket?.destroySoon()
}

/**
 * @param {import('node:http').ServerResponse} response
 * @returns {Promise<void>} when more is welcome, or never will be
 */
function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function fail(request, response) {
  const way = Math.floor(Math.random() * 4)
  if (way === 0) return void request.socket.resetAndDestroy()
  if (way === 1) await sleep(1_500)
  const status = [500, 502, 503, 429][way] ?? 503
  response.writeHead(status, { 'Content-Length': 5, ...(status === 503 && { 'Retry-After': 0 }) }).end('sorry')
}

const server = createServer({ keepAliveTimeout: 2_000 }, (request, response) => {
  answer(request, response).catch(() => response.destroy())
})
server.on('clientError', (_, socket) => socket.destroy())
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`)
})
process.on('message', () => {
  healed = true
})
