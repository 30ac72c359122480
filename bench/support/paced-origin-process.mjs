import { randomFillSync } from 'node:crypto'
import { createServer } from 'node:http'

/**
 * An origin behind a thin line, run as a process of its own: all answers together get `rate` bytes a second, evenly in
 * small steps. Every path is an object of `size` bytes that begins with its name, so that no two are the same.
 * Arguments: size and rate in bytes.
 *
 * @typedef {{ port?: number, get?: string }} Message to the parent: the port once, the path of each GET
 */

const STEP_MS = 4
// A late step makes up for what was missed, so that the rate is kept; but a stall doesn't turn into a burst.
const CATCH_UP_SECONDS = 0.05
const NAME_BYTES = 256

const [size = 0, rate = 0] = process.argv.slice(2).map(Number)
const body = randomFillSync(Buffer.alloc(size))

/** @typedef {{ response: import('node:http').ServerResponse, name: Buffer, sent: number }} Transfer */
/** @type {Set<Transfer>} */
const transfers = new Set()
let tokens = 0
let filledAt = 0

setInterval(() => {
  const now = performance.now()
  tokens = Math.min(tokens + ((now - filledAt) / 1000) * rate, rate * CATCH_UP_SECONDS)
  filledAt = now
  const share = Math.floor(tokens / transfers.size)
  for (const transfer of transfers) tokens -= advance(transfer, share)
}, STEP_MS)

/**
 * @param {Transfer} transfer
 * @param {number} limit
 * @returns {number} how many bytes went out
 */
function advance(transfer, limit) {
  const { response, name, sent } = transfer
  if (response.writableNeedDrain) return 0
  const chunk = sent < NAME_BYTES ? name.subarray(sent, sent + limit) : body.subarray(sent, sent + limit)
  transfer.sent += chunk.length
  response.write(chunk)
  if (transfer.sent === size) {
    transfers.delete(transfer)
    response.end()
  }
  return chunk.length
}

const server = createServer((request, response) => {
  const path = request.url ?? '/'
  process.send?.({ get: path })
  response.writeHead(200, { 'Content-Length': size, 'Content-Type': 'application/gzip', ETag: `"${path}"` })
  response.flushHeaders()
  if (transfers.size === 0) {
    tokens = 0
    filledAt = performance.now()
  }
  const transfer = { response, name: Buffer.alloc(NAME_BYTES, `${path} `), sent: 0 }
  transfers.add(transfer)
  response.once('close', () => transfers.delete(transfer))
})

server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: /** @type {import('node:net').AddressInfo} */ (server.address()).port })
})
process.once('disconnect', () => process.exit())
