import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawEnding } from './http.js'
import { missing, title } from './servers.js'
import { selfSigned, temporaryDirectory } from './stage.js'

describe.skipIf(missing('openssl').length > 0)(title('rawEnding under TLS', 'openssl'), () => {
  it.each<[ending: string, end: (raw: Socket) => unknown]>([
    ['closed', () => undefined],
    ['fin', (raw) => raw.end()],
    ['reset', (raw) => raw.resetAndDestroy()],
  ])('tells %s apart', async (ending, end) => {
    const { cert, key } = await selfSigned(await temporaryDirectory(), 'server')
    const sockets: Socket[] = []
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (_, response) => {
      if (ending === 'closed') return void response.end('whole')
      response.setHeader('Content-Length', 100)
      response.write('part', () => sockets.forEach(end))
    })
    server.on('connection', (socket: unknown) => socket instanceof Socket && sockets.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    expect(await rawEnding(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)).toBe(ending)
  })
})
