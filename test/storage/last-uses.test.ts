import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLog } from '../../src/log.js'
import { createLastUses } from '../../src/storage/last-uses.js'
import type { RecordStore } from '../../src/storage/record-store.js'

const log = createLog('silent')

/** Where `a` and `b` are stored; says what was written, in how many goes. */
function recordsWith(use: RecordStore['use'] = async () => {}) {
  const written: [string, number][][] = []
  const records = {
    lastUse: (key: string) => ({ a: 10, b: 20 })[key],
    use(uses: ReadonlyMap<string, number>) {
      written.push([...uses])
      return use(uses)
    },
  } as unknown as RecordStore
  return { records, written }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('K6: last uses', () => {
  it('are written every 5 s, all together, and not where there are none', async () => {
    const { records, written } = recordsWith()
    const uses = createLastUses(records, log)
    for (let time = 100; time < 200; time += 1) uses.note(time % 2 ? 'a' : 'b', time)
    await vi.advanceTimersByTimeAsync(4999)
    expect(written).toEqual([])
    await vi.advanceTimersByTimeAsync(10_001)
    expect(written.map((go) => go.sort())).toEqual([
      [
        ['a', 199],
        ['b', 198],
      ],
    ])
    await uses.close()
  })

  it('are known at once, and while they are being written', async () => {
    let end = () => {}
    const { records } = recordsWith(
      () =>
        new Promise((resolve) => {
          end = resolve
        }),
    )
    const uses = createLastUses(records, log)
    expect([uses.of('a'), uses.of('none')]).toEqual([10, undefined])
    uses.note('a', 100)
    uses.note('none', 100)
    expect([uses.of('a'), uses.of('none')]).toEqual([100, undefined])
    await vi.advanceTimersByTimeAsync(5000)
    uses.note('b', 5)
    expect([uses.of('a'), uses.of('b')]).toEqual([100, 20])
    const closed = uses.close()
    end()
    await vi.advanceTimersByTimeAsync(0)
    end()
    await closed
  })

  it('are written when it is closed', async () => {
    const { records, written } = recordsWith()
    const uses = createLastUses(records, log)
    uses.note('a', 100)
    await uses.close()
    expect(written).toEqual([[['a', 100]]])
  })

  it('that cannot be written are lost, and the next ones are written', async () => {
    let fails = true
    const { records, written } = recordsWith(async () => {
      if (fails) throw new Error('the disk is full')
    })
    const uses = createLastUses(records, log)
    uses.note('a', 100)
    await uses.flush()
    expect(uses.of('a')).toBe(10)
    fails = false
    uses.note('b', 200)
    await uses.close()
    expect(written).toEqual([[['a', 100]], [['b', 200]]])
  })
})
