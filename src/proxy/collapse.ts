/** One fill in flight per key, however many ask (C6). */
export interface Collapse<F extends { readonly done: Promise<void> }> {
  get(key: string): F | undefined
  /** The flight of `key`, started if there is none; `collapsed`: someone else started it. */
  join(key: string, start: () => F): { readonly flight: F; readonly collapsed: boolean }
  /** Resolves when none is in flight. */
  idle(): Promise<void>
  readonly size: number
}

export function createCollapse<F extends { readonly done: Promise<void> }>(): Collapse<F> {
  const flights = new Map<string, F>()
  return {
    get: (key) => flights.get(key),
    join(key, start) {
      const known = flights.get(key)
      if (known) return { flight: known, collapsed: true }
      const flight = start()
      flights.set(key, flight)
      void flight.done.then(() => flights.delete(key))
      return { flight, collapsed: false }
    },
    async idle() {
      while (flights.size > 0) await Promise.all([...flights.values()].map(({ done }) => done))
    },
    get size() {
      return flights.size
    },
  }
}
