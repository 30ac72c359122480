import { LRUCache } from 'lru-cache'

/** What is worth remembering of a key for a little while, and nothing after a restart. */
export type Note =
  /** The remote has no such thing (K4). */
  | { readonly kind: 'negative'; readonly status: number }
  /** Its response may not be shared: clients don't wait for one another (C6, "hit-for-miss"). */
  | { readonly kind: 'uncacheable' }
  /** Its remote was in trouble just now: the stored copy is served without asking again at once (K3). */
  | { readonly kind: 'trouble' }

export interface ShortMemory {
  get(key: string): Note | undefined
  /** Seconds until it is forgotten. */
  secondsLeft(key: string): number
  note(key: string, note: Note, seconds: number): void
  forget(means: (key: string) => boolean): void
}

/** Many enough for all that is asked for in a minute, few enough for anyone who asks for nonsense. */
const maxNotes = 100_000

/** Characters of all keys together: a URL may have 8 KiB. */
const maxCharacters = 32 * 1024 * 1024

export function createShortMemory(): ShortMemory {
  const notes = new LRUCache<string, Note>({
    max: maxNotes,
    maxSize: maxCharacters,
    sizeCalculation: (_, key) => key.length,
  })
  return {
    get: (key) => notes.get(key),
    secondsLeft: (key) => notes.getRemainingTTL(key) / 1000,
    note(key, note, seconds) {
      if (seconds > 0) notes.set(key, note, { ttl: seconds * 1000 })
    },
    forget(means) {
      for (const key of notes.keys()) if (means(key)) notes.delete(key)
    },
  }
}
