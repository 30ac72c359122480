import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ForwardProxy, type Login, startForwardProxy } from '../support/forward-proxy.js'
import { get } from '../support/http.js'
import { at, secureRemote, serve, someOrigin } from '../support/served.js'
import { missing, title } from '../support/servers.js'
import { noise, selfSigned, temporaryDirectory } from '../support/stage.js'

const body = noise(100_000)

const proxyPrograms = ['squid', 'openssl'] as const

describe.skipIf(missing(...proxyPrograms).length > 0)(title('U6: a real egress proxy', ...proxyPrograms), () => {
  const login: Login = { user: 'me', password: 's3cret-of-proxy' }
  let open: ForwardProxy
  let closed: ForwardProxy
  beforeAll(async () => {
    open = await startForwardProxy()
    closed = await startForwardProxy(login)
  })
  afterAll(async () => {
    await open?.dispose()
    await closed?.dispose()
  })
  const as = (password: string) => `http://${login.user}:${password}@${closed.host}`

  async function secure() {
    const { cert, key } = await selfSigned(await temporaryDirectory(), 'remote')
    const identity = { cert: await readFile(cert), key: await readFile(key) }
    const host = await secureRemote(identity, (_request, response) =>
      response.writeHead(200, { 'Content-Length': body.length }).end(body),
    )
    return { host, cert }
  }

  it('each repository goes its own way: by the process, by its own proxy, directly', async () => {
    const plain = await someOrigin()
    plain.put('/a%2Bb', body)
    const larder = await serve(
      {
        common: { remote: plain.url },
        own: { remote: plain.url, proxy: as(login.password) },
        direct: { remote: plain.url, proxy: 'direct' },
      },
      { HTTP_PROXY: `http://${open.host}` },
    )
    for (const name of ['common', 'own', 'direct']) {
      expect((await get(at(larder, name, '/a%2Bb'))).body.equals(body)).toBe(true)
    }
    const line = `GET ${plain.url}/a%2Bb 200`
    await expect.poll(() => closed.requests()).toContain(line)
    expect((await open.requests()).filter((each) => each === line)).toHaveLength(1)
    expect((await closed.requests()).filter((each) => each === line)).toHaveLength(1)
    expect(plain.requests).toHaveLength(3)
  })

  it('https goes through a tunnel that wants a password', async () => {
    const { host, cert } = await secure()
    const larder = await serve({ own: { remote: `https://${host}`, proxy: as(login.password), tls: { ca: cert } } })
    expect((await get(at(larder, 'own', '/a'))).body.equals(body)).toBe(true)
    await larder.stop()
    await expect.poll(async () => (await closed.requests()).join()).toContain(`CONNECT ${host} 200`)
  })

  it.each(['http', 'https'])(
    'a wrong password: the log names the proxy, and keeps the password: %s',
    async (scheme) => {
      const larder = await serve({ own: { remote: `${scheme}://127.0.0.1:1`, proxy: as('wr0ng-password') } })
      const refused = await get(at(larder, 'own', '/a'))
      expect([refused.status, refused.header('x-larder-error')]).toEqual([502, 'UPSTREAM_UNAUTHORIZED'])
      const line = await larder.log(({ msg }) => msg === 'remote in trouble')
      expect(JSON.stringify(line)).toContain(`egress proxy ${closed.host} does not accept the credentials`)
      expect(JSON.stringify(larder.logs)).not.toContain('wr0ng')
    },
  )

  it('NO_PROXY holds for the proxy of the process', async () => {
    const plain = await someOrigin()
    plain.put('/a', body)
    const env = { HTTP_PROXY: `http://${open.host}`, NO_PROXY: 'localhost,127.0.0.0/8' }
    const larder = await serve({ common: { remote: plain.url } }, env)
    expect((await get(at(larder, 'common', '/a'))).body.equals(body)).toBe(true)
    expect((await open.requests()).filter((line) => line.includes(plain.host))).toEqual([])
  })

  it('U5: what a redirect names is judged here, whatever the proxy would reach', async () => {
    const plain = await someOrigin()
    plain.plan('/a', { redirectTo: 'http://169.254.169.254/latest/meta-data' })
    const larder = await serve({ common: { remote: plain.url } }, { HTTP_PROXY: `http://${open.host}` })
    const refused = await get(at(larder, 'common', '/a'))
    expect([refused.status, refused.header('x-larder-error')]).toEqual([502, 'REDIRECT_REFUSED'])
    expect((await open.requests()).join()).not.toContain('169.254.169.254')
  })
})
