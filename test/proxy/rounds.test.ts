import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Remote } from '../../src/caching/repository.js'
import { LarderError } from '../../src/errors.js'
import { createLog } from '../../src/log.js'
import { createMetrics } from '../../src/metrics.js'
import type { Result } from '../../src/proxy/attempt.js'
import { createAvailability } from '../../src/proxy/availability.js'
import { inquiring } from '../../src/proxy/rounds.js'
import { noBulletin } from '../../src/storage/bulletin.js'
import { stopClock } from '../support/in-process.js'
import { configured } from './configured.js'

/** Asks two mirrors; `attempt` plays them. */
async function rounds(settings: Record<string, unknown>, attempt: (remote: Remote, target: string) => Promise<Result>) {
  const repository = await configured(settings)
  const metrics = createMetrics()
  const log = createLog('info', { write: () => {} })
  const availability = createAvailability({ bulletin: noBulletin, repositories: () => [], metrics, log })
  const of = (target: string, remotes: readonly Remote[] = repository.remotes) =>
    inquiring({ repository, target, metrics, log, availability, attempt: (_, remote) => attempt(remote, target) })(
      { method: 'GET', headers: [] },
      remotes,
    )
  return { of, remotes: repository.remotes }
}

const unreachable = () => new LarderError('UPSTREAM_UNREACHABLE', 'it is not there')

const patient = (): Result => ({
  status: 503,
  headers: ['Retry-After', '60'],
  requestTime: 0,
  responseTime: 0,
  framing: 'none',
  body: (async function* () {})(),
  discard() {},
  remote: 'http://one.test',
})

describe('U2: rounds over the mirrors', () => {
  it('nobody waits for a remote whose breaker opened while it was asked', async () => {
    let answer = (_: Result) => {}
    const slow = new Promise<Result>((resolve) => {
      answer = resolve
    })
    const settings = { retry: { attempts: 2, budget: '2m' }, breaker: { failures: 1, openFor: '1h', maxOpenFor: '1h' } }
    const { of, remotes } = await rounds(settings, async (_, target) => (target === '/slow' ? slow : unreachable()))
    const asked = of('/slow', [remotes[0]])
    await expect(of('/failing', [remotes[0]])).rejects.toThrow()
    await turn()
    answer(patient())
    expect((await asked).status).toBe(503)
  })

  it('within a round too no retry begins once the budget is used up', async () => {
    const clock = stopClock()
    const asked: string[] = []
    const { of } = await rounds({ retry: { attempts: 9, budget: '1s' } }, async ({ url }) => {
      asked.push(url)
      await clock.pass(0.4)
      return unreachable()
    })
    await expect(of('/a')).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' })
    expect(asked).toEqual(['http://one.test', 'http://two.test/base', 'http://one.test'])
  })

  it('a mirror that asks for patience holds the other one up no longer than a pause of ours', async () => {
    const clock = stopClock()
    const asked: string[] = []
    const { of } = await rounds({ retry: { attempts: 2, budget: '2m' } }, async ({ url }) => {
      asked.push(url)
      return url === 'http://one.test' ? patient() : unreachable()
    })
    const failing = of('/a').catch(() => {})
    await turn()
    await clock.pass(5)
    await failing
    expect(asked).toEqual(['http://one.test', 'http://two.test/base', 'http://two.test/base'])
  })
})
