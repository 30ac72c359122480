import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { partSize } from '../../src/storage/s3/upload.js'
import { get, open } from '../support/http.js'
import { type LarderProcess, startLarder } from '../support/larder.js'
import type { Origin } from '../support/origin.js'
import { radosgwPrograms } from '../support/radosgw.js'
import { type FaultyGateway, faultyGateway, type Gateway, openGateway } from '../support/s3-gateway.js'
import { at, someOrigin } from '../support/served.js'
import { missing, title } from '../support/servers.js'
import { noise, until } from '../support/stage.js'

describe.skipIf(missing(...radosgwPrograms).length > 0)(title('D2: a store in a bucket', ...radosgwPrograms), () => {
  let gateway: Gateway
  let front: FaultyGateway
  let origin: Origin
  let tests = 0
  beforeAll(async () => {
    gateway = await openGateway()
  }, 300_000)
  afterAll(() => gateway?.dispose())
  beforeEach(async () => {
    tests += 1
    front = await faultyGateway(gateway.url)
    onTestFinished(front.close)
    origin = await someOrigin()
  })

  const replica = async (): Promise<LarderProcess> => {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env
    const larder = await startLarder({
      config: JSON.stringify({ repositories: { raw: { remote: origin.url } } }),
      env: {
        ...{ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
        ...{ LARDER_S3_BUCKET: gateway.bucket, LARDER_S3_ENDPOINT: front.url, LARDER_S3_PREFIX: `crash-${tests}/` },
      },
    })
    onTestFinished(() => larder.dispose())
    return larder
  }

  const asks = async (path: string): Promise<void> => {
    await until(async () => front.seen.some((seen) => seen.path.includes(path)), `the gateway is asked for ${path}`)
  }

  it('kill -9 in the middle of an upload leaves a miss', async () => {
    const body = origin.put('/a', noise(partSize + 1000))
    const one = await replica()
    front.fault(({ path }) => (path.includes('partNumber=2') ? { kind: 'silent' } : undefined))
    expect((await get(at(one, 'raw', '/a'))).body.equals(body)).toBe(true)
    await asks('partNumber=2')
    await one.kill()
    front.fault(undefined)
    await one.start()
    const asked = origin.requests.length
    expect((await get(at(one, 'raw', '/a'))).body.equals(body)).toBe(true)
    expect(origin.requests.length).toBe(asked + 1)
    await until(async () => (await get(`${one.url}/metrics`)).body.includes('larder_fills_in_flight 0'), 'it is stored')
    const two = await replica()
    expect((await get(at(two, 'raw', '/a'))).body.equals(body)).toBe(true)
    expect(origin.requests.length).toBe(asked + 1)
  })

  it('kill -9 while a blob comes near leaves the blob', async () => {
    const body = origin.put('/a', noise(20_000_000))
    const one = await replica()
    await get(at(one, 'raw', '/a'))
    await until(async () => (await get(`${one.url}/metrics`)).body.includes('larder_fills_in_flight 0'), 'it is stored')
    const two = await replica()
    const asked = origin.requests.length
    front.fault(({ range }) => (range?.startsWith('bytes=0-') ? undefined : range ? { kind: 'silent' } : undefined))
    const reading = await open(at(two, 'raw', '/a'))
    await reading.firstByte
    await asks('/blobs/')
    await two.kill()
    await reading.finished
    front.fault(undefined)
    await two.start()
    for (const _ of ['from afar', 'from near']) {
      expect((await get(at(two, 'raw', '/a'))).body.equals(body)).toBe(true)
    }
    expect(origin.requests.length).toBe(asked)
  })
})
