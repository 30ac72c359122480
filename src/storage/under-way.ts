/** Work that must have ended before what it works on is closed. */
export interface UnderWay {
  track<T>(work: Promise<T>): Promise<T>
  /** Resolves when none is under way, however it ended. */
  idle(): Promise<void>
}

export function createUnderWay(): UnderWay {
  const all = new Set<Promise<void>>()
  return {
    track(work) {
      const ended = work.then(nothing, nothing)
      all.add(ended)
      void ended.then(() => all.delete(ended))
      return work
    },
    async idle() {
      while (all.size > 0) await Promise.all(all)
    },
  }
}

const nothing = () => {}
