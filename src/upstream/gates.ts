import { LarderError } from '../errors.js'

interface Entry {
  readonly origin: URL
  /** How many may be inside at a time. */
  readonly limit: number
  /** Milliseconds to wait for a place. */
  readonly patience: number
  readonly signal: AbortSignal | undefined
}

/** Bounds the exchanges under way with an origin; those beyond wait their turn, first come, first served. */
export interface Gates {
  /**
   * Resolves, when there is a place, to what gives it back (once; more often does no harm). Throws `UPSTREAM_OVERLOADED` when
   * there is none in time, or the signal's reason.
   */
  enter(entry: Entry): Promise<() => void>
}

interface Gate {
  inside: number
  readonly waiting: Set<() => void>
}

export function createGates(): Gates {
  const gates = new Map<string, Gate>()

  /** A place is handed on, so that nobody slips in between. */
  function leave(name: string, gate: Gate) {
    const [next] = gate.waiting
    if (next !== undefined) {
      gate.waiting.delete(next)
      next()
    } else if (--gate.inside === 0) {
      gates.delete(name)
    }
  }

  return {
    async enter(entry) {
      const { origin, limit, signal } = entry
      signal?.throwIfAborted()
      if (limit === Number.POSITIVE_INFINITY) return () => {}
      const name = `${limit} ${origin.origin}`
      const gate = gates.get(name) ?? { inside: 0, waiting: new Set() }
      gates.set(name, gate)
      if (gate.inside < limit) gate.inside++
      else await turn(gate, entry)
      let left = false
      return () => {
        if (!left) leave(name, gate)
        left = true
      }
    },
  }
}

function turn({ waiting }: Gate, { origin, limit, patience, signal }: Entry): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      waiting.delete(admit)
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    const admit = () => {
      settle()
      resolve()
    }
    const abort = () => {
      settle()
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      settle()
      reject(new LarderError('UPSTREAM_OVERLOADED', `${origin.host}: all ${limit} connections to it stayed in use`))
    }, patience)
    signal?.addEventListener('abort', abort)
    waiting.add(admit)
  })
}
