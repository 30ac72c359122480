import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get } from '../support/http.js'
import { missing, title } from '../support/servers.js'
import { noise, selfSigned, setStage, temporaryDirectory } from '../support/stage.js'

const body = noise(300_000)
const answer: RequestListener = (_request, response) => {
  response.writeHead(200, { 'Content-Length': body.length, ETag: '"1"' }).end(body)
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

/** A remote that speaks TLS with a certificate of its own making. */
async function secureRemote() {
  const { cert, key } = await selfSigned(await temporaryDirectory(), 'remote')
  const server = createSecureServer({ cert: await readFile(cert), key: await readFile(key) }, answer)
  return { remote: `https://127.0.0.1:${await listen(server)}`, ca: cert }
}

/** A forward proxy: absolute-form requests and CONNECT; `asked` names every target. */
async function forwardProxy() {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '')
    const [host, port] = (request.url ?? '').split(':')
    const tunnel = connect(Number(port), host)
    tunnel.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      tunnel.pipe(socket).pipe(tunnel)
    })
    for (const end of [tunnel, socket]) end.on('error', () => {})
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, asked }
}

describe.skipIf(missing('openssl').length > 0)(title('U6: the way out, as the environment says', 'openssl'), () => {
  it('a remote with a certificate of the company: refused by name without its CA, served with it', async () => {
    const { remote, ca } = await secureRemote()
    const without = await setStage({ remote })
    const refused = await get(without.url('/a'))
    expect([refused.status, refused.header('x-larder-error')]).toEqual([502, 'UPSTREAM_TLS'])
    const withCa = await setStage({ remote }, { LARDER_CA_FILE: ca })
    expect((await get(withCa.url('/a'))).body.equals(body)).toBe(true)
  })

  it('https remotes by HTTPS_PROXY, in a tunnel', async () => {
    const { remote, ca } = await secureRemote()
    const proxy = await forwardProxy()
    const { url } = await setStage({ remote }, { LARDER_CA_FILE: ca, HTTPS_PROXY: proxy.url })
    expect((await get(url('/a'))).body.equals(body)).toBe(true)
    expect(proxy.asked).toEqual([new URL(remote).host])
  })

  it('http remotes by HTTP_PROXY, the path untouched', async () => {
    const proxy = await forwardProxy()
    const { url } = await setStage({ remote: 'http://remote.example' }, { HTTP_PROXY: proxy.url })
    expect((await get(url('/a%2Bb'))).body.equals(body)).toBe(true)
    expect(proxy.asked).toEqual(['http://remote.example/a%2Bb'])
  })

  it('what NO_PROXY names goes out directly', async () => {
    const proxy = await forwardProxy()
    const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' }
    const { origin, url } = await setStage({}, env)
    origin.put('/a', body)
    expect((await get(url('/a'))).body.equals(body)).toBe(true)
    expect(proxy.asked).toEqual([])
    expect(origin.requests).toHaveLength(1)
  })
})
