import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { choices, seedFrom } from '../support/seeded.js'
import { Lane } from './crash-lane.js'
import { stages } from './crash-stages.js'

/** In all; `LARDER_CRASH_KILLS` asks for more, `LARDER_CRASH_SEED` replays the choices of a run. */
const kills = Number(process.env.LARDER_CRASH_KILLS ?? 210)
const seed = seedFrom('LARDER_CRASH_SEED')

/** ms that a round, of a second or two, may take on a busy machine. */
const patience = 60_000

/** Side by side: most of a round is waiting for a start. The last one evicts. */
const lanes = [undefined, undefined, '2MiB'] as const

describe('D2, D3, D7: killed at every stage of a fill, again and again', () => {
  it(`${kills} times (LARDER_CRASH_SEED=${seed}): only whole artifacts, nothing lost, nothing left behind`, async () => {
    const rounds = Math.ceil(kills / lanes.length)
    const found = await Promise.all(lanes.map((maxSize, i) => crashAgain(seed + i, rounds, maxSize).catch(told)))
    expect(found.flat()).toEqual([])
  }, 600_000)
})

/** A lane that fails must not leave the servers of the others behind. */
const told = (error: unknown): string[] => [String(error)]

async function crash(lane: Lane, name: string): Promise<string[]> {
  await stages[name]?.(lane)
  return lane.recover()
}

const hanging = () => sleep(patience, ['it hangs'], { ref: false })

async function crashAgain(laneSeed: number, rounds: number, maxSize: string | undefined): Promise<string[]> {
  const lane = await Lane.start(laneSeed, maxSize)
  const pick = choices(laneSeed + 1000)
  const names = Object.keys(stages)
  try {
    for (let round = 0; round < rounds; round += 1) {
      // Each in its turn, so that none is missed; then by chance.
      const name = names[round] ?? pick.of(names)
      const faults = await Promise.race([crash(lane, name), hanging()])
      if (faults.length > 0)
        return faults.map((fault) => `round ${round} of seed ${laneSeed}, killed ${name}: ${fault}`)
    }
    return []
  } finally {
    await lane.dispose()
  }
}
