import { type Selection, selectionId, selects } from '../caching/selection.js'
import type { RecordStore, StandingOrder } from './record-store.js'

export type Purge = Extract<StandingOrder, { kind: 'purge' }>

/** The purges of many keys at once that still stand: they hold for keys that have no record, too (K5). */
export interface Purges {
  /** The epoch of the last one that means the key, 0 if none does. */
  epochOf(key: string): number
  /** A new epoch, later than any before it. */
  nextEpoch(): number
  /** A record has this one: where it was written often, or the clock was set back, it is later than the clock. */
  reached(epoch: number): void
  /** Stands from now on; resolves when it is durable. Throws `PATH_INVALID` for a glob that isn't one. */
  begin(selection: Selection, soft: boolean): Promise<Purge>
  /** The records it found have been dealt with. */
  finish(purge: Purge): Promise<void>
  /** Those a crash cut short. */
  unfinished(): readonly Purge[]
  /** Takes back the finished ones of epochs before `epoch`; returns how many. */
  prune(epoch: number): Promise<number>
}

/** `told` hears of those that others began, with what they mean. */
export function openPurges(records: RecordStore, told: (means: (key: string) => boolean) => void): Purges {
  const standing = new Map<string, { readonly purge: Purge; readonly means: (key: string) => boolean }>()
  let latest = 0

  const stand = (purge: Purge) => {
    standing.set(selectionId(purge.selection), { purge, means: selects(purge.selection) })
    latest = Math.max(latest, purge.epoch)
  }
  for (const order of records.orders()) if (order.kind === 'purge') stand(order)
  records.onOrder((order, stands) => {
    if (order.kind !== 'purge') return
    const id = selectionId(order.selection)
    const known = standing.get(id)
    if (!stands) standing.delete(id)
    else if (!known || known.purge.epoch <= order.epoch) stand(order)
    if (stands && known?.purge.epoch !== order.epoch) told(selects(order.selection))
  })

  const nextEpoch = () => {
    latest = Math.max(latest + 1, Date.now())
    return latest
  }

  return {
    epochOf(key) {
      let epoch = 0
      for (const { purge, means } of standing.values()) if (purge.epoch > epoch && means(key)) epoch = purge.epoch
      return epoch
    },
    nextEpoch,
    reached(epoch) {
      latest = Math.max(latest, epoch)
    },
    async begin(selection, soft) {
      const purge: Purge = { kind: 'purge', selection, soft, epoch: nextEpoch(), done: false }
      stand(purge)
      await records.saveOrder(purge)
      return purge
    },
    async finish(purge) {
      // The same again while this one was carried out: that one stands, unfinished.
      if (standing.get(selectionId(purge.selection))?.purge !== purge) return
      const done = { ...purge, done: true }
      stand(done)
      await records.saveOrder(done)
    },
    unfinished: () => [...standing.values()].map(({ purge }) => purge).filter(({ done }) => !done),
    async prune(epoch) {
      const old = [...standing.values()].filter(({ purge }) => purge.done && purge.epoch < epoch)
      for (const { purge } of old) {
        standing.delete(selectionId(purge.selection))
        await records.dropOrder(purge)
      }
      return old.length
    },
  }
}
