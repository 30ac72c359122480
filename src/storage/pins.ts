import { type Selection, selectionId, selects } from '../caching/selection.js'
import type { RecordStore } from './record-store.js'

/** What is never evicted. A pin stands until it is taken back, for what is stored later too (K6). */
export interface Pins {
  has(key: string): boolean
  list(): readonly Selection[]
  /** Throws `PATH_INVALID` for a glob that isn't one. */
  add(selection: Selection): Promise<void>
  /** False where there is no such pin; what another one means stays pinned. */
  remove(selection: Selection): Promise<boolean>
}

interface Pin {
  readonly selection: Selection
  readonly means: (key: string) => boolean
}

export function openPins(records: RecordStore): Pins {
  const pins = new Map<string, Pin>()
  const stand = (selection: Selection) => {
    pins.set(selectionId(selection), { selection, means: selects(selection) })
  }
  for (const { kind, selection } of records.orders()) if (kind === 'pin') stand(selection)
  records.onOrder(({ kind, selection }, stands) => {
    if (kind !== 'pin') return
    if (stands) stand(selection)
    else pins.delete(selectionId(selection))
  })

  return {
    has(key) {
      for (const { means } of pins.values()) if (means(key)) return true
      return false
    },
    list: () => [...pins.values()].map(({ selection }) => selection),
    async add(selection) {
      const means = selects(selection)
      await records.saveOrder({ kind: 'pin', selection })
      pins.set(selectionId(selection), { selection, means })
    },
    async remove(selection) {
      if (!pins.has(selectionId(selection))) return false
      await records.dropOrder({ kind: 'pin', selection })
      return pins.delete(selectionId(selection))
    },
  }
}
