import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A client's connection by hand, for as long as the test runs. Bytes are latin1. */
export interface Connection {
  readonly socket: Socket
  /** All that came so far. */
  received(): string
  /** Sends bytes, then waits until what comes from now on fits; throws where the connection ends before. */
  ask(bytes: string, fits: RegExp): Promise<string>
  /** Resolves with all that came when the connection has ended, however that was. */
  readonly ended: Promise<string>
}

export async function openConnection(url: string, localAddress?: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...(localAddress && { localAddress }) })
  socket.setEncoding('latin1')
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  socket.on('error', () => {})
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return {
    socket,
    ended,
    received: () => text,
    async ask(bytes, fits) {
      const from = text.length
      if (bytes !== '') socket.write(bytes, 'latin1')
      while (!fits.test(text.slice(from))) {
        const more = new Promise<boolean>((resolve) => socket.once('data', () => resolve(false)))
        const isOver = await Promise.race([more, ended.then(() => true)])
        if (isOver && !fits.test(text.slice(from))) throw new Error(`the connection ended after: ${text.slice(from)}`)
      }
      return text.slice(from)
    },
  }
}
