import type { Digest } from '../caching/record.js'

/** Blobs that may not go now; each hold counts (D7). */
export interface Holds {
  has(digest: Digest): boolean
  retain(digest: Digest): void
  release(digest: Digest): void
}

export function createHolds(): Holds {
  const counts = new Map<Digest, number>()
  return {
    has: (digest) => counts.has(digest),
    retain: (digest) => void counts.set(digest, (counts.get(digest) ?? 0) + 1),
    release(digest) {
      const left = (counts.get(digest) ?? 0) - 1
      if (left > 0) counts.set(digest, left)
      else counts.delete(digest)
    },
  }
}

/** Runs the actions on one thing one after another, so that none can meet another half way (D7). */
export function createTurns<K>() {
  const last = new Map<K, Promise<unknown>>()
  return async <T>(of: K, action: () => Promise<T>): Promise<T> => {
    const turn = (last.get(of) ?? Promise.resolve()).then(action, action)
    last.set(of, turn)
    try {
      return await turn
    } finally {
      if (last.get(of) === turn) last.delete(of)
    }
  }
}

export function once(action: () => void): () => void {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}
