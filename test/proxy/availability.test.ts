import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import { createAvailability } from '../../src/proxy/availability.js'
import { noBulletin } from '../../src/storage/bulletin.js'
import { stopClock } from '../support/in-process.js'
import { configured, mirrors } from './configured.js'

const availability = () =>
  createAvailability({
    bulletin: noBulletin,
    repositories: () => [],
    metrics: createMetrics(),
    log: createLog('info', { write: () => {} }),
  })

const quick = { breaker: { failures: 1, openFor: '10s', maxOpenFor: '40s' } }

async function fail(available: ReturnType<typeof availability>, repository: Awaited<ReturnType<typeof configured>>) {
  for (const remote of repository.remotes) available.breaker(repository, remote).enter()?.settle('failed')
  await turn()
}

describe('U7: what an operator sees and does', () => {
  it('the state of each remote, and when it is tried again', async () => {
    const clock = stopClock()
    const repository = await configured(quick)
    const available = availability()
    const states = () => available.remotes(repository).map(({ url, breaker, retryAt }) => [url, breaker, retryAt])
    expect(states()).toEqual(mirrors.map((url) => [url, 'closed', undefined]))
    available.breaker(repository, repository.remotes[0]).enter()?.settle('failed')
    await turn()
    expect(states()).toEqual([
      [mirrors[0], 'open', Date.now() + 10_000],
      [mirrors[1], 'closed', undefined],
    ])
    expect(available.refusal(repository)).toBeUndefined()
    await clock.pass(4)
    await fail(available, repository)
    expect(available.refusal(repository)).toMatchObject({ code: 'UPSTREAM_BREAKER_OPEN', retryAfter: 6 })
    await clock.pass(6)
    expect(available.refusal(repository)).toBeUndefined()
  })

  it('reset closes the breakers of all its remotes', async () => {
    const repository = await configured(quick)
    const available = availability()
    await fail(available, repository)
    expect(available.refusal(repository)?.code).toBe('UPSTREAM_BREAKER_OPEN')
    available.reset(repository)
    expect([available.refusal(repository), available.remotes(repository)[0]?.breaker]).toEqual([undefined, 'closed'])
  })

  it.each([true, false])('blocked: %s in the configuration, the other way by hand, until a reload', async (blocked) => {
    const repository = await configured({ blocked })
    const available = availability()
    const code = blocked ? 'UPSTREAM_BLOCKED' : undefined
    expect([available.isBlocked(repository), available.refusal(repository)?.code]).toEqual([blocked, code])
    available.block(repository, !blocked)
    expect(available.isBlocked(repository)).toBe(!blocked)
    expect(available.isBlocked(await configured({ blocked }))).toBe(blocked)
  })
})

it('U6: refused credentials are told once, until they were taken again', async () => {
  const [remote] = (await configured({})).remotes
  const { credentialsRefused } = availability()
  const told = [403, 403, 401, undefined, 403].map((status) => credentialsRefused(remote, status))
  expect(told).toEqual([true, false, true, false, true])
})
