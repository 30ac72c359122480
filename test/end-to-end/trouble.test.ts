import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { curl, get, open } from '../support/http.js'
import type { LarderProcess } from '../support/larder.js'
import { type Fault, startOrigin } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import {
  closeStage,
  noise,
  openStage,
  type Settings,
  type Stage,
  setStage,
  settled,
  temporaryDirectory,
  until,
} from '../support/stage.js'
import { type Identity, selfSigned as identity, listen, rawTlsServer } from '../upstream/servers.js'

/** Stale at once; failures are told without delay. */
const stale: Settings = { maxAge: '0s', retry: { attempts: 1, budget: '1s', resumes: 0 } }
const path = '/jvm.tgz'

describe('K2: a stale copy', () => {
  it('is validated: a 304 costs no body', async () => {
    const stage = await setStage(stale)
    const { origin, url } = stage
    const body = origin.put(path, noise(100_000))
    await get(url(path))
    await settled(stage)
    const again = await get(url(path))
    expect(again.body.equals(body)).toBe(true)
    expect(again.header('cache-status')).toMatch(/^larder; fwd=stale; fwd-status=304/)
    expect(origin.requests).toHaveLength(2)
    expect(origin.requests[1]?.headers['if-none-match']).toBe(again.header('etag'))
  })

  it('is replaced where the remote has a new version', async () => {
    const stage = await setStage(stale)
    const { origin, url } = stage
    origin.put(path, noise(100_000))
    await get(url(path))
    await settled(stage)
    const changed = origin.put(path, noise(100_001))
    expect((await get(url(path))).body.equals(changed)).toBe(true)
    expect(origin.requests).toHaveLength(2)
  })
})

describe('K3: the remote in trouble', () => {
  it.each<[name: string, fault: Fault]>([
    ['503', { status: 503 }],
    ['500', { status: 500 }],
    ['429', { status: 429 }],
    ['404', { status: 404 }],
    ['403', { status: 403 }],
    ['a reset', { reset: 0 }],
  ])('%s: the stale copy is served, and for HEAD and ranges too', async (name, fault) => {
    const stage = await setStage(stale)
    const { origin, url } = stage
    const body = origin.put(path, noise(100_000))
    await get(url(path))
    await settled(stage)
    origin.plan(path, fault)
    const whole = await get(url(path))
    expect([whole.status, whole.body.equals(body)]).toEqual([200, true])
    if (fault.status) expect(whole.header('cache-status')).toMatch(new RegExp(`fwd=stale; fwd-status=${name}`))
    const head = await get(url(path), { method: 'HEAD' })
    expect([head.status, head.header('content-length')]).toEqual([200, '100000'])
    const range = await get(url(path), { headers: { Range: 'bytes=0-9' } })
    expect([range.status, range.body.equals(body.subarray(0, 10))]).toEqual([206, true])
  })

  it('dead: the stale copy is served, also after a restart; the new version once it is back', async () => {
    const stage = await setStage(stale)
    const { origin, larder, url } = stage
    const body = origin.put(path, noise(100_000))
    await get(url(path))
    await settled(stage)
    await origin.stop()
    expect((await get(url(path))).body.equals(body)).toBe(true)
    await larder.restart()
    expect((await get(url(path))).body.equals(body)).toBe(true)
    const changed = origin.put(path, noise(100_000))
    await origin.start()
    // Trouble is remembered for a while, but not across a restart.
    await larder.restart()
    expect((await get(url(path))).body.equals(changed)).toBe(true)
  })

  it.each([
    ['dead', 502],
    ['silent', 504],
  ])('C9: %s, nothing stored: an empty %i at once, and nothing is remembered', async (trouble, status) => {
    const { origin, url } = await setStage({ ...stale, timeout: { headers: '200ms' } })
    const body = origin.put(path, noise(1000))
    if (trouble === 'dead') await origin.stop()
    else origin.plan(path, { delayHeaders: 2000 }, 1)
    const answer = await get(url(path))
    expect([answer.status, answer.body.length]).toEqual([status, 0])
    expect(answer.header('x-larder-error')).toMatch(/^[A-Z_]+$/)
    if (trouble === 'dead') await origin.start()
    expect((await get(url(path))).body.equals(body)).toBe(true)
  })

  it('K4: 404 and 403 are remembered for a while, 500 is not', async () => {
    const { origin, url } = await setStage(stale)
    for (const status of [404, 403, 500]) origin.plan(`/${status}`, { status })
    for (const status of [404, 403, 500]) for (const _ of [1, 2, 3]) await get(url(`/${status}`))
    expect([404, 403, 500].map((status) => origin.count(`/${status}`))).toEqual([1, 1, 3])
  })
})

/** Ready to be asked again and again: each failure counts. */
const touchy: Settings = { ...stale, breaker: { failures: 3, openFor: '1s', maxOpenFor: '5s' } }

describe('U7: a remote that keeps failing', () => {
  it('is left alone, copies are served at once, misses refused; one that is back is found by one probe', async () => {
    const stage = await setStage(touchy)
    const { origin, larder, url } = stage
    const body = origin.put(path, noise(100_000))
    origin.put('/other.tgz', body)
    await get(url(path))
    await settled(stage)
    await origin.stop()
    for (let i = 0; i < 3; i += 1)
      expect((await get(url(`/${i}`))).header('x-larder-error')).toBe('UPSTREAM_UNREACHABLE')
    const miss = await get(url('/other.tgz'))
    expect([miss.status, miss.body.length, miss.header('x-larder-error'), miss.header('retry-after')]).toEqual([
      503,
      0,
      'UPSTREAM_BREAKER_OPEN',
      '1',
    ])
    const copy = await get(url(path))
    expect([copy.status, copy.body.equals(body)]).toEqual([200, true])
    expect(copy.header('cache-status')).toMatch(/^larder; hit; ttl=-\d+$/)
    await origin.start()
    await until(async () => (await get(url('/other.tgz'))).status === 200, 'the remote is asked again')
    const told = larder.logs.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith('breaker'))
    expect(told.map((msg) => msg.split(':')[0])).toEqual(['breaker open', 'breaker closed'])
  })

  it('U2: curl --retry gets through an outage that is shorter than its patience', async () => {
    const { origin, url } = await setStage(touchy)
    const body = origin.put(path, noise(1000))
    await origin.stop()
    for (let i = 0; i < 3; i += 1) await get(url(`/${i}`))
    const build = curl('--retry', '5', '--fail', url(path))
    await until(
      async () => (await get(url('/x'))).header('x-larder-error') === 'UPSTREAM_BREAKER_OPEN',
      'it is refused',
    )
    await origin.start()
    const { code, stdout } = await build
    expect([code, stdout.equals(body)]).toEqual([0, true])
  })
})

it('U6: a mirror steps in, for cold artifacts and in mid-body', async () => {
  const mirror = await startOrigin()
  onTestFinished(() => mirror.stop())
  const { origin, larder, url } = await setStage({ retry: { attempts: 1, budget: '5s', resumes: 2 } })
  await reconfigured(larder, { remote: [origin.url, mirror.url], retry: { attempts: 1, budget: '5s', resumes: 2 } })
  const body = origin.put(path, noise(1_000_000))
  mirror.put(path, body)
  mirror.put('/cold.tgz', body)
  const gate = origin.hold(path, 500_000)
  const client = await open(url(path))
  await gate.reached
  await origin.stop()
  const { ended, body: got } = await client.finished
  expect([ended, got.equals(body), mirror.count(path)]).toEqual(['end', true, 1])
  expect((await get(url('/cold.tgz'))).body.equals(body)).toBe(true)
})

it('U4: a captive portal’s page is no archive', async () => {
  const { origin, url } = await setStage(stale)
  origin.plan(path, { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<!DOCTYPE html><p>Log in' }, 1)
  const answer = await get(url(path))
  expect([answer.status, answer.body.length, answer.header('x-larder-error')]).toEqual([502, 0, 'TYPE_MISMATCH'])
  const body = origin.put(path, noise(1000))
  expect((await get(url(path))).body.equals(body)).toBe(true)
})

describe('C9: a remote that can’t be reached says why, in the answer by its code and in the log by its reason', () => {
  const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

  it.each<[name: string, code: string, reason: RegExp, remote: () => Promise<{ url: string; ca?: string }>]>([
    ['a name that does not resolve', 'UPSTREAM_UNREACHABLE', /name/, async () => ({ url: 'http://nowhere.invalid' })],
    ['an expired certificate', 'UPSTREAM_TLS', /expired/, () => tlsRemote(identity('127.0.0.1', -1), true)],
    ['another host’s certificate', 'UPSTREAM_TLS', /another host/, () => tlsRemote(identity('other.test'), true)],
    ['an unknown authority', 'UPSTREAM_TLS', /authority|self-signed/, () => tlsRemote(identity('127.0.0.1'), false)],
    ['no TLS at all', 'UPSTREAM_TLS', /handshake/, plainRemote],
  ])('%s: %s', async (_, code, reason, made) => {
    const { url: remote, ca } = await made()
    const env = ca === undefined ? {} : { LARDER_CA_FILE: ca }
    const { larder, url } = await setStage(stale, env)
    await reconfigured(larder, { ...stale, remote })
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(url(path), { method })
      expect([answer.status, answer.body.length, answer.header('x-larder-error')]).toEqual([502, 0, code])
    }
    const told = larder.logs.filter(({ msg }) => msg === 'remote in trouble')
    expect(told).toMatchObject([{ code, remote, method: 'GET' }, { method: 'HEAD' }])
    expect(JSON.stringify(told[0]?.err)).toMatch(reason)
  })

  async function plainRemote() {
    const server = createServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    return { url: `https://127.0.0.1:${(await listen(server)).port}` }
  }

  async function tlsRemote(its: Identity, trusted: boolean): Promise<{ url: string; ca?: string }> {
    const { url } = await rawTlsServer(its, hello)
    const ca = join(await temporaryDirectory(), 'ca.pem')
    await writeFile(ca, its.cert)
    return trusted ? { url, ca } : { url }
  }
})

/** Loads other settings for `raw`, with the remote among them. */
async function reconfigured(larder: LarderProcess, settings: Settings): Promise<void> {
  await larder.writeConfig(JSON.stringify({ repositories: { raw: settings } }))
  const reloaded = larder.log((line) => String(line.msg).includes('reload'), larder.logs.length)
  larder.signal('SIGHUP')
  await reloaded
}

describe.skipIf(missing('curl').length > 0)(title('what never reaches the remote', 'curl'), () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage()
  })
  afterAll(() => closeStage(stage))

  const status = ['-o', '/dev/null', '-w', '%{http_code} %{size_download}', '--path-as-is']

  it.each([
    ['/../secret'],
    ['/a/../b'],
    ['/a/%2e%2e/b'],
    ['/a/%252e%252e/b'],
    ['/a/..%2Fb'],
    ['/a\\b'],
    ['/a%5Cb'],
    ['/a%00b'],
    ['/a%0Ab'],
    ['/a%zz'],
  ])('C10: %s is an empty 400', async (target) => {
    const { origin, url } = stage
    expect((await curl(...status, url(target))).stdout.toString()).toBe('400 0')
    expect(origin.requests).toEqual([])
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('C1: %s is a 405 with Allow', async (method) => {
    const { origin, url } = stage
    const answer = await get(url('/a'), { method })
    expect([answer.status, answer.header('allow')]).toEqual([405, 'GET, HEAD'])
    expect(origin.requests).toEqual([])
  })

  it('C9: an unknown repository is an empty 404', async () => {
    const { origin, larder } = stage
    const answer = await get(`${larder.url}/repository/unknown/a`)
    expect([answer.status, answer.body.length, answer.header('x-larder-error')]).toEqual([404, 0, 'REPOSITORY_UNKNOWN'])
    expect(origin.requests).toEqual([])
  })

  it('U5: a redirect to the metadata service is refused', async () => {
    const { origin, url } = await setStage(stale)
    origin.plan('/a', { redirectTo: 'http://169.254.169.254/latest/meta-data/' })
    const answer = await get(url('/a'))
    expect([answer.status, answer.body.length, answer.header('x-larder-error')]).toEqual([502, 0, 'REDIRECT_REFUSED'])
    expect(origin.requests).toHaveLength(1)
  })

  it('U1: a loop through ourselves is refused after one turn', async () => {
    const { larder, url } = await setStage(stale)
    await reconfigured(larder, { remote: `${larder.url}/repository/raw`, ...stale })
    expect((await get(url('/looping'))).status).toBe(508)
    const turns = async () => {
      const lines = await larder.accessLog().catch(() => [])
      return lines.filter((line) => JSON.stringify(line).includes('/looping')).map(({ status }) => status)
    }
    await until(async () => (await turns()).length >= 2, 'both turns are logged')
    expect(await turns()).toEqual([508, 508])
  })
})
