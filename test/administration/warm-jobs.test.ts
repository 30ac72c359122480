import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { fairly } from '../../src/administration/fair-queue.js'
import { createSchedule } from '../../src/administration/schedule.js'
import { createTurns } from '../../src/administration/turns.js'
import type { WarmItem } from '../../src/administration/warm-views.js'
import { createLog } from '../../src/log.js'
import type { WarmOrder } from '../../src/warming/order.js'
import { SharedMemory } from '../storage/memory-shared-cache.js'

const never = new AbortController().signal

function clock(): void {
  vi.useFakeTimers({ now: new Date('2026-01-01T03:59:30Z') })
  onTestFinished(() => void vi.useRealTimers())
}

describe('many items', () => {
  it('a slow group keeps no more than its share', async () => {
    const done: string[] = []
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const items = [
      ...Array.from({ length: 20 }, (_, i) => `slow/${i}`),
      ...Array.from({ length: 20 }, (_, i) => `fast/${i}`),
    ]
    const all = fairly(items, { groupOf: (item) => item.split('/')[0] ?? '', width: 4 }, async (item) => {
      if (item.startsWith('slow')) await held
      done.push(item)
    })
    await vi.waitFor(() => expect(done.filter((item) => item.startsWith('fast'))).toHaveLength(20))
    expect(done).toHaveLength(20)
    letGo()
    await all
    expect(done).toHaveLength(40)
  })

  it('never more than so many at a time, and none after a failure', async () => {
    let active = 0
    let most = 0
    const work = async () => {
      active += 1
      most = Math.max(most, active)
      await Promise.resolve()
      active -= 1
    }
    await fairly(Array.from({ length: 50 }, String), { groupOf: () => 'one', width: 3 }, work)
    expect(most).toBe(3)
    const fails = fairly(['a'], { groupOf: () => 'one', width: 1 }, () => Promise.reject(new Error('no')))
    await expect(fails).rejects.toThrow('no')
  })
})

/** Warm-ups that end when they are told to. */
function heldJobs(items: readonly WarmItem[] = []) {
  const running: { readonly order: WarmOrder; end(): void }[] = []
  return {
    running,
    jobs: {
      start(order: WarmOrder) {
        let end = () => {}
        const ended = new Promise<void>((resolve) => {
          end = resolve
        })
        running.push({ order, end })
        const task = {
          id: String(running.length),
          kind: 'warm',
          state: 'running',
          startedAt: '',
          endedAt: null,
        } as const
        return { task: { ...task, progress: {}, findings: [], error: null }, ended }
      },
      report: () => ({ items, filling: () => [] }),
    },
  }
}

const order = (item: string): WarmOrder => ({ items: [item], from: [], concurrency: 1 })

function schedule(items?: readonly WarmItem[]) {
  const lines: Record<string, unknown>[] = []
  const { running, jobs } = heldJobs(items)
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) })
  const it = createSchedule({ jobs, inTurn: createTurns(undefined, 'us'), log })
  onTestFinished(() => it.stop())
  return { ...it, running, said: (text: string) => lines.filter(({ msg }) => String(msg).includes(text)) }
}

const minute = (count = 1) => vi.advanceTimersByTimeAsync(count * 60_000)

describe('the schedule', () => {
  it('starts a warm-up when it is due, in its time zone', async () => {
    clock()
    const { set, running } = schedule()
    set([
      { cron: '0 4 * * *', timezone: 'Etc/UTC', order: order('a') },
      { cron: '0 4 * * *', timezone: 'Asia/Tokyo', order: order('b') },
    ])
    expect(running).toHaveLength(0)
    await minute()
    expect(running.map(({ order }) => order.items)).toEqual([['a']])
  })

  it('leaves one out that runs still, and has others wait for it', async () => {
    clock()
    const { set, running, said } = schedule()
    set([
      { cron: '* * * * *', order: order('a') },
      { cron: '0 4 * * *', timezone: 'Etc/UTC', order: order('b') },
    ])
    await minute(2)
    expect(running.map(({ order }) => order.items[0])).toEqual(['a'])
    expect(said('left out')).toHaveLength(1)
    running[0]?.end()
    await minute(0)
    expect(running.map(({ order }) => order.items[0])).toEqual(['a', 'b'])
  })

  it('a reload keeps what is unchanged, ends what is gone, and starts what is new', async () => {
    clock()
    const { set, running, said } = schedule()
    set([
      { cron: '* * * * *', order: order('a') },
      { cron: '* * * * *', order: order('gone') },
    ])
    set([
      { cron: '* * * * *', order: order('a') },
      { cron: '* * * * *', order: order('new') },
    ])
    await minute()
    running[0]?.end()
    await minute(0)
    expect(running.map(({ order }) => order.items[0])).toEqual(['a', 'new'])
    expect(said('left out')).toHaveLength(0)
  })

  it('names what failed in the log, for nobody watches it; stopped, nothing is due', async () => {
    clock()
    const failed = {
      item: 'raw/x',
      state: 'failed',
      how: null,
      bytes: null,
      reason: 'UPSTREAM_ABSENT',
      detail: '404',
    } as const
    const { set, stop, running, said } = schedule([failed])
    set([{ cron: '* * * * *', order: order('a') }])
    await minute()
    running[0]?.end()
    await minute(0)
    expect(said('could not be made ready')).toMatchObject([{ item: 'raw/x', code: 'UPSTREAM_ABSENT' }])
    stop()
    await minute(3)
    expect(running).toHaveLength(1)
  })
})

describe('turns of replicas', () => {
  it('one after another; a turn outlives no dead replica', async () => {
    clock()
    const memory = new SharedMemory()
    const done: string[] = []
    let end = () => {}
    const first = createTurns(memory.connect(), 'one')('work', never, async () => {
      done.push('one begins')
      await new Promise<void>((resolve) => {
        end = resolve
      })
      done.push('one ends')
    })
    await minute(0)
    const second = createTurns(memory.connect(), 'two')('work', never, async () => void done.push('two'))
    await minute(5)
    expect(done).toEqual(['one begins'])
    end()
    await first
    await minute()
    await second
    expect(done).toEqual(['one begins', 'one ends', 'two'])
    await memory.connect().lease('work', 'killed', 30_000)
    const third = createTurns(memory.connect(), 'three')('work', never, async () => void done.push('three'))
    await minute()
    await third
    expect(done.at(-1)).toBe('three')
  })

  it.each([
    ['no shared cache', undefined],
    ['one that is silent', Object.assign(new SharedMemory(), { reachable: false }).connect()],
  ])('with %s it is always ours', async (_, shared) => {
    let done = false
    await createTurns(shared, 'us')('work', never, async () => {
      done = true
    })
    expect(done).toBe(true)
  })

  it('who waits can be stopped', async () => {
    const memory = new SharedMemory()
    await memory.connect().lease('work', 'other', 60_000)
    const stopping = new AbortController()
    const waiting = createTurns(memory.connect(), 'us')('work', stopping.signal, async () => {})
    stopping.abort()
    await expect(waiting).rejects.toThrow()
  })
})
