import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { get } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import { type Origin, startOrigin } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import { selfSigned, temporaryDirectory } from '../support/stage.js'

/** Every secret a repository can have; all of them hold this, so that one search finds any, and any part of it. */
const mark = 'hUsH'
const secret = (name: string) => `${mark}-${name}-${mark}`
const encoded = (text: string) => Buffer.from(text).toString('base64')

const secrets = {
  PASSWORD: secret('password'),
  TOKEN: secret('token'),
  API_KEY: secret('api-key'),
  SECRET_KEY: secret('secret-key'),
  SESSION: secret('session'),
  PROXY: `http://me:${secret('proxy')}@127.0.0.1:1`,
}
const forms = [mark, encoded(`me:${secrets.PASSWORD}`), encoded(`me:${secret('proxy')}`), 'PRIVATE KEY']

/** A repository for each way of carrying a secret, in front of a remote that answers as its path is planned. */
async function configuration(origin: Origin, dead: string) {
  const directory = await temporaryDirectory()
  const file = join(directory, 'token')
  await writeFile(file, `${secret('file')}\n`)
  const { cert, key } = await selfSigned(directory, 'client')
  const of = (name: string) => ['${', name, '}'].join('')
  const keys = {
    region: 'us-east-1',
    accessKeyId: 'AKID',
    secretAccessKey: of('SECRET_KEY'),
    sessionToken: of('SESSION'),
  }
  const carriers: Record<string, object> = {
    basic: { auth: { basic: { username: 'me', password: of('PASSWORD') } } },
    bearer: { auth: { bearer: of('TOKEN') } },
    file: { auth: { bearer: `file:${file}` } },
    headers: { headers: { 'X-Api-Key': of('API_KEY') } },
    sigv4: { auth: { sigv4: keys } },
    tls: { tls: { cert, key } },
  }
  const tries = { retry: { attempts: 2, budget: '1s', resumes: 1 }, timeout: { headers: '300ms' } }
  const repositories: Record<string, object> = {}
  for (const [name, carrier] of Object.entries(carriers)) {
    repositories[name] = { remote: origin.url, ...carrier, ...tries }
    repositories[`${name}-dead`] = { remote: dead, ...carrier, ...tries }
    repositories[`${name}-secure`] = { remote: dead.replace('http:', 'https:'), ...carrier, ...tries }
    repositories[`${name}-proxied`] = { remote: origin.url, ...carrier, ...tries, proxy: of('PROXY') }
    repositories[`${name}-tunnelled`] = { remote: 'https://remote.test', ...carrier, ...tries, proxy: of('PROXY') }
  }
  return repositories
}

const paths = ['/whole', '/missing', '/401', '/403', '/500', '/cut', '/invalid', '/away', '/slow']

function program(origin: Origin, dead: string) {
  origin.put('/whole', 'whole')
  origin.put('/cut', 'a body that is cut')
  origin.put('/slow', 'slow')
  for (const status of [401, 403, 500]) origin.plan(`/${status}`, { status })
  origin.plan('/cut', { cut: 5 })
  origin.plan('/invalid', { headers: { 'Content-Length': '5, 6' } })
  origin.plan('/away', { redirectTo: `${dead}/elsewhere` })
  origin.plan('/slow', { delayHeaders: 2_000 })
}

/** All that anyone could read: answers, metrics, what administrators see, log, access log. */
async function everything(larder: LarderProcess, repositories: readonly string[]): Promise<string> {
  const told: string[] = []
  const ask = async (url: string, headers = {}) => {
    const { rawHeaders, body } = await get(url, { headers })
    told.push(rawHeaders.join('\n'), body.toString())
  }
  for (const accept of ['*/*', 'application/problem+json']) {
    for (const name of repositories) {
      await Promise.all(paths.map((path) => ask(`${larder.url}/repository/${name}${path}`, { Accept: accept })))
    }
  }
  await ask(`${larder.url}/metrics`)
  await ask(`${larder.url}/readyz`)
  const token = await adminToken(larder)
  for (const view of ['repositories', 'stats', 'artifacts', 'tasks']) {
    await ask(`${larder.url}/api/v1/${view}`, { Authorization: `Bearer ${token}` })
  }
  return [...told, JSON.stringify(larder.logs), larder.errors, JSON.stringify(await larder.accessLog())].join('\n')
}

/** The one that was made, for none is configured: `name: token`. */
const adminToken = async ({ data }: LarderProcess) =>
  (await readFile(join(data, 'admin-token'), 'utf8')).trim().split(' ').at(-1) as string

/** Where a secret shows, for whoever has to find out why. */
function around(text: string, form: string): string[] {
  const index = text.indexOf(form)
  return index < 0 ? [] : [text.slice(Math.max(0, index - 200), index + 200)]
}

/** A port nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe.skipIf(missing('openssl').length > 0)(title('U6, O3: secrets', 'openssl'), () => {
  it('are in no answer, log or metric, whatever goes well or wrong', async () => {
    const origin = await startOrigin()
    onTestFinished(() => origin.stop())
    const dead = `http://127.0.0.1:${await deadPort()}`
    program(origin, dead)
    const repositories = await configuration(origin, dead)
    const config = (all: object) => JSON.stringify({ repositories: all })
    const env = { ...secrets, LARDER_LOG_LEVEL: 'trace' }
    const larder = await startLarder({ config: config(repositories), env })
    onTestFinished(() => larder.dispose())
    let told = await everything(larder, Object.keys(repositories))

    // They did go out, and to the remote alone.
    expect(JSON.stringify(origin.requests)).toContain(secrets.TOKEN)
    // A reload that finds fault with each of them.
    const auth = { bearer: `${secrets.TOKEN} of two words` }
    const faulty = {
      ...{ one: { remote: origin.url, auth }, two: { remote: origin.url, proxy: `ftp://me:${secrets.TOKEN}@h` } },
      three: { remote: origin.url, headers: { 'X-Api-Key': `${secrets.API_KEY}\n` } },
      four: { remote: `http://me:${secrets.PASSWORD}@h.test` },
      five: { remote: origin.url, auth: { sigv4: { secretAccessKey: secrets.SECRET_KEY } } },
    }
    await larder.writeConfig(config(faulty))
    larder.signal('SIGHUP')
    await larder.log(({ msg }) => String(msg).startsWith('cannot reload'))
    told += JSON.stringify(larder.logs) + larder.errors

    for (const seen of ['UPSTREAM_UNREACHABLE', '"name":"basic-proxied"']) expect(told).toContain(seen)
    const shown = [...forms, await adminToken(larder)].flatMap((form) => around(told, form))
    expect(shown).toEqual([])
  })
})
