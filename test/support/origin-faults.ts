import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './origin-answer.js'

/** How an answer goes wrong. Bytes count from the start of the body that is sent. */
export interface Fault {
  /** The connection is closed (FIN) after so many bytes. */
  readonly cut?: number
  /** The connection is reset (RST) after so many bytes. */
  readonly reset?: number
  /** Nothing more comes after so many bytes, for `ms` or for ever. */
  readonly stall?: { readonly after: number; readonly ms?: number }
  /** Bytes per second. */
  readonly rate?: number
  /** Milliseconds before the head. */
  readonly delayHeaders?: number
  /** This status instead of the file, with an XML body unless `body` says otherwise. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** How the body's end is told; default by `Content-Length`. */
  readonly framing?: 'chunked' | 'close'
  /** Says this `Content-Length` whatever the body's size. */
  readonly wrongLength?: number
  readonly redirectTo?: string
  /** HEAD is answered with this status. */
  readonly refuseHead?: number
  /** Holds after so many bytes (-1: before the head) until the gate is let go. */
  readonly gate?: { readonly after: number; readonly gate: Gate }
}

/** A place where answers wait until the test lets them go. */
export class Gate {
  /** Resolves when the first answer has come this far. */
  readonly reached: Promise<void>
  readonly #opened: Promise<void>
  #reach = () => {}
  #open = () => {}

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#reach = resolve
    })
    this.#opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  letGo(): void {
    this.#open()
  }

  pass(): Promise<void> {
    this.#reach()
    return this.#opened
  }
}

const pieceSize = 64 * 1024

/** Sends an answer the way the fault says. */
export async function deliver(request: IncomingMessage, response: ServerResponse, work: () => Answer, fault: Fault) {
  if (fault.delayHeaders !== undefined) await sleep(fault.delayHeaders)
  if (fault.gate && fault.gate.after < 0) await fault.gate.gate.pass()
  const answer = work()
  writeHead(response, answer, fault)
  if (request.method === 'HEAD' || answer.status === 304) return void response.end()
  response.flushHeaders()
  const body = answer.body.subarray(0, fault.cut ?? fault.reset)
  const stops = [fault.gate?.after, fault.stall?.after].filter((at): at is number => at !== undefined && at >= 0)
  let sent = 0
  while (!response.destroyed) {
    if (fault.gate?.after === sent) await fault.gate.gate.pass()
    if (fault.stall?.after === sent) await sleep(fault.stall.ms ?? 600_000, undefined, { ref: false })
    if (sent >= body.length) break
    const next = Math.min(...stops.filter((at) => at > sent), sent + pieceSize, body.length)
    await write(response, body.subarray(sent, next))
    if (fault.rate !== undefined) await sleep(((next - sent) / fault.rate) * 1000)
    sent = next
  }
  if (fault.reset !== undefined) response.socket?.resetAndDestroy()
  else if (fault.cut !== undefined) response.socket?.destroySoon()
  else if (fault.wrongLength !== undefined) response.socket?.end()
  else response.end()
}

function writeHead(response: ServerResponse, answer: Answer, fault: Fault): void {
  if (fault.framing === 'close') {
    response.useChunkedEncodingByDefault = false
    response.shouldKeepAlive = false
  } else if (fault.framing === undefined) {
    response.setHeader('Content-Length', fault.wrongLength ?? answer.body.length)
  }
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
  response.writeHead(answer.status)
}

/** Resolves when the kernel has taken the bytes, or the other side is gone. */
function write(response: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('close', done)
      resolve()
    }
    response.on('close', done)
    response.write(piece, done)
  })
}
