import { LRUCache } from 'lru-cache'
import type { StoredRecord } from '../caching/record.js'

/** The records used last, in memory. */
export interface HotRecords {
  /** `undefined` also where it may be out of date. */
  trusted(key: string): StoredRecord | undefined
  known(key: string): StoredRecord | undefined
  /** Returns the newest known: a slow look-up may come back after a write and bring what was before it. */
  remember(found: StoredRecord): StoredRecord
  forget(key: string): void
  /** What is meant counts as out of date from now on, where others write too. */
  mistrust(key: string): void
  mistrustAll(means: (key: string) => boolean): void
}

interface Hot {
  readonly record: StoredRecord
  readonly trustedUntil: number
}

/** `bytes` of records (with their inline bodies) at most; one is trusted for `trustedFor` ms. */
export function createHotRecords(bytes: number, trustedFor: number): HotRecords {
  const hot = new LRUCache<string, Hot>({ maxSize: bytes, sizeCalculation: ({ record }) => weigh(record) })
  const mistrust = (key: string) => {
    const known = hot.peek(key)
    if (known && trustedFor !== Number.POSITIVE_INFINITY) hot.set(key, { ...known, trustedUntil: 0 })
  }

  return {
    trusted(key) {
      const known = hot.get(key)
      return known && (known.trustedUntil === Number.POSITIVE_INFINITY || Date.now() < known.trustedUntil)
        ? known.record
        : undefined
    },
    known: (key) => hot.peek(key)?.record,
    remember(found) {
      const known = hot.peek(found.key)?.record
      const record = known && known.version > found.version ? known : found
      hot.set(record.key, { record, trustedUntil: trustedFor + Date.now() })
      return record
    },
    mistrust,
    mistrustAll(means) {
      for (const key of [...hot.keys()]) if (means(key)) mistrust(key)
    },
    forget: (key) => void hot.delete(key),
  }
}

/** Roughly what a record takes in memory, bytes. */
function weigh({ key, variants }: StoredRecord): number {
  let weight = 512 + key.length
  for (const { headers, body } of variants) {
    weight += 1536 + (body.inline?.length ?? 0)
    for (const text of headers) weight += text.length
  }
  return weight
}
