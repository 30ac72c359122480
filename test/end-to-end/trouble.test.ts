import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { curl, get } from '../support/http.js'
import type { Fault } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import { closeStage, noise, openStage, type Settings, type Stage, setStage, settled, until } from '../support/stage.js'

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
    await larder.writeConfig(
      JSON.stringify({ repositories: { raw: { remote: `${larder.url}/repository/raw`, ...stale } } }),
    )
    const reloaded = larder.log((line) => String(line.msg).includes('reload'), larder.logs.length)
    larder.signal('SIGHUP')
    await reloaded
    expect((await get(url('/looping'))).status).toBe(508)
    const turns = async () => {
      const lines = await larder.accessLog().catch(() => [])
      return lines.filter((line) => JSON.stringify(line).includes('/looping')).map(({ status }) => status)
    }
    await until(async () => (await turns()).length >= 2, 'both turns are logged')
    expect(await turns()).toEqual([508, 508])
  })
})
