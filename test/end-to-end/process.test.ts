import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rename } from 'node:fs/promises'
import { connect } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get, open } from '../support/http.js'
import { prepareLarder } from '../support/larder.js'
import { startOrigin } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import { configuration, noise, selfSigned, setStage, settled, temporaryDirectory, until } from '../support/stage.js'

const mebibyte = 1024 * 1024

describe('O1: SIGTERM', () => {
  it('lets transfers finish, answers /readyz with 503 on what is open meanwhile, and exits with 0', async () => {
    const { origin, larder, url } = await setStage()
    const body = origin.put('/a.bin', noise(4 * mebibyte))
    const gate = origin.hold('/a.bin', mebibyte)
    const clients = await Promise.all([open(url('/a.bin')), open(url('/a.bin'))])
    await Promise.all(clients.map(({ firstByte }) => firstByte))
    const ready = `${larder.url}/readyz`
    expect((await get(ready)).status).toBe(200)
    larder.signal('SIGTERM')
    await until(async () => {
      const status = await get(ready).then(
        ({ status }) => status,
        (error: NodeJS.ErrnoException) => error.code,
      )
      return status === 503 || status === 'ECONNREFUSED'
    }, 'it takes no more work')
    gate.letGo()
    const ends = await Promise.all(clients.map(({ finished }) => finished))
    expect(ends.map(({ ended, body: got }) => [ended, got.equals(body)])).toEqual(Array(2).fill(['end', true]))
    expect(await larder.exited()).toEqual({ code: 0, signal: null })
    await larder.start()
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it('resets a transfer that outlasts the grace, and exits all the same', async () => {
    const { origin, larder, url } = await setStage({}, { LARDER_SHUTDOWN_GRACE: '200ms' })
    origin.put('/a.bin', noise(mebibyte))
    origin.hold('/a.bin', 1000)
    const client = await open(url('/a.bin'))
    larder.signal('SIGTERM')
    expect((await client.finished).ended).toBe('broken')
    expect((await larder.exited()).signal).toBe(null)
  })
})

it('a port that is taken is said in plain words', async () => {
  const { larder: first, origin } = await setStage()
  const port = new URL(first.url).port
  const larder = await prepareLarder({ config: configuration(origin), env: { LARDER_PORT: port } })
  onTestFinished(() => larder.dispose())
  larder.spawn()
  expect((await larder.exited()).code).toBe(1)
  expect(larder.errors).toMatch(/^larder: cannot start\nlisten EADDRINUSE/)
})

describe('O4: repositories.yaml', () => {
  it('a bad one stops the start with every fault, its line and what was expected', async () => {
    const config = [
      'repositories:',
      '  raw:',
      '    remote: ftp://127.0.0.1/',
      '    maxAge: soon',
      '  other:',
      '    remote: http://127.0.0.1:1/',
      '    remotes: nonsense',
    ].join('\n')
    const larder = await prepareLarder({ config })
    onTestFinished(() => larder.dispose())
    larder.spawn()
    const { code } = await larder.exited()
    expect(code).toBeGreaterThan(0)
    const said = `${larder.logs.map((line) => JSON.stringify(line)).join('\n')}\n${larder.errors}`
    for (const line of [3, 4, 7]) expect(said).toContain(`repositories.yaml:${line}:`)
  })

  it('SIGHUP takes over a good one; what is cached stays', async () => {
    const { origin, larder, url } = await setStage()
    const other = await startOrigin()
    onTestFinished(() => other.stop())
    const body = origin.put('/a.bin', noise(1000))
    const more = other.put('/b.bin', noise(1000))
    await get(url('/a.bin'))
    const added = `${larder.url}/repository/added/b.bin`
    expect((await get(added)).status).toBe(404)
    await larder.writeConfig(
      JSON.stringify({ repositories: { raw: { remote: origin.url }, added: { remote: other.url } } }),
    )
    larder.signal('SIGHUP')
    await until(async () => (await get(added)).status === 200, 'the new repository is there')
    expect((await get(added)).body.equals(more)).toBe(true)
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
    expect([origin.requests.length, other.requests.length]).toEqual([1, 1])
  })

  it('a bad one on reload keeps the old and says so', async () => {
    const { origin, larder, url } = await setStage()
    const body = origin.put('/a.bin', noise(1000))
    const from = larder.logs.length
    await larder.writeConfig('repositories:\n  raw: { remote: nonsense }\n')
    larder.signal('SIGHUP')
    await larder.log((line) => JSON.stringify(line).includes('repositories.yaml:2:'), from)
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it('a change of the file alone is enough', async () => {
    const { origin, larder } = await setStage()
    origin.put('/a.bin', 'a')
    const renamed = JSON.parse(configuration(origin)) as { repositories: Record<string, unknown> }
    renamed.repositories.second = renamed.repositories.raw
    await larder.writeConfig(JSON.stringify(renamed))
    await until(async () => (await get(`${larder.url}/repository/second/a.bin`)).status === 200, 'it is read again')
  })
})

describe.skipIf(missing('openssl').length > 0)(title('the TLS listener', 'openssl'), () => {
  const fingerprintOf = async (url: string): Promise<string> => {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { fingerprint256 } = socket.getPeerCertificate()
    socket.destroy()
    return fingerprint256
  }

  it('serves beside http, and takes over a changed certificate', async () => {
    const directory = await temporaryDirectory()
    const old = await selfSigned(directory, 'old')
    const renewed = await selfSigned(directory, 'renewed')
    const env = { LARDER_TLS_CERT: old.cert, LARDER_TLS_KEY: old.key }
    const { origin, larder, url } = await setStage({}, env)
    const body = origin.put('/a.bin', noise(mebibyte))
    const secure = `${larder.httpsUrl}/repository/raw/a.bin`
    const ca = await readFile(old.cert, 'utf8')
    expect((await get(secure, { ca })).body.equals(body)).toBe(true)
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)

    const expected = new X509Certificate(await readFile(renewed.cert)).fingerprint256
    const before = await fingerprintOf(larder.httpsUrl)
    expect(before).not.toBe(expected)
    await rename(renewed.key, old.key)
    await rename(renewed.cert, old.cert)
    await until(async () => (await fingerprintOf(larder.httpsUrl)) === expected, 'the new certificate is shown')
  })

  it('goes on with the old certificate where the new one is no certificate', async () => {
    const directory = await temporaryDirectory()
    const { cert, key } = await selfSigned(directory, 'old')
    const { larder } = await setStage({}, { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key })
    const before = await fingerprintOf(larder.httpsUrl)
    const broken = await selfSigned(directory, 'broken')
    const from = larder.logs.length
    await rename(broken.cert, cert)
    await larder.log((line) => Number(line.level) >= 40 || line.level === 'warn' || line.level === 'error', from)
    expect(await fingerprintOf(larder.httpsUrl)).toBe(before)
  })
})

describe('O2 O3: what it tells', () => {
  it('O2: metrics count by repository and outcome, and name no path', async () => {
    const stage = await setStage()
    const { origin, larder, url } = stage
    origin.put('/jdk/secret-path.tgz', noise(1000))
    for (const _ of [1, 2, 3]) {
      await get(url('/jdk/secret-path.tgz?token=hidden'))
      await settled(stage)
    }
    await get(url('/absent-path'))
    await get(`${larder.url}/repository/unknown-name/x`)
    const text = (await get(`${larder.url}/metrics`)).body.toString()
    expect(text).toMatch(/\{[^}]*repository="raw"[^}]*\} \d/)
    for (const outcome of ['hit', 'miss'])
      expect(text).toMatch(new RegExp(`\\{[^}]*outcome="${outcome}"[^}]*\\} [1-9]`))
    expect(text).not.toMatch(/secret-path|absent-path|hidden|unknown-name/)
    expect(origin.requests).toHaveLength(2)
  })

  it('O3: one JSON line a request in the access log, without query values', async () => {
    const stage = await setStage()
    const { origin, larder, url } = stage
    origin.put('/a.tgz', noise(1000))
    await get(url('/a.tgz?token=hidden&v=hush'))
    await settled(stage)
    await get(url('/a.tgz?token=hidden&v=hush'))
    await get(url('/absent.tgz'))
    await get(url('/a.tgz'), { method: 'POST' })
    await until(async () => (await larder.accessLog().catch(() => [])).length >= 4, 'the lines are written')
    await larder.stop()
    const lines = await larder.accessLog()
    expect(lines).toHaveLength(4)
    expect(lines.map(({ outcome }) => outcome).slice(0, 2)).toEqual(['miss', 'hit'])
    expect(lines.map(({ status }) => status)).toEqual([200, 200, 404, 405])
    for (const line of lines.slice(0, 3)) {
      expect(line).toMatchObject({ repository: 'raw', bytes: expect.any(Number), ms: expect.any(Number) })
    }
    const text = await readFile(larder.accessLogFile, 'utf8')
    expect(text).toContain('/a.tgz')
    expect(text).not.toMatch(/hidden|hush/)
  })

  it('C3: the request id of the answer is that of the access log', async () => {
    const { origin, larder, url } = await setStage()
    origin.put('/a.tgz', noise(1000))
    const id = (await get(url('/a.tgz'))).header('x-request-id')
    expect(id).toMatch(/./)
    await until(async () => (await larder.accessLog().catch(() => [])).length >= 1, 'the line is written')
    expect(JSON.stringify(await larder.accessLog())).toContain(`"${id}"`)
  })

  it('every line of the log is JSON', async () => {
    const { origin, larder, url } = await setStage()
    origin.put('/a.tgz', noise(1000))
    await get(url('/a.tgz'))
    await larder.stop()
    expect(larder.logs.length).toBeGreaterThan(0)
    expect(larder.logs.filter((line) => 'unparsed' in line)).toEqual([])
  })
})
