import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Breaker, createBreaker, type Pass } from '../../src/proxy/breaker.js'

const policy = { failures: 3, openFor: 1_000, maxOpenFor: 3_000 }
const start = 1_000_000

let events: string[]
let breaker: Breaker

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: start })
  events = []
  breaker = createBreaker(policy, {
    opened: (wait) => events.push(`opened for ${wait}`),
    closed: () => events.push('closed'),
  })
})
afterEach(() => {
  vi.useRealTimers()
})

const entered = (): Pass => {
  const pass = breaker.enter()
  if (!pass) throw new Error('not let through')
  return pass
}

const settle = async (pass: Pass, outcome: 'succeeded' | 'failed' | 'untold') => {
  pass.settle(outcome)
  await turn()
}

async function run(...outcomes: ('succeeded' | 'failed' | 'untold')[]) {
  for (const outcome of outcomes) await settle(entered(), outcome)
}

const open = () => run('failed', 'failed', 'failed')

describe('U7: the breaker', () => {
  it('opens after so many failures in a row, and says until when', async () => {
    await run('failed', 'failed')
    expect(breaker.state).toBe('closed')
    await run('failed')
    expect([breaker.state, breaker.openUntil, breaker.enter()]).toEqual(['open', start + 1_000, undefined])
    expect(events).toEqual(['opened for 1000'])
  })

  it.each([
    ['succeeded', 'closed'],
    ['untold', 'open'],
  ] as const)('two failures, one %s, one failure: %s', async (between, state) => {
    await run('failed', 'failed', between, 'failed')
    expect(breaker.state).toBe(state)
  })

  it('lets one probe through when its time is over, and nobody beside it', async () => {
    await open()
    vi.setSystemTime(start + 999)
    expect(breaker.enter()).toBeUndefined()
    vi.setSystemTime(start + 1_000)
    const probe = entered()
    expect([breaker.state, breaker.enter(), probe.holds()]).toEqual(['half-open', undefined, true])
    await settle(probe, 'succeeded')
    expect([breaker.state, events]).toEqual(['closed', ['opened for 1000', 'closed']])
    await run('failed', 'failed')
    expect(breaker.state).toBe('closed')
  })

  it('stays open for twice as long after each probe that fails, up to the most, and says so once', async () => {
    await open()
    const waits: number[] = []
    for (let probes = 0; probes < 4; probes += 1) {
      waits.push(breaker.openUntil - Date.now())
      vi.setSystemTime(breaker.openUntil)
      await run('failed')
    }
    expect(waits).toEqual([1_000, 2_000, 3_000, 3_000])
    expect(events).toEqual(['opened for 1000'])
    vi.setSystemTime(breaker.openUntil)
    await run('succeeded')
    await open()
    expect(breaker.openUntil - Date.now()).toBe(1_000)
  })

  it('a probe that says nothing makes room for the next, and costs no waiting', async () => {
    await open()
    vi.setSystemTime(start + 1_000)
    await run('untold')
    expect(breaker.state).toBe('open')
    await run('failed')
    expect(breaker.openUntil - Date.now()).toBe(2_000)
  })

  it('those who came before it opened need not go on, and count no more', async () => {
    const early = [entered(), entered()]
    await open()
    expect(early.map((pass) => pass.holds())).toEqual([false, false])
    vi.setSystemTime(start + 1_000)
    const probe = entered()
    for (const pass of early) await settle(pass, 'failed')
    expect(breaker.state).toBe('half-open')
    await settle(probe, 'succeeded')
    expect(breaker.state).toBe('closed')
  })

  it('tells those who wait that it opened, and no longer than they listen', async () => {
    const heard: string[] = []
    const pass = entered()
    pass.onOpened(() => heard.push('one'))
    pass.onOpened(() => heard.push('other'))()
    await open()
    expect(heard).toEqual(['one'])
  })

  it('is closed by hand, whatever a probe under way will say', async () => {
    await open()
    vi.setSystemTime(start + 1_000)
    const probe = entered()
    breaker.reset()
    await settle(probe, 'failed')
    expect([breaker.state, probe.holds(), events]).toEqual(['closed', false, ['opened for 1000', 'closed']])
    await run('failed', 'failed')
    expect(breaker.state).toBe('closed')
  })
})
