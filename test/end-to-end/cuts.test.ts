import { readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { curl, get, open, rawEnding } from '../support/http.js'
import type { Fault, OriginFile } from '../support/origin.js'
import { missing, title } from '../support/servers.js'
import {
  noise,
  type Settings,
  type Stage,
  selfSigned,
  setStage,
  settled,
  temporaryDirectory,
} from '../support/stage.js'

const size = 1_000_000
const at = 600_000
const path = '/jdk.tar.gz'
const wholeAgain = async (stage: Stage, body: Buffer): Promise<void> => {
  const { origin, url } = stage
  origin.heal()
  await settled(stage)
  const before = origin.count(path)
  const again = await get(url(path))
  expect([again.status, again.ended, again.body.equals(body), origin.count(path)]).toEqual([
    200,
    'end',
    true,
    before + 1,
  ])
}

describe('U3: a cut body is resumed, and clients notice nothing', () => {
  const patient: Settings = { timeout: { stall: '300ms' } }
  const faults: [name: string, fault: Fault][] = [
    ['a FIN', { cut: at }],
    ['a RST', { reset: at }],
    ['a stall', { stall: { after: at } }],
    ['a FIN within chunks', { cut: at, framing: 'chunked' }],
  ]

  it.each(faults)('after %s: one GET more, from the byte reached, bound to the version', async (_, fault) => {
    const stage = await setStage(patient)
    const { origin, url } = stage
    const body = origin.put(path, noise(size))
    origin.plan(path, fault, 1)
    const clients = await Promise.all([open(url(path)), open(url(path))])
    const ends = await Promise.all(clients.map(({ finished }) => finished))
    expect(ends.map(({ ended, body: got }) => [ended, got.equals(body)])).toEqual(Array(2).fill(['end', true]))
    expect(origin.requests).toHaveLength(2)
    const [first, second] = origin.requests
    expect(first?.headers.range).toBeUndefined()
    expect(second?.headers['if-range']).toBe(clients[0]?.header('etag'))
    const [, from] = /^bytes=(\d+)-$/.exec(String(second?.headers.range)) ?? []
    expect(Number(from)).toBeGreaterThan(0)
    expect(Number(from)).toBeLessThanOrEqual(at)
    if ('cut' in fault && !fault.framing) expect(Number(from)).toBe(at)
    await settled(stage)
    expect((await get(url(path))).header('cache-status')).toMatch(/^larder; hit/)
    expect(origin.requests).toHaveLength(2)
  })

  it('twice in one body', async () => {
    const { origin, url } = await setStage()
    const body = origin.put(path, noise(size))
    origin.plan(path, { cut: 300_000 }, 2)
    const { ended, body: got } = await get(url(path))
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(origin.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=300000-', 'bytes=600000-'])
  })

  it.each<[string, Omit<OriginFile, 'body'>]>([
    ['no validator', { etag: false, lastModified: false }],
    ['no ranges', { ranges: false }],
    ['a weak validator', { etag: 'W/"1"', lastModified: false }],
  ])('from 0 where there is %s: the prefix is compared, not sent again', async (_, rest) => {
    const { origin, url } = await setStage()
    const body = origin.put(path, noise(size), rest)
    origin.plan(path, { cut: at }, 1)
    const { ended, body: got } = await get(url(path))
    expect([ended, got.equals(body)]).toEqual(['end', true])
    expect(origin.requests).toHaveLength(2)
  })

  it('C7: a version that changed meanwhile is not mixed in: the client is reset, nothing stored', async () => {
    const stage = await setStage()
    const { origin, url } = stage
    origin.put(path, noise(size))
    origin.plan(path, { cut: at }, 1)
    const gate = origin.hold(path, -1)
    const client = await open(url(path))
    await gate.reached
    const changed = origin.put(path, noise(size))
    gate.letGo()
    expect((await client.finished).ended).toBe('broken')
    await wholeAgain(stage, changed)
  })
})

/** Nothing to resume by. */
const bare: Omit<OriginFile, 'body'> = { etag: false, lastModified: false, ranges: false }

describe.skipIf(missing('curl', 'openssl').length > 0)(title('C7: a cut beyond repair', 'curl', 'openssl'), () => {
  const settings: Settings = { retry: { attempts: 1, budget: '1s', resumes: 1 } }
  const faults: [name: string, fault: Fault][] = [
    ['by length', { cut: at }],
    ['by chunks', { cut: at, framing: 'chunked' }],
    ['by a length too long', { wrongLength: size + 1 }],
  ]
  let tls: { env: Record<string, string>; ca: string }
  beforeEach(async () => {
    const { cert, key } = await selfSigned(await temporaryDirectory(), 'larder')
    tls = { env: { LARDER_TLS_CERT: cert, LARDER_TLS_KEY: key }, ca: await readFile(cert, 'utf8') }
  })

  it.each(faults)('framed %s: no client takes what it got for whole, nothing is stored', async (_, fault) => {
    const stage = await setStage(settings, tls.env)
    const { origin, url, larder } = stage
    const body = origin.put(path, noise(size), bare)
    const gate = origin.hold(path, 1000, fault)
    const secure = `${larder.httpsUrl}/repository/raw${path}`
    const plainly = [open(url(path)), open(url(path))]
    const clients = await Promise.all([...plainly, open(secure, { ca: tls.ca })])
    gate.letGo()
    const ends = await Promise.all(clients.map(({ finished }) => finished))
    expect(ends.map(({ ended }) => ended)).toEqual(['broken', 'broken', 'broken'])
    for (const { body: got } of ends) {
      expect(got.length).toBeLessThanOrEqual(size)
      expect(got.equals(body.subarray(0, got.length))).toBe(true)
    }
    await wholeAgain(stage, body)
  })

  it.each(['http', 'https'] as const)(
    'the connection ends by RST, not by FIN or close_notify, over %s',
    async (scheme) => {
      const { origin, url, larder } = await setStage(settings, tls.env)
      const body = origin.put(path, noise(size), bare)
      const target = scheme === 'http' ? url(path) : `${larder.httpsUrl}/repository/raw${path}`
      origin.plan(path, { cut: at })
      expect(await rawEnding(target)).toBe('reset')
      expect([18, 56]).toContain((await curl('--insecure', '-o', '/dev/null', target)).code)
      origin.heal()
      const { code, stdout } = await curl('--insecure', target)
      expect([code, stdout.equals(body)]).toEqual([0, true])
      expect(await rawEnding(target)).not.toBe('reset')
    },
  )

  it.each<[name: string, rest: Omit<OriginFile, 'body'>]>([
    ['S3 ETag', { etag: '"00000000000000000000000000000000"' }],
    ['Content-MD5', { headers: { 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' } }],
  ])('U4: a body that is not what its %s says is never stored nor ended', async (_, rest) => {
    const stage = await setStage(settings)
    const { origin, url } = stage
    const body = origin.put(path, noise(size), rest)
    const gate = origin.hold(path, at)
    const client = await open(url(path))
    await client.firstByte
    gate.letGo()
    expect((await client.finished).ended).toBe('broken')
    origin.put(path, body)
    await wholeAgain(stage, body)
  })

  it('U4: where nothing went out yet, it is an empty 502', async () => {
    const { origin, url } = await setStage(settings)
    origin.put(path, noise(1), { etag: '"00000000000000000000000000000000"' })
    const answer = await get(url(path))
    expect([answer.status, answer.ended, answer.body.length]).toEqual([502, 'end', 0])
    expect(answer.header('x-larder-error')).toBe('INTEGRITY_MISMATCH')
  })
})

describe('framings', () => {
  it('U4: a close-delimited body is served but not stored', async () => {
    const { origin, url } = await setStage()
    const body = origin.put(path, noise(size), { etag: false })
    origin.plan(path, { framing: 'close' })
    for (const requests of [1, 2]) {
      const { ended, body: got } = await get(url(path))
      expect([ended, got.equals(body), origin.requests.length]).toEqual(['end', true, requests])
    }
  })

  it('U4: a close-delimited body is stored where its S3 ETag proves it', async () => {
    const { origin, url } = await setStage()
    const body = origin.put(path, noise(size))
    origin.plan(path, { framing: 'close' })
    for (const _ of [1, 2]) expect((await get(url(path))).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it('C3: a chunked body has no length while it comes in, and one afterwards', async () => {
    const stage = await setStage()
    const { origin, url } = stage
    const body = origin.put(path, noise(size))
    origin.plan(path, { framing: 'chunked' })
    const cold = await get(url(path))
    await settled(stage)
    const warm = await get(url(path))
    expect([cold, warm].map((answer) => [answer.ended, answer.body.equals(body)])).toEqual(Array(2).fill(['end', true]))
    expect([cold.header('content-length'), warm.header('content-length')]).toEqual([undefined, `${size}`])
    expect(origin.requests).toHaveLength(1)
  })

  it('C12: an HTTP/1.0 client gets no chunks', async () => {
    const { origin, url } = await setStage()
    const body = origin.put(path, noise(size))
    origin.plan(path, { framing: 'chunked' })
    const { code, stdout } = await curl('--http1.0', '--raw', '--include', url(path))
    const headEnd = stdout.indexOf('\r\n\r\n')
    expect(stdout.subarray(0, headEnd).toString()).not.toMatch(/transfer-encoding/i)
    expect([code, stdout.subarray(headEnd + 4).equals(body)]).toEqual([0, true])
    expect(origin.requests).toHaveLength(1)
  })
})
