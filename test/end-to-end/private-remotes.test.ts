import { readFile } from 'node:fs/promises'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { get } from '../support/http.js'
import { at, secureRemote, serve, someOrigin } from '../support/served.js'
import { missing, title } from '../support/servers.js'
import { noise, selfSigned, temporaryDirectory } from '../support/stage.js'

const body = noise(100_000)

describe('U6: credentials, as repositories.yaml has them', () => {
  it('basic, bearer and headers reach their remotes, and come from the environment and from files', async () => {
    const remote = await someOrigin()
    remote.put('/a', body)
    const larder = await serve(
      {
        basic: { remote: remote.url, auth: { basic: { username: 'me', password: '${' + 'PASSWORD}' } } },
        bearer: { remote: remote.url, auth: { bearer: '${' + 'TOKEN}' } },
        keyed: { remote: remote.url, headers: { 'X-JFrog-Art-Api': '${' + 'KEY}' } },
        open: { remote: remote.url },
      },
      { PASSWORD: 'pw', TOKEN: 'tok', KEY: 'key' },
    )
    const seen = []
    for (const name of ['basic', 'bearer', 'keyed', 'open']) {
      expect((await get(at(larder, name, '/a'))).body.equals(body)).toBe(true)
      const { authorization, 'x-jfrog-art-api': key } = remote.requests.at(-1)?.headers ?? {}
      seen.push(authorization ?? key)
    }
    expect(seen).toEqual(['Basic bWU6cHc=', 'Bearer tok', 'key', undefined])
  })

  it("the repository's come before a client's, even where those are forwarded", async () => {
    const remote = await someOrigin()
    remote.put('/a', body)
    const own = { remote: remote.url, auth: { bearer: 'ours' }, forwardRequestHeaders: ['authorization'] }
    const larder = await serve({ own })
    await get(at(larder, 'own', '/a'), { headers: { Authorization: 'Bearer theirs' } })
    expect(remote.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer ours'])
  })

  it('what a 401 or 403 is about is said in the log', async () => {
    const remote = await someOrigin()
    remote.plan('/a', { status: 401 })
    remote.plan('/b', { status: 403 })
    const larder = await serve({ own: { remote: remote.url, auth: { bearer: 'old' } } })
    expect((await get(at(larder, 'own', '/a'))).status).toBe(502)
    expect((await get(at(larder, 'own', '/b'))).status).toBe(403)
    for (const status of [401, 403]) {
      await larder.log((line) => line.msg === 'remote refuses our credentials' && line.status === status)
    }
  })
})

describe.skipIf(missing('openssl').length > 0)(title('U6: TLS of a repository', 'openssl'), () => {
  /** A remote that wants the client certificate given, and answers with the body. */
  async function certain() {
    const directory = await temporaryDirectory()
    const [own, client] = [await selfSigned(directory, 'remote'), await selfSigned(directory, 'client')]
    const read = async (file: string) => readFile(file, 'utf8')
    const options = { cert: await read(own.cert), key: await read(own.key), ca: [await read(client.cert)] }
    const host = await secureRemote(
      { ...options, requestCert: true, rejectUnauthorized: false },
      ({ socket }, response) => {
        response.writeHead((socket as TLSSocket).authorized ? 200 : 400, { 'Content-Length': body.length }).end(body)
      },
    )
    return { url: `https://${host}`, own, client }
  }

  it('its own authority and client certificate open the remote for it, and for no other', async () => {
    const { url, own, client } = await certain()
    const larder = await serve({
      certain: { remote: url, tls: { ca: own.cert, cert: client.cert, key: client.key } },
      nobody: { remote: url, tls: { ca: own.cert } },
      strange: { remote: url },
    })
    expect((await get(at(larder, 'certain', '/a'))).body.equals(body)).toBe(true)
    expect((await get(at(larder, 'nobody', '/a'))).status).toBe(400)
    const strange = await get(at(larder, 'strange', '/a'))
    expect([strange.status, strange.header('x-larder-error')]).toEqual([502, 'UPSTREAM_TLS'])
    const line = await larder.log(({ msg, repository }) => msg === 'remote in trouble' && repository === 'strange')
    expect(JSON.stringify(line)).toContain('self-signed')
  })
  it('its own authority comes beside those Node was given by its own variable', async () => {
    const { url, own, client } = await certain()
    const settings = { remote: url, tls: { ca: client.cert, cert: client.cert, key: client.key } }
    const larder = await serve({ certain: settings }, { NODE_EXTRA_CA_CERTS: own.cert })
    expect((await get(at(larder, 'certain', '/a'))).body.equals(body)).toBe(true)
  })
})

describe('U6: maxConnections', () => {
  it('whose turn does not come is told 503, and neither remote nor breaker hold it for a failure', async () => {
    const remote = await someOrigin()
    for (const path of ['/slow', '/a']) remote.put(path, body)
    const gate = remote.hold('/slow', 50_000)
    const breaker = { failures: 1, openFor: '1m', maxOpenFor: '1m' }
    const larder = await serve({
      own: { remote: remote.url, maxConnections: 1, timeout: { headers: '200ms' }, breaker },
    })
    const slow = get(at(larder, 'own', '/slow'))
    await gate.reached
    const refused = await get(at(larder, 'own', '/a'))
    expect([refused.status, refused.header('x-larder-error')]).toEqual([503, 'UPSTREAM_OVERLOADED'])
    expect(refused.header('retry-after')).toBe('1')
    gate.letGo()
    expect((await slow).body.equals(body)).toBe(true)
    expect((await get(at(larder, 'own', '/a'))).body.equals(body)).toBe(true)
    expect(remote.count('/a')).toBe(1)
  })
})
