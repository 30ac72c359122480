/** One fill in flight per key, however many ask (C6). */
export interface Collapse<F extends { readonly done: Promise<void> }> {
  get(key: string): F | undefined
  /** The flight of `key`, started if there is none; `collapsed`: someone else started it. */
  join(key: string, start: () => F): { readonly flight: F; readonly collapsed: boolean }
  /** Whoever asks for one of these keys from now on starts anew; who has joined already stays (K5). */
  detach(means: (key: string) => boolean): void
  /** Resolves when none is in flight. */
  idle(): Promise<void>
  readonly size: number
}

export function createCollapse<F extends { readonly done: Promise<void> }>(): Collapse<F> {
  const flights = new Map<string, F>()
  /** With the detached ones. */
  const all = new Set<F>()
  return {
    get: (key) => flights.get(key),
    join(key, start) {
      const known = flights.get(key)
      if (known) return { flight: known, collapsed: true }
      const flight = start()
      flights.set(key, flight)
      all.add(flight)
      void flight.done.then(() => {
        all.delete(flight)
        if (flights.get(key) === flight) flights.delete(key)
      })
      return { flight, collapsed: false }
    },
    detach(means) {
      for (const key of flights.keys()) if (means(key)) flights.delete(key)
    },
    async idle() {
      while (all.size > 0) await Promise.all([...all].map(({ done }) => done))
    },
    get size() {
      return all.size
    },
  }
}
