import { describe, expect, it } from 'vitest'
import { administer } from '../support/admin.js'
import { get, open, type Received } from '../support/http.js'
import type { LarderProcess } from '../support/larder.js'
import { missing, title } from '../support/servers.js'
import { noise, settled, until } from '../support/stage.js'
import { expectWhole, type FaultStage, faultStages, pathAt, programs, type ReplicaOptions } from './fault-stage.js'

const size = 600_000

/** Minutes; the gateway's clock, and Redis', is in the middle. */
const apart = 10

interface Apart {
  readonly ahead: LarderProcess
  readonly behind: LarderProcess
}

type Who = keyof Apart

const bothWays = [
  ['ahead', 'behind'],
  ['behind', 'ahead'],
] as const satisfies readonly (readonly [Who, Who])[]

describe.skipIf(missing(...programs).length > 0)(title('P5: clocks apart by minutes', ...programs), () => {
  const stages = faultStages()

  async function setApart(options: ReplicaOptions = {}): Promise<FaultStage & Apart> {
    const stage = await stages.set()
    const ahead = await stage.process({ ...options, ahead: apart })
    const behind = await stage.process({ ...options, ahead: -apart })
    return { ...stage, ahead, behind }
  }

  const fetched = async (larder: LarderProcess, path: string, headers = {}): Promise<Received> => {
    const received = await get(pathAt(larder, path), { headers })
    await settled({ larder })
    return received
  }

  const purge = (larder: LarderProcess, selection: object) =>
    administer(larder, 'POST', '/purge', { repository: 'raw', ...selection })

  /** By both, and by no fetch more than one for both. */
  async function expectRenewed(stage: FaultStage & Apart, path: string, body: Buffer): Promise<void> {
    const before = stage.origin.count(path)
    for (const who of ['behind', 'ahead', 'behind'] as const) {
      await until(async () => (await fetched(stage[who], path)).body.equals(body), `${who} serves what is new`)
    }
    expect(stage.origin.count(path) - before).toBeLessThanOrEqual(1)
  }

  it('they are apart indeed', async () => {
    const { ahead, behind, origin } = await setApart()
    origin.put('/a', noise(200))
    const [late, early] = [await fetched(ahead, '/a'), await fetched(behind, '/a')]
    expect([late.status, early.status]).toEqual([200, 200])
    const timeOf = async ({ logs }: LarderProcess) => Date.parse(String(logs[0]?.time))
    expect(Math.round(((await timeOf(ahead)) - (await timeOf(behind))) / 60_000)).toBe(2 * apart)
  })

  it.each(bothWays)(
    'what the one %s stores the one %s serves, without a fetch; neither undoes it',
    async (one, two) => {
      const stage = await setApart()
      const body = stage.origin.put('/a', noise(size))
      for (const who of [one, two, one, two]) expect((await fetched(stage[who], '/a')).body.equals(body)).toBe(true)
      expect(stage.origin.count('/a')).toBe(1)
    },
  )

  it.each(bothWays)('a lease counts by the clock of Redis: the one %s is followed by the one %s', async (one, two) => {
    const stage = await setApart()
    const body = stage.origin.put('/a', noise(size))
    const gate = stage.origin.hold('/a', size / 2)
    const first = await open(pathAt(stage[one], '/a'))
    await first.firstByte
    const second = await open(pathAt(stage[two], '/a'))
    await second.firstByte
    gate.letGo()
    for (const client of [first, second]) await expectWhole(client, body)
    expect(stage.origin.count('/a')).toBe(1)
  })

  describe.each(bothWays)('freshness of what the one %s stored, for the one %s', (one, two) => {
    const lifetimes = [
      ['an operator’s', { freshness: [{ match: '**', maxAge: '60s' }] }, {}, 1],
      // By its own clock the one ahead gets everything 10 minutes after its `Date`, and asks each time.
      ['the remote’s', {}, { 'Cache-Control': 'max-age=60' }, 4],
    ] as const

    it.each(lifetimes)('%s lifetime is never longer; it is validated, not fetched again', async (...given) => {
      const [, settings, headers, most] = given
      const stage = await setApart({ settings })
      const { origin } = stage
      const body = origin.put('/a', noise(size), { headers })
      await fetched(stage[one], '/a')
      for (const who of [two, one, two, one]) {
        const { body: received, header } = await fetched(stage[who], '/a')
        expect(received.equals(body)).toBe(true)
        const [, ttl = '0'] = /; ttl=(-?\d+)/.exec(header('cache-status') ?? '') ?? []
        expect(Number(ttl)).toBeLessThanOrEqual(60)
      }
      const validations = origin.requestsFor('/a').filter(({ headers }) => headers['if-none-match'] !== undefined)
      expect(origin.count('/a') - validations.length).toBe(1)
      expect(validations.length).toBeLessThanOrEqual(most)
    })
  })

  it.each(bothWays)(
    'what both store at once is kept of both: variants of the one %s and the one %s',
    async (one, two) => {
      const stage = await setApart({ settings: { forwardRequestHeaders: ['accept'] } })
      const { origin } = stage
      origin.put('/a', noise(size), { headers: { Vary: 'Accept' } })
      const gate = origin.hold('/a', size / 2)
      const clients = await Promise.all(
        [one, two].map((who, i) => open(pathAt(stage[who], '/a'), { headers: { Accept: `text/x-${i}` } })),
      )
      gate.letGo()
      for (const { finished } of clients) await finished
      for (const who of [one, two]) await settled({ larder: stage[who] })
      expect(
        origin
          .requestsFor('/a')
          .map(({ headers }) => headers.accept)
          .sort(),
      ).toEqual(['text/x-0', 'text/x-1'])
      const isHit = async (who: Who, i: number) =>
        /larder; hit/.test((await fetched(stage[who], '/a', { Accept: `text/x-${i}` })).header('cache-status') ?? '')
      for (const who of [two, one]) for (const i of [0, 1]) await until(() => isHit(who, i), 'it has both')
      // A copy in memory is trusted for 2 s, and what it does not have is fetched.
      expect(origin.count('/a')).toBeLessThanOrEqual(2 + 1)
    },
  )

  const selections = [
    ['a path', { path: 'a' }],
    ['a prefix', { prefix: 'a' }],
  ] as const

  describe.each(bothWays)('what the one %s stored, purged through the one %s', (one, two) => {
    it.each(selections)('by %s: it is gone for both, and what is fetched then stays', async (_, selection) => {
      const stage = await setApart()
      stage.origin.put('/a', noise(size))
      await fetched(stage[one], '/a')
      await purge(stage[two], selection)
      await expectRenewed(stage, '/a', stage.origin.put('/a', noise(size)))
    })

    const earlier = selections.flatMap(([name, now]) =>
      (
        [
          ['the path', { path: 'a' }],
          ['all', { all: true }],
        ] as const
      ).map(([before, was]) => [name, before, now, was] as const),
    )

    it.each(earlier)('by %s, after a purge of %s through the first', async (_, __, selection, before) => {
      const stage = await setApart()
      stage.origin.put('/a', noise(size))
      await fetched(stage[one], '/a')
      await purge(stage[one], before)
      await fetched(stage[one], '/a')
      await purge(stage[two], selection)
      await expectRenewed(stage, '/a', stage.origin.put('/a', noise(size)))
    })

    it.each(selections)(
      'by %s, while it is fetched for the second time: that is not published',
      async (_, selection) => {
        const stage = await setApart()
        const { origin } = stage
        origin.put('/a', noise(size))
        await fetched(stage[one], '/a')
        await purge(stage[one], { path: 'a' })
        const gate = origin.hold('/a', size / 2, {}, 1)
        const before = await open(pathAt(stage[one], '/a'))
        await before.firstByte
        await purge(stage[two], selection)
        const body = origin.put('/a', noise(size))
        gate.letGo()
        await before.finished
        await settled({ larder: stage[one] })
        await expectRenewed(stage, '/a', body)
      },
    )
  })
})
