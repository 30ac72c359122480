import { type Selection, selects } from '../caching/selection.js'
import type { Logger } from '../log.js'
import type { Announcement, Bulletin } from './bulletin.js'
import type { HotRecords } from './hot-records.js'
import type { Pins } from './pins.js'
import type { Purging } from './purging.js'
import type { RecordStore } from './record-store.js'
import type { UnderWay } from './under-way.js'

export interface HearingOptions {
  readonly bulletin: Bulletin
  readonly records: Pick<RecordStore, 'look'>
  /** Whether it was done in a store that is ours, too; else it has to be done in ours. */
  readonly isShared: boolean
  readonly hot: HotRecords
  readonly purging: Pick<Purging, 'purge' | 'heard'>
  readonly pins: Pick<Pins, 'add' | 'remove'>
  readonly underWay: UnderWay
  readonly log: Logger
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
}

/** Heeds at once what an operator had another replica do (K5, K6). */
export function hearOthers(options: HearingOptions): void {
  const { bulletin, records, isShared, hot, purging, pins, underWay, log, signal } = options

  const lookAgain = async (purged: Selection) => {
    hot.mistrustAll(selects(purged))
    purging.heard(purged)
    await records.look()
  }

  const heed = async (heard: Announcement): Promise<unknown> => {
    switch (heard.kind) {
      case 'purge':
        return isShared ? lookAgain(heard.selection) : purging.purge(heard.selection, { soft: heard.soft })
      case 'pin':
        return isShared ? records.look() : pins.add(heard.selection)
      case 'unpin':
        return isShared ? records.look() : pins.remove(heard.selection)
      default:
        return undefined
    }
  }

  const begin = (work: () => Promise<unknown>) => {
    if (signal.aborted) return
    underWay.track(work()).catch((error) => {
      if (!signal.aborted) log.error({ err: error }, 'cannot do what another replica was told to')
    })
  }

  bulletin.onHeard((heard) => begin(() => heed(heard)))
  bulletin.onGap(() => begin(() => records.look()))
}
