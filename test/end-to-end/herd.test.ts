import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Exchange, get, open, sha256Of } from '../support/http.js'
import { noise, setStage, settled, until } from '../support/stage.js'

const mebibyte = 1024 * 1024
const openMany = (count: number, url: string): Promise<Exchange[]> =>
  Promise.all(Array.from({ length: count }, () => open(url)))
const outcomes = async (exchanges: readonly Exchange[], body: Buffer) =>
  (await Promise.all(exchanges.map(({ finished }) => finished))).map(
    ({ body: got, ended }) => ended === 'end' && got.equals(body),
  )
const all = (count: number) => Array(count).fill(true)

describe('C6: one fill for everybody', () => {
  it.each([
    ['by length', undefined],
    ['by chunks', 'chunked'],
  ] as const)(
    '32 clients on a cold key, framed %s: one remote GET, first bytes while it comes in',
    async (_, framing) => {
      const stage = await setStage()
      const { origin, url } = stage
      const body = origin.put('/jdk.tar.gz', noise(4 * mebibyte))
      const gate = origin.hold('/jdk.tar.gz', mebibyte, framing ? { framing } : {})
      const early = await openMany(16, url('/jdk.tar.gz'))
      await gate.reached
      const late = await openMany(16, url('/jdk.tar.gz'))
      const clients = [...early, ...late]
      await Promise.all(clients.map(({ firstByte }) => firstByte))
      expect(clients.map((client) => client.received() > 0 && client.received() <= mebibyte)).toEqual(all(32))
      expect(late.map((client) => client.header('cache-status'))).toEqual(
        Array(16).fill(expect.stringContaining('collapsed')),
      )
      gate.letGo()
      expect(await outcomes(clients, body)).toEqual(all(32))
      expect(origin.requests).toHaveLength(1)
      await settled(stage)
      expect((await get(url('/jdk.tar.gz'))).header('cache-status')).toMatch(/^larder; hit/)
      expect(origin.requests).toHaveLength(1)
    },
  )

  it('a follower gets what is here up to the gate, from byte 0', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/a.bin', noise(2 * mebibyte))
    const gate = origin.hold('/a.bin', mebibyte)
    const first = await open(url('/a.bin'))
    await until(() => first.received() === mebibyte, 'the first client has all that came')
    const follower = await open(url('/a.bin'))
    await until(() => follower.received() === mebibyte, 'the follower has all that came')
    gate.letGo()
    expect(await outcomes([first, follower], body)).toEqual([true, true])
    expect(origin.requests).toHaveLength(1)
  })

  it.each([
    ['the only client', 0],
    ['one of two clients', 1],
  ])('%s leaves: the fill goes on', async (_, others) => {
    const stage = await setStage()
    const { origin, url } = stage
    const body = origin.put('/a.bin', noise(2 * mebibyte))
    const gate = origin.hold('/a.bin', mebibyte)
    const staying = await openMany(others, url('/a.bin'))
    const leaving = await open(url('/a.bin'))
    await leaving.firstByte
    leaving.destroy()
    await leaving.finished
    gate.letGo()
    expect(await outcomes(staying, body)).toEqual(all(others))
    await settled(stage)
    await origin.stop()
    expect((await get(url('/a.bin'))).body.equals(body)).toBe(true)
    expect(origin.requests).toHaveLength(1)
  })

  it('a client that reads nothing keeps nobody waiting, and gets everything later', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/a.bin', noise(24 * mebibyte))
    const slow = await open(url('/a.bin'))
    slow.pause()
    const quick = await open(url('/a.bin'))
    expect(await outcomes([quick], body)).toEqual([true])
    expect(slow.received()).toBeLessThan(body.length / 2)
    slow.resume()
    expect(await outcomes([slow], body)).toEqual([true])
    expect(origin.requests).toHaveLength(1)
  })

  it('C5: a range of a cold key is answered as soon as its bytes are here', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/a.bin', noise(2 * mebibyte))
    const gate = origin.hold('/a.bin', mebibyte)
    const range = await get(url('/a.bin'), { headers: { Range: 'bytes=1000-1999' } })
    expect([range.status, range.body.equals(body.subarray(1000, 2000))]).toEqual([206, true])
    const tail = open(url('/a.bin'), { headers: { Range: 'bytes=-1000' } })
    gate.letGo()
    expect((await (await tail).finished).body.equals(body.subarray(-1000))).toBe(true)
    expect(origin.requests).toHaveLength(1)
    expect(origin.requests[0]?.headers.range).toBeUndefined()
  })

  it('C5: a range more than 32 MiB ahead is fetched by itself, bound to the same version', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/a.bin', noise(40 * mebibyte))
    const gate = origin.hold('/a.bin', mebibyte, {}, 1)
    const whole = await open(url('/a.bin'))
    await gate.reached
    const range = await get(url('/a.bin'), { headers: { Range: 'bytes=-1000' } })
    expect([range.status, range.body.equals(body.subarray(-1000))]).toEqual([206, true])
    gate.letGo()
    expect(await outcomes([whole], body)).toEqual([true])
    expect(origin.requests).toHaveLength(2)
    expect(origin.requests[1]?.headers).toMatchObject({ range: expect.any(String), 'if-match': whole.header('etag') })
  })

  it('C7: the last byte is withheld until the body is whole and right', async () => {
    const { origin, url } = await setStage()
    const body = origin.put('/a.bin', noise(mebibyte))
    const gate = origin.hold('/a.bin', mebibyte - 1)
    const client = await open(url('/a.bin'))
    await until(() => client.received() === mebibyte - 1, 'all but the last byte is here')
    gate.letGo()
    expect(await outcomes([client], body)).toEqual([true])
  })

  it.each(['no-store', 'private'])(
    'clients that may not share (%s) each get an answer of their own',
    async (directive) => {
      const { origin, url } = await setStage()
      const body = origin.put('/a.bin', noise(mebibyte), { headers: { 'Cache-Control': directive } })
      const gate = origin.hold('/a.bin', -1)
      const asking = openMany(4, url('/a.bin'))
      await gate.reached
      gate.letGo()
      expect(await outcomes(await asking, body)).toEqual(all(4))
      expect(origin.count('/a.bin')).toBe(4)
      // Hit-for-miss: the next ones are not collapsed either.
      const held = origin.hold('/a.bin', 1000)
      const next = await openMany(2, url('/a.bin'))
      held.letGo()
      expect(await outcomes(next, body)).toEqual(all(2))
      expect(next.map((client) => client.header('cache-status'))).toEqual(
        Array(2).fill(expect.stringContaining('fwd=bypass')),
      )
      expect(origin.count('/a.bin')).toBe(6)
    },
  )

  it('clients of different keys do not wait for each other', async () => {
    const { origin, url } = await setStage()
    origin.put('/held.bin', noise(1000))
    const body = origin.put('/other.bin', noise(1000))
    const gate = origin.hold('/held.bin', -1)
    const held = open(url('/held.bin'))
    await gate.reached
    expect((await get(url('/other.bin'))).body.equals(body)).toBe(true)
    gate.letGo()
    await (await held).finished
    expect(origin.requests).toHaveLength(2)
  })
})

describe('big artifacts', () => {
  it('a 180 MB tarball goes through byte for byte under 32 concurrent cold clients: one remote GET', async () => {
    const stage = await setStage()
    const { origin, url } = stage
    const body = origin.put('/jdk/openjdk17.tar.gz', noise(180_000_000))
    const digest = createHash('sha256').update(body).digest('hex')
    expect(await Promise.all(Array.from({ length: 32 }, () => sha256Of(url('/jdk/openjdk17.tar.gz'))))).toEqual(
      Array(32).fill(digest),
    )
    expect(origin.requests).toHaveLength(1)
    await settled(stage)
    const warm = await open(url('/jdk/openjdk17.tar.gz'), { method: 'HEAD' })
    expect([warm.header('content-length'), warm.header('x-checksum-sha256')]).toEqual(['180000000', digest])
  }, 60_000)
})
