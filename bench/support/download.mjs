import { connect } from 'node:net'

/**
 * A client that costs as little as Node allows: raw sockets reading into one reused buffer, bodies counted and dropped.
 * It understands what the benches' servers send: a head, then a body of known length.
 */

const BUFFER_BYTES = 256 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * @typedef {object} Transfer
 * @property {number} bytes of the body so far
 * @property {number} firstByteMs from the request to the first byte of the body
 * @property {number} totalMs from the request to the last byte
 */

/** Follows one answer through the bytes of a connection. */
class Answer {
  #head = Buffer.alloc(0)
  #length = Number.NaN
  bytes = 0

  /** @param {Buffer} chunk valid only during the call */
  take(chunk) {
    if (!Number.isNaN(this.#length)) {
      this.bytes += chunk.length
      return
    }
    this.#head = Buffer.concat([this.#head, chunk])
    const end = this.#head.indexOf(HEAD_END)
    if (end === -1) return
    const head = this.#head.toString('latin1', 0, end)
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) throw new Error(`unexpected answer: ${head}`)
    this.#length = Number(length)
    this.bytes = this.#head.length - end - HEAD_END.length
  }

  get ended() {
    return this.bytes >= this.#length
  }
}

/**
 * A connection that sends one GET after the other.
 *
 * @param {string} url names the server; the paths come with each request
 * @param {{ bufferBytes?: number }} [options]
 */
export function open(url, { bufferBytes = BUFFER_BYTES } = {}) {
  const { hostname, port, host } = new URL(url)
  /** @type {(chunk: Buffer) => boolean} */
  let onChunk = () => true
  /** @type {(error: Error) => void} */
  let onFault = () => undefined
  const buffer = Buffer.allocUnsafe(bufferBytes)
  const socket = connect({
    host: hostname,
    port: Number(port),
    noDelay: true,
    onread: { buffer, callback: (length) => onChunk(buffer.subarray(0, length)) },
  })
  socket.on('error', (error) => onFault(error))
  socket.on('close', () => onFault(new Error('the connection was closed before the answer ended')))

  return {
    /**
     * @param {string} path
     * @param {(transfer: { bytes: number, resume: () => void }) => boolean} [flow] called after each chunk; `false` stops
     *   reading until `resume`
     * @returns {Promise<Transfer>}
     */
    get(path, flow = () => true) {
      return new Promise((resolve, reject) => {
        const answer = new Answer()
        const began = performance.now()
        let firstByteMs = Number.NaN
        onFault = reject
        onChunk = (chunk) => {
          try {
            answer.take(chunk)
          } catch (error) {
            reject(error)
            socket.destroy()
            return false
          }
          if (Number.isNaN(firstByteMs) && answer.bytes > 0) firstByteMs = performance.now() - began
          if (answer.ended) resolve({ bytes: answer.bytes, firstByteMs, totalMs: performance.now() - began })
          return flow({ bytes: answer.bytes, resume: () => socket.resume() })
        }
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\n\r\n`)
      })
    },
    close() {
      onFault = () => undefined
      socket.destroy()
    },
  }
}
